"""`cargo ops check`: the settings of the deployment, this machine, and the account, before a deployment."""

import re
import shutil
import stat
import subprocess

from samcli.cli.types import _unquote_wrapped_quotes as as_sam_reads

from files import (
    COUNTED,
    ENVIRONMENTS,
    OVERRIDES,
    PARAMETERS,
    READ_BY_BUILD,
    ROOT,
    Problem,
    defaults,
    read_parameters,
    read_samconfig,
    target,
    template_parameters,
)
from stack import CHANGES_ARE_DONE, Stack, hash_of, problem_of, session

# From this version on, `sam build` builds Rust without a flag for beta features.
SAM_NEEDED = (1, 156)
# The API takes 100 requests a second, each a few milliseconds of a function; new accounts start with 10.
CONCURRENCY_WANTED = 100
MARKS = {True: "ok ", False: "-- ", None: "!! "}
SCOPE = r"[\x21\x23-\x5b\x5d-\x7e]+"


def run():
    findings = [*of_files(), *of_machine(), *of_account()]
    for good, text in findings:
        print(f"{MARKS[good]} {text}")
    if any(good is False for good, _ in findings):
        raise Problem("\nThe lines above that begin with -- say what to do before you deploy.")
    print("\nReady for `sam build && sam deploy`.")


def of_files():
    parameters = read_parameters()
    if parameters is None:
        yield False, f"There is no {PARAMETERS.name}: run `cargo ops configure`."
        return
    problems = [*problems_of(parameters, template_parameters()), *problems_of_file(), *problems_of_samconfig()]
    yield from ((False, problem) for problem in problems)
    if not problems:
        yield True, f"{PARAMETERS.name} sets {len(parameters)} parameters, and `sam build` and `sam deploy` read it."


def problems_of(parameters, template):
    """What is wrong with the values of parameters.yaml. None of them is repeated: it may be the secret."""
    for name, value in parameters.items():
        if name == COUNTED:
            yield f"{name}: leave it out; the commands that change a secret count it up in the stack."
        elif name not in template:
            yield f"{name}: the template has no such parameter."
        elif not isinstance(value, str):
            yield f"{name}: put the value in single quotes; SAM would change it."
        elif as_sam_reads(value) != value:
            yield f"{name}: SAM would take away its outer quotes, or a backslash before a quote or a blank."
        else:
            yield from problems_of_value(name, value, template[name])
    if parameters.get("GlobusClientId") and parameters.get("GlobusClientSecret") in ("", "none"):
        yield "GlobusClientSecret is empty: leave the line out, and the stack keeps the secret that it has."
    for name in READ_BY_BUILD:
        if name not in parameters:
            yield f"{name} is missing: `sam build` would take the template's default, whatever the stack has."


