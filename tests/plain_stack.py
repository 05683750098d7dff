"""Prints, as JSON, the resources that CloudFormation would create from a template without SAM.

The argument is as `tests/stack.py` takes it.
"""

import json
import sys

from samcli.yamlhelper import yaml_parse
from stack import Resolver, resources


def main():
    given = json.loads(sys.argv[1])
    with open(given["template"], encoding="utf-8") as file:
        template = yaml_parse(file.read())
    print(json.dumps(resources(Resolver(template, given))))


if __name__ == "__main__":
    main()
