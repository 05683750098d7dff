"""Questions to the operator. Each also takes its answer from a pipe."""

import getpass
import re
import sys

from files import Problem


def ask(question, default, pattern, expected):
    """Asks until the answer fits the pattern; Enter takes the default."""
    while True:
        answer = input(f"{question} [{default}]: ").strip() or default
        if re.fullmatch(pattern, answer):
            return answer
        print(f"This must be {expected}.")


def ask_secret(prompt):
    """Without echo at a terminal."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt).strip()
    return input().strip()


def confirm(question):
    """Ends the command unless the answer is y."""
    if input(f"{question} [y/N] ").strip().lower() != "y":
        raise Problem("Nothing was changed.")


def is_client_secret(text):
    """Whether it may be one: not empty, without blanks, and not the word that stands for none."""
    return text not in ("", "none") and not re.search(r"\s", text)