def problems_of_value(name, value, parameter):
    allowed = [str(one) for one in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        yield f"{name}: it must be one of {', '.join(allowed)}."
    if not re.fullmatch(parameter.get("AllowedPattern", ".*"), value):
        yield parameter.get("ConstraintDescription", f"{name} does not fit its AllowedPattern in the template.")
    if parameter["Type"] == "Number" and not re.fullmatch(r"[1-9]\d{0,8}", value):
        yield f"{name}: it must be a whole number, 1 or more."
    if len(value) > parameter.get("MaxLength", 4096):
        yield f"{name}: it has more than {parameter.get('MaxLength', 4096)} characters."
    if name == "GlobusScopes" and value and not all(re.fullmatch(SCOPE, scope) for scope in value.split(" ")):
        yield f"{name}: scopes are separated by single spaces."


def problems_of_file():
    if stat.S_IMODE(PARAMETERS.stat().st_mode) & 0o077:
        yield f"{PARAMETERS.name} can be read by other users of this machine: chmod 600 {PARAMETERS.name}"
    tracked = subprocess.run(
        ["git", "ls-files", "--error-unmatch", PARAMETERS.name], cwd=ROOT, capture_output=True, check=False
    )
    if tracked.returncode == 0:
        yield f"git tracks {PARAMETERS.name}: git rm --cached {PARAMETERS.name}, and change the client secret."


def problems_of_samconfig():
    document = read_samconfig()
    for environment in ENVIRONMENTS:
        for command in ("build", "deploy"):
            if document[environment][command]["parameters"].get("parameter_overrides") != OVERRIDES:
                yield f"samconfig.toml: parameter_overrides of [{environment}.{command}.parameters] must be {OVERRIDES}."


def of_machine():
    yield sam()
    found = shutil.which("cargo-lambda")
    yield bool(found), "cargo-lambda is there." if found else "cargo-lambda is missing: pip install cargo-lambda"


def sam():
    if not shutil.which("sam"):
        return False, "The AWS SAM CLI is missing: pip install aws-sam-cli"
    said = subprocess.run(["sam", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"(\d+)\.(\d+)\.\d+", said)
    if version and (int(version[1]), int(version[2])) >= SAM_NEEDED:
        return True, f"The AWS SAM CLI {version[0]} is there."
    return False, f"The AWS SAM CLI is too old ({said.strip()}): {'.'.join(map(str, SAM_NEEDED))}.0 or later is needed."


def of_account():
    name, region, profile = target()
    try:
        aws = session(region, profile)
        account = aws.client("sts").get_caller_identity()["Account"]
        yield True, f"The credentials are those of account {account}; the region is {aws.region_name}."
        yield concurrency(aws)
        yield from of_stack(Stack(name, aws))
    except Exception as error:
        yield False, problem_of(error)


def concurrency(aws):
    limit = aws.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if limit >= CONCURRENCY_WANTED:
        return True, f"The account allows {limit} concurrent executions of functions in this region."
    # Enough to try the site.
    return None, (
        f"The account allows {limit} concurrent executions of functions in this region, and requests beyond them fail."
        f" Before users come, ask for more in Service Quotas (Lambda, Concurrent executions); {CONCURRENCY_WANTED} fit the API's limits."
    )


def of_stack(stack):
    """What a deployment would meet: the values of the file, and those of the stack for what the file does not name."""
    found, in_file, template = stack.describe(), read_parameters() or {}, template_parameters()
    settings = {**(stack.settings() if found else defaults()), **in_file}
    if settings["DomainName"] and not (settings["CertificateArn"] or settings["HostedZoneId"]):
        yield False, "DomainName needs CertificateArn, HostedZoneId, or both."
    if found is None:
        yield True, f"The stack {stack.name} does not exist yet: `sam deploy` creates it."
    elif found["StackStatus"] not in CHANGES_ARE_DONE:
        yield False, f"The stack {stack.name} is in the state {found['StackStatus']}: wait, or repair it first."
    else:
        shown = {name: value for name, value in in_file.items() if name in template and not template[name].get("NoEcho")}
        yield changes(stack, shown)
        if in_file.get("GlobusClientSecret") not in (None, "", "none"):
            yield client_secret(stack, in_file["GlobusClientSecret"])


def changes(stack, shown):
    present = stack.parameters()
    differing = [
        f"{name} {present.get(name, '(new)')!r} -> {value!r}"
        for name, value in shown.items()
        if present.get(name) != value
    ]
    if not differing:
        return True, f"The stack {stack.name} has these settings already (of the secrets, only the client secret is compared)."
    return True, f"The stack {stack.name} would change: {'; '.join(differing)}"


def client_secret(stack, in_file):
    """A deployment would give functions the one in the file, also if somebody else has changed it since. Neither is shown."""
    variables = stack.variables(stack.functions()).values()
    of_functions = {hash_of(has["GLOBUS_CLIENT_SECRET"]) for has in variables if has.get("GLOBUS_CLIENT_SECRET")}
    if not of_functions:
        return True, "The site has no client secret yet: a deployment gives it the one in the file."
    if of_functions == {hash_of(str(in_file))}:
        return True, f"The client secret in {PARAMETERS.name} is the one that the site has."
    return False, (
        f"The client secret in {PARAMETERS.name} is not the one that the site has, and a deployment would replace the site's."
        " If the site's is right, delete the line GlobusClientSecret: the stack keeps its own."
        " If the one in the file is right, run `cargo ops change-client-secret`."
    )
