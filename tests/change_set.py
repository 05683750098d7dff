"""Prints, as JSON, what an update would change, from the template and parameters before it to those after it.

The argument is a JSON object with `before` and `after`, each as `tests/stack.py` takes it. CloudFormation would say the
same in a change set. Which properties make it replace a resource is in the schemas of the resource types, which
cfn-lint has.
"""

import json
import sys

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from stack import Resolver, transformed


def fixed(kind):
    """The properties that cannot be changed in a resource of that type, each as a list of names."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    pointers = schema.get("createOnlyProperties", []) + schema.get("conditionalCreateOnlyProperties", [])
    return [pointer.split("/")[2:] for pointer in pointers]


def at(value, path):
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def differences(one, other, path=""):
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(set(one) | set(other))
        return [found for name in names for found in differences(one.get(name), other.get(name), f"{path}.{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [found for number, pair in enumerate(zip(one, other)) for found in differences(*pair, f"{path}.{number}")]
    return [] if one == other else [path.removeprefix(".")]


def resources(resolver):
    return {
        name: (resource, resolver.resolve(resource.get("Properties", {})))
        for name, resource in resolver.template["Resources"].items()
        if resolver.exists(name)
    }


def replaced(before, after):
    """The resources that are replaced, each with the properties that make it so. What refers to one of them gets another
    name there, and may have to be replaced as well."""
    found = {}
    while True:
        old, new = resources(before), resources(after)
        because = {}
        for name in set(old) & set(new):
            (was, properties), (becomes, others) = old[name], new[name]
            paths = fixed(becomes["Type"])
            changed = [".".join(path) for path in paths if at(properties, path) != at(others, path)]
            if was["Type"] != becomes["Type"]:
                changed = ["Type"]
            if changed:
                because[name] = changed
        if because == found:
            return found
        found = because
        for name in found:
            after.names[name] = f"replaced-{name}"


def main():
    given = json.loads(sys.argv[1])
    before, after = (Resolver(transformed(one["template"]), one) for one in (given["before"], given["after"]))
    new_ones = replaced(before, after)
    old, new = resources(before), resources(after)
    changes = {
        name: differences(old[name][1], new[name][1])
        for name in set(old) & set(new) - set(new_ones)
    }
    print(json.dumps({
        "added": sorted(set(new) - set(old)),
        # A resource that is taken out of a template is dealt with as the template says that it is taken out of.
        "removed": {name: old[name][0].get("DeletionPolicy", "Delete") for name in set(old) - set(new)},
        "replaced": {
            name: {"because": because, "policy": new[name][0].get("UpdateReplacePolicy", "Delete")}
            for name, because in new_ones.items()
        },
        "changed": {name: paths for name, paths in changes.items() if paths},
    }))


main()
