"""The session keys and the client secret: written to Secrets Manager, given to the functions, and compared there.

Each command looks at what is there and does what comes next, so each can be run again after a failure.
"""

import datetime
import secrets

from files import PARAMETERS, Problem, read_parameters, set_parameter
from stack import Stack, hash_of
from terminal import ask_secret, confirm, is_client_secret

KEY_BYTES = 32
# From a new version of a secret to the last function that has it.
TIME_OF_AN_UPDATE = datetime.timedelta(hours=1)


def new_key():
    return secrets.token_hex(KEY_BYTES)


class SecretOfFunctions:
    """A secret of the stack, and the variable by which the functions have its value."""

    def __init__(self, stack, logical_id, variable):
        self.stack, self.variable = stack, variable
        self.client = stack.aws.client("secretsmanager")
        self.id = stack.physical_id(logical_id)

    def value(self, stage="AWSCURRENT"):
        """The value of a version, or None if there is no such version."""
        try:
            return self.client.get_secret_value(SecretId=self.id, VersionStage=stage)["SecretString"]
        except self.client.exceptions.ResourceNotFoundException:
            return None

    def written(self):
        """When the present version was written."""
        return self.client.get_secret_value(SecretId=self.id)["CreatedDate"]

    def write(self, value):
        self.client.put_secret_value(SecretId=self.id, SecretString=value)

    def differs(self):
        """The functions that have another value than the secret has."""
        of_secret = hash_of(self.value())
        variables = self.stack.variables(self.stack.functions())
        of_functions = {name: has[self.variable] for name, has in variables.items() if self.variable in has}
        if not of_functions:
            raise Problem(f"No function has the variable {self.variable}. Deploy the stack first.")
        return sorted(name for name, value in of_functions.items() if hash_of(value) != of_secret)

    def give_to_functions(self, changed=None):
        """Updates the functions, and looks whether each now has the value of the secret."""
        self.stack.give_functions_new_secrets(changed)
        self.check()

    def check(self):
        old = self.differs()
        if old:
            raise Problem(
                f"{', '.join(old)}: {self.variable} is still the old value after the update. Run this command again."
            )
        print(f"Every function has the value of the secret (SHA-256 {hash_of(self.value())}...).")


def session_keys():
    return SecretOfFunctions(Stack.configured(), "SessionKeys", "SESSION_KEYS")


def rotate():
    """Adds a key, makes it the first, and removes the old one: the last step when no cookie needs the old one any more.

    Functions are updated one after the other, so each step is in all of them before the next: a cookie that one
    function has sealed can be opened by all.
    """
    secret = session_keys()
    secret.stack.require_changeable()
    if secret.differs():
        print("The functions do not have the present value of the secret: an earlier run was interrupted.")
        if len(keys_of(secret)) == 1:
            secret.give_to_functions()
            print("That run is complete now: every function has the one key.")
            return
        if not is_only_added(secret):
            # The time until the old key is removed counts from this update, by a new version of the same value.
            secret.write(secret.value())
        secret.give_to_functions()
    if len(keys_of(secret)) == 1:
        print("Step 1 of 3: a new key is added; the old one still encrypts.")
        secret.write(",".join([*keys_of(secret), new_key()]))
        secret.give_to_functions()
    if is_only_added(secret):
        print("Step 2 of 3: the new key encrypts; the old one still decrypts.")
        secret.write(",".join(reversed(keys_of(secret))))
        secret.give_to_functions()
    remove_when_due(secret)


def keys_of(secret):
    return secret.value().split(",")


def is_only_added(secret):
    """Whether the first of the keys is still the one that was alone before."""
    return len(keys_of(secret)) > 1 and secret.value("AWSPREVIOUS") == keys_of(secret)[0]


def remove_when_due(secret):
    longest = datetime.timedelta(hours=int(secret.stack.settings()["SessionMaxHours"]))
    due = secret.written().astimezone(datetime.timezone.utc) + longest + TIME_OF_AN_UPDATE
    if datetime.datetime.now(datetime.timezone.utc) < due:
        print(f"Step 3 of 3 removes the old key, which users' cookies need until {due:%Y-%m-%d %H:%M} UTC.")
        print("Run this command again after that time.")
        return
    print("Step 3 of 3: the old key is removed.")
    secret.write(keys_of(secret)[0])
    secret.give_to_functions()
    print("The key is replaced.")


def replace():
    """For a key that may be compromised."""
    secret = session_keys()
    secret.stack.require_changeable()
    confirm("All users of this site are logged out, and sign-ins in progress start again. Continue?")
    secret.write(new_key())
    secret.give_to_functions()
    print("The key is replaced. No cookie from before opens any more.")


def change_client_secret():
    """The stack's parameter, its secret and the functions' variable, and the file that the next deployment reads."""
    stack = Stack.configured()
    stack.require_changeable()
    in_file = "GlobusClientSecret" in (read_parameters() or {})
    if stack.settings()["GlobusClientId"] == "":
        raise Problem("The site has no Globus application yet: set both values in parameters.yaml and deploy.")
    print("Add a second client secret at https://app.globus.org/settings/developers.")
    value = ask_secret("The new client secret (not shown): ")
    if not is_client_secret(value):
        raise Problem("That is not a client secret of Globus. Nothing was changed.")
    if in_file:
        set_parameter("GlobusClientSecret", value)
        print(f"{PARAMETERS.name} has the new value.")
    else:
        print(f"{PARAMETERS.name} does not set it here. Change it wherever else it is kept, such as at GitHub.")
    stack.give_functions_new_secrets({"GlobusClientSecret": value})
    SecretOfFunctions(stack, "ClientSecret", "GLOBUS_CLIENT_SECRET").check()
    print("Log in once at the site. Then delete the old client secret at Globus.")
