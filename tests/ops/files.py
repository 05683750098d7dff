"""The two files that say what is deployed: samconfig.toml (where) and parameters.yaml (all else).

SAM reads parameters.yaml for `sam build` and `sam deploy` alike, by the line `parameter_overrides` of samconfig.toml.
It replaces no parameter that the file does not name: the stack keeps the value it has.
"""

import os
import textwrap
from pathlib import Path

import tomlkit
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import SingleQuotedScalarString
from samcli.yamlhelper import yaml_parse
from tomlkit.exceptions import TOMLKitError

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = ROOT / "parameters.yaml"
SAMCONFIG = ROOT / "samconfig.toml"
TEMPLATE = ROOT / "template.yaml"

OVERRIDES = ["file://parameters.yaml"]
ENVIRONMENTS = ("default", "ci")

# `sam build` reads them too: a parameter that the file does not name is the template's default there and the stack's
# value at `sam deploy`, so the functions could be built for one storage or processor and deployed for another.
READ_BY_BUILD = ("TokenStorage", "Architecture")
# What the commands here count up. In the file it would set it back at each deployment.
COUNTED = "SecretsRevision"


class Problem(Exception):
    """Something that the operator has to know or to do: a sentence or two."""


def template_parameters():
    """The parameters of the template by name, with their defaults, allowed values, patterns and descriptions."""
    return yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Parameters"]


def defaults():
    """What the template gives a parameter that nobody has set, by name."""
    return {name: str(parameter["Default"]) for name, parameter in template_parameters().items()}


def read_parameters():
    """The values of parameters.yaml by name, just as YAML reads them, or None if there is no such file."""
    if not PARAMETERS.exists():
        return None
    try:
        values = YAML(typ="safe").load(PARAMETERS.read_text(encoding="utf-8")) or {}
    # The errors themselves would repeat the line, and with it perhaps the secret.
    except DuplicateKeyError as error:
        raise Problem(f"{PARAMETERS.name}, line {error.problem_mark.line + 1}: the name is there twice.") from None
    except MarkedYAMLError as error:
        raise Problem(f"{PARAMETERS.name}, line {error.problem_mark.line + 1}: this is not NAME: 'value'.") from None
    except (ValueError, YAMLError):
        raise Problem(f"{PARAMETERS.name} is not text in UTF-8, or has a value without quotes that YAML refuses.") from None
    if not isinstance(values, dict):
        raise Problem(f"{PARAMETERS.name}: each line is NAME: 'value'.")
    return values


def write_parameters(present):
    """Makes parameters.yaml: each parameter with its description, and the values in `present`; the others as comments."""
    blocks = [textwrap.dedent("""\
        # The settings of this deployment, for `sam build` and `sam deploy`. After a change: sam build && sam deploy
        # A parameter that is not set here keeps the value that the stack has. Put each value in single quotes.
        # Git ignores this file, since it can have secrets.""")]
    for name, parameter in template_parameters().items():
        if name == COUNTED:
            continue
        comment = textwrap.fill(parameter["Description"], 118, initial_indent="# ", subsequent_indent="# ")
        value = present.get(name, str(parameter["Default"]))
        line = f"{name}: {quoted(value)}"
        blocks.append(f"{comment}\n{line if name in present else '# ' + line}")
    write_private("\n\n".join(blocks) + "\n")


def set_parameter(name, value):
    """Changes a value that parameters.yaml has; all else in the file stays as it is."""
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    document = yaml.load(PARAMETERS)
    document[name] = SingleQuotedScalarString(value)
    new = PARAMETERS.with_name("parameters.yaml.new")
    with open(new, "w", encoding="utf-8", opener=private) as file:
        yaml.dump(document, file)
    os.replace(new, PARAMETERS)


def quoted(value):
    return "'" + value.replace("'", "''") + "'"


def write_private(text):
    with open(PARAMETERS, "x", encoding="utf-8", opener=private) as file:
        file.write(text)


def private(path, flags):
    return os.open(path, flags, 0o600)


def read_samconfig():
    try:
        document = tomlkit.parse(SAMCONFIG.read_text(encoding="utf-8"))
    except TOMLKitError as error:
        raise Problem(f"{SAMCONFIG.name}: {error}") from None
    for environment in ENVIRONMENTS:
        for command in ("global", "build", "deploy"):
            if "parameters" not in document.get(environment, {}).get(command, {}):
                raise Problem(f"{SAMCONFIG.name} has no section [{environment}.{command}.parameters].")
        if "stack_name" not in document[environment]["global"]["parameters"]:
            raise Problem(f"{SAMCONFIG.name} has no stack_name in [{environment}.global.parameters].")
    return document


def target():
    """The stack's name, its region (or None) and the profile of AWS credentials (or None) in samconfig.toml."""
    # As `--config-env` of sam: what .github/workflows/ci.yml deploys with.
    environment = os.environ.get("SAM_ENVIRONMENT", "default")
    document = read_samconfig()[environment]["global"]["parameters"]
    return document["stack_name"], document.get("region"), document.get("profile")


def write_target(stack_name, region):
    """Writes where the stack is into samconfig.toml, and that `sam build` reads parameters.yaml from now on."""
    document = read_samconfig()
    for environment in ENVIRONMENTS:
        of_all = document[environment]["global"]["parameters"]
        of_all["stack_name"], of_all["region"] = stack_name, region
        document[environment]["deploy"]["parameters"]["s3_prefix"] = stack_name
        document[environment]["build"]["parameters"]["parameter_overrides"] = OVERRIDES
    SAMCONFIG.write_text(tomlkit.dumps(document), encoding="utf-8")
