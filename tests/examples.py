"""Prints, as JSON, what CloudFormation would create of the API in front of the examples.

The argument is as `tests/stack.py` takes it.
"""

import json
import re
import sys

from stack import Resolver, of_type, parsed, transformed


def authorizers(api):
    """The authorizers, each with the function that it asks."""
    found = {}
    for name, scheme in api["components"]["securitySchemes"].items():
        authorizer = scheme["x-amazon-apigateway-authorizer"]
        function = re.search(r"functions/(.+)/invocations", authorizer.pop("authorizerUri"))[1]
        found[name] = {**authorizer, "function": function}
    return found


def routes(api, source):
    """The routes, each with the file of its function, the name of the function in it, and the authorizers."""
    found = {}
    for path, methods in api["paths"].items():
        for method, route in methods.items():
            function = re.search(r"functions/physical-(\w+)\.Arn/", route["x-amazon-apigateway-integration"]["uri"])[1]
            properties = source["Resources"][function]["Properties"]
            file, handler = properties["Handler"].split(".")
            found[f"{method.upper()} {path}"] = {
                "authorizers": [name for scheme in route.get("security", []) for name in scheme],
                "file": properties["CodeUri"] + file,
                "handler": handler,
                "runtime": properties["Runtime"],
            }
    return found


def permissions(resolver):
    """What API Gateway may call, each with the paths for which it may."""
    found = of_type(resolver, "AWS::Lambda::Permission").values()
    return {one["FunctionName"]: one["SourceArn"].split("/", 1)[1] for one in found}


def wiring(nested, source):
    """What the application of both stacks says of this one: the parameters that it gives, and where they come from."""
    own = nested["Resources"]["Examples"]["Properties"]
    needed = [name for name, parameter in source["Parameters"].items() if "Default" not in parameter]
    asked = [value["Fn::GetAtt"][1] for value in own["Parameters"].values() if "Fn::GetAtt" in value]
    return {"asked": sorted(asked), "given": sorted(own["Parameters"]), "needed": sorted(needed)}


def main():
    given = json.loads(sys.argv[1])
    source = parsed(given["template"])
    resolver = Resolver(transformed(given["template"]), given)
    (api,) = of_type(resolver, "AWS::ApiGatewayV2::Api").values()
    (stage,) = of_type(resolver, "AWS::ApiGatewayV2::Stage").values()
    (mapping,) = of_type(resolver, "AWS::ApiGatewayV2::ApiMapping").values()
    functions = of_type(resolver, "AWS::Lambda::Function")
    print(json.dumps({
        "authorizers": authorizers(api["Body"]),
        "default_authorizer": source["Resources"]["Api"]["Properties"]["Auth"]["DefaultAuthorizer"],
        "endpoint": api["Body"]["servers"],
        "limits": stage["DefaultRouteSettings"],
        "logs": list(of_type(resolver, "AWS::Logs::LogGroup").values()),
        "mapping": mapping,
        "permissions": permissions(resolver),
        "policies": {name: one["ManagedPolicyArns"][1:] for name, one in of_type(resolver, "AWS::IAM::Role").items()},
        "routes": routes(api["Body"], source),
        "stage_variables": stage["StageVariables"],
        "variables": {name: one["Environment"]["Variables"] for name, one in functions.items() if "Environment" in one},
        "wiring": wiring(parsed("examples/nested.yaml"), source),
    }))


if __name__ == "__main__":
    main()
