"""`cargo ops configure`: writes down where the stack is and its settings, before the first deployment."""

import os

from files import (
    PARAMETERS,
    READ_BY_BUILD,
    ROOT,
    SAMCONFIG,
    Problem,
    defaults,
    target,
    template_parameters,
    write_parameters,
    write_target,
)
from stack import Stack, session
from terminal import ask, ask_secret, is_client_secret

HIDDEN = "GlobusClientSecret"


def run():
    if PARAMETERS.exists():
        raise Problem(
            f"{PARAMETERS.name} is there already: edit it, then run `sam build` and `sam deploy`. The stack's name and"
            f" region are in {SAMCONFIG.name}."
        )
    # Before the questions, and before one file is written and the other cannot be.
    for path in (ROOT, SAMCONFIG):
        if not os.access(path, os.W_OK):
            raise Problem(f"{path} cannot be written to, so nothing was changed.")
    name, region, profile = target()
    name = ask("Stack name", name, r"[A-Za-z][A-Za-z0-9-]{0,127}", "letters, digits and hyphens, with a letter first")
    region = region or session(profile=profile).region_name or "us-east-1"
    region = ask("AWS region", region, r"[a-z]+(-[a-z]+)+-\d+", "a region such as eu-central-1")
    stack = Stack(name, session(region, profile))
    present = settings_of(stack) if stack.describe() else settings_of_new()
    # The second file last: a run that ends before it can be repeated.
    write_target(name, region)
    write_parameters(present)
    print(f"\nWritten: {SAMCONFIG.name} (commit it) and {PARAMETERS.name} (git ignores it; only you can read it).")
    print("Next: sam build && sam deploy")


def settings_of(stack):
    """What the stack has that the template would not give it."""
    print(f"The stack {stack.name} exists; its present settings are taken.")
    default, present = defaults(), stack.parameters()
    # CloudFormation does not tell a secret. The stack keeps it.
    hidden = {name for name, parameter in template_parameters().items() if parameter.get("NoEcho")}
    kept = {name: value for name, value in present.items() if name in default and name not in hidden}
    return {**of_build(), **{name: value for name, value in kept.items() if value != default[name]}}


def settings_of_new():
    print("A new stack. If your application at Globus is not registered yet, press Enter: the site will say how.")
    uuid = r"([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?"
    client_id = ask("Client UUID of your application at Globus", "", uuid, "a UUID")
    secret = ask_secret("Client secret (not shown): ") if client_id else ""
    if client_id and not is_client_secret(secret):
        raise Problem("That is not a client secret of Globus. Nothing was written.")
    return {"GlobusClientId": client_id, HIDDEN: secret, **of_build()}


def of_build():
    return {name: defaults()[name] for name in READ_BY_BUILD}
