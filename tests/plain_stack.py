"""Prints, as JSON, the resources that CloudFormation would create from a template without SAM.

The argument is as `tests/stack.py` takes it.
"""

import json
import sys

from stack import Resolver, parsed, resources


def main():
    given = json.loads(sys.argv[1])
    print(json.dumps(resources(Resolver(parsed(given["template"]), given))))


if __name__ == "__main__":
    main()
