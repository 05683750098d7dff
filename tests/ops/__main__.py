"""`cargo ops`: what the operator of a deployment does beside `sam build` and `sam deploy`."""

import sys

import check
import configure
import keys
import sessions
import site_access
import smoke_test
from stack import problem_of

USAGE = """\
cargo ops configure             asks for the stack's name and region, and makes parameters.yaml, the file of its settings
cargo ops check                 checks that file, this machine and the AWS account, and lists what a deployment would change
cargo ops smoke-test            checks the site that is deployed; to be run after each deployment
cargo ops rotate-keys           replaces the session key step by step; no user is logged out
cargo ops replace-keys          replaces the session key at once; all users are logged out
cargo ops change-client-secret  gives the functions another client secret
cargo ops close-site            lets no function run any more: visitors get 503; sessions stay
cargo ops open-site             lets the functions run again
cargo ops end-sessions SUB      ends all sessions of the user with this UUID, if they are in a table"""

COMMANDS = {
    "configure": configure.run,
    "check": check.run,
    "smoke-test": smoke_test.run,
    "rotate-keys": keys.rotate,
    "replace-keys": keys.replace,
    "change-client-secret": keys.change_client_secret,
    "close-site": site_access.close_site,
    "open-site": site_access.open_site,
}


def main(arguments):
    match arguments:
        case _ if set(arguments) & {"help", "--help", "-h"}:
            print(USAGE)
        case [command] if command in COMMANDS:
            run(COMMANDS[command])
        case ["end-sessions", sub]:
            run(lambda: sessions.end(sub))
        case ["end-sessions"]:
            sys.exit("cargo ops end-sessions needs the UUID of the user, the `sub` of the log.")
        case []:
            sys.exit(USAGE)
        case _:
            sys.exit(f"`cargo ops {' '.join(arguments)}` is not a command. `cargo ops help` lists them.")


def run(command):
    try:
        command()
    except KeyboardInterrupt:
        sys.exit("\nStopped. The command can be run again.")
    except EOFError:
        sys.exit("\nThe input ended before the last question. Nothing more was done.")
    except Exception as error:
        sys.exit(problem_of(error))


main(sys.argv[1:])
