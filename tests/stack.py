"""Prints, as JSON, what CloudFormation would create from the template with the given parameters.

The argument is a JSON object with the template's file, the parameters that differ from their defaults, the names that
CloudFormation would choose (of resources and pseudo parameters) and the values of secrets. AWS's own translator turns
the SAM resources into CloudFormation resources. References are resolved here, since otherwise only CloudFormation
itself does that.
"""

import json
import os
import re
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

DYNAMIC = re.compile(r"\{\{resolve:secretsmanager:(.+?):SecretString\}\}")
NOTHING = object()


class ManagedPolicies:
    def load(self):
        name = "AWSLambdaBasicExecutionRole"
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}"}


def is_allowed(constraints, value):
    """Whether CloudFormation accepts this value of a parameter."""
    if value not in [str(one) for one in constraints.get("AllowedValues", [value])]:
        return False
    if constraints["Type"] == "Number":
        least, most = (float(constraints.get(name, none)) for name, none in (("MinValue", "-inf"), ("MaxValue", "inf")))
        return bool(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value)) and least <= float(value) <= most
    pattern = constraints.get("AllowedPattern")
    matches = pattern is None or re.fullmatch(pattern, value, re.ASCII)
    return bool(matches) and len(value) <= int(constraints.get("MaxLength", len(value)))


class Resolver:
    def __init__(self, template, given):
        self.template = template
        self.secrets = given["secrets"]
        self.values = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}
        unknown = set(given["parameters"]) - set(self.values)
        if unknown:
            sys.exit(f"The template has no such parameters: {sorted(unknown)}")
        self.values.update(given["parameters"])
        self.names = dict(given["names"])
        refused = self.refused(given["parameters"])
        if refused:
            sys.exit(f"CloudFormation refuses these parameters: {refused}")

    def refused(self, parameters):
        """What CloudFormation refuses before it changes anything, in the template's own words."""
        needed = [name for name, one in self.template["Parameters"].items() if "Default" not in one]
        found = [f"{name} has no value." for name in needed if name not in parameters]
        for name, value in parameters.items():
            constraints = self.template["Parameters"][name]
            if not is_allowed(constraints, value):
                found.append(constraints.get("ConstraintDescription", f"{name} cannot be {value!r}."))
        for rule in self.template.get("Rules", {}).values():
            if self.holds(rule["RuleCondition"]):
                wrong = [one for one in rule["Assertions"] if not self.holds(one["Assert"])]
                found += [one["AssertDescription"] for one in wrong]
        return found

    def exists(self, resource):
        condition = self.template["Resources"][resource].get("Condition")
        return condition is None or self.condition(condition)

    def condition(self, name):
        return self.holds(self.template["Conditions"][name])

    def holds(self, test):
        ((operator, operands),) = test.items()
        if operator == "Condition":
            return self.condition(operands)
        if operator == "Fn::Equals":
            one, other = map(self.resolve, operands)
            return one == other
        held = [self.holds(operand) for operand in operands]
        return {"Fn::Not": lambda: not held[0], "Fn::And": lambda: all(held), "Fn::Or": lambda: any(held)}[operator]()

    def resolve(self, value):
        if isinstance(value, list):
            resolved = [self.resolve(item) for item in value]
            return [item for item in resolved if item is not NOTHING]
        if isinstance(value, dict):
            if len(value) == 1:
                ((name, argument),) = value.items()
                if name == "Ref" or name.startswith("Fn::"):
                    return self.function(name, argument)
            resolved = {key: self.resolve(item) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not NOTHING}
        return value

    def function(self, name, argument):
        if name == "Ref":
            return self.ref(argument)
        if name == "Fn::If":
            condition, yes, no = argument
            return self.resolve(yes if self.condition(condition) else no)
        if name == "Fn::GetAtt":
            resource, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
            return self.attribute(resource, attribute)
        if name == "Fn::Sub":
            return self.sub(argument)
        if name == "Fn::FindInMap":
            table, row, column = map(self.resolve, argument)
            return self.template["Mappings"][table][row][column]
        if name == "Fn::Join":
            separator, parts = argument
            return separator.join(self.resolve(parts))
        sys.exit(f"{name} is not known here: teach tests/stack.py to resolve it.")

    def ref(self, name):
        if name == "AWS::NoValue":
            return NOTHING
        if name in self.values:
            return self.values[name]
        if name in self.template["Resources"] and not self.exists(name):
            sys.exit(f"A reference to {name}, which the stack does not have under its condition.")
        if name in self.names:
            return self.names[name]
        if name in self.template["Resources"]:
            return f"physical-{name}"
        sys.exit(f"A reference to {name}, which is not there.")

    def attribute(self, resource, attribute):
        return f"{self.ref(resource)}.{attribute}"

    def sub(self, argument):
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def value(match):
            name = match[1]
            if name in own:
                return str(self.resolve(own[name]))
            if "." in name:
                return self.attribute(*name.split(".", 1))
            return str(self.ref(name))

        return re.sub(r"\$\{([^!}][^}]*)\}", value, text)

    def secret(self, match):
        for resource, value in self.secrets.items():
            if self.exists(resource) and match[1] == self.ref(resource):
                return self.resolve(value)
        sys.exit(f"A secret that the stack does not make: {match[1]}")

    def variables(self, variables):
        resolved = {name: str(value) for name, value in self.resolve(variables).items()}
        return {name: DYNAMIC.sub(self.secret, value) for name, value in resolved.items()}


def actions(resolver, role):
    statements = []
    for policy in resolver.resolve(role["Properties"].get("Policies", [])):
        statements += policy["PolicyDocument"]["Statement"]
    allowed = {}
    for statement in statements:
        if statement["Effect"] != "Allow":
            sys.exit(f"A statement that does not allow: {statement}")
        names = statement["Action"]
        for action in [names] if isinstance(names, str) else names:
            allowed.setdefault(statement["Resource"], []).append(action)
    return allowed


def of_type(resolver, kind):
    """The resources of that type, by their names in the template, with their properties."""
    return {
        name: resolver.resolve(resource["Properties"])
        for name, resource in resolver.template["Resources"].items()
        if resource["Type"] == kind and resolver.exists(name)
    }


def resources(resolver):
    """Each resource of the stack, with its type and its policies."""
    found = resolver.template["Resources"].items()
    # What is said for cfn-lint and checkov is no part of the stack.
    plain = {name: {key: one for key, one in resource.items() if key != "Metadata"} for name, resource in found}
    return {name: resolver.resolve(resource) for name, resource in plain.items() if resolver.exists(name)}


def functions(resolver):
    found = {}
    for name, resource in resolver.template["Resources"].items():
        if resource["Type"] != "AWS::Lambda::Function" or not resolver.exists(name):
            continue
        properties = resource["Properties"]
        role = properties["Role"]["Fn::GetAtt"][0]
        found[name] = {
            "actions": actions(resolver, resolver.template["Resources"][role]),
            "log_format": properties["LoggingConfig"]["LogFormat"],
            "memory": properties["MemorySize"],
            # Without one, Lambda gives a function up after three seconds.
            "timeout": properties.get("Timeout", 3),
            "variables": resolver.variables(properties["Environment"]["Variables"]),
        }
    return found


def routes(resolver):
    (api,) = of_type(resolver, "AWS::ApiGatewayV2::Api").values()
    found = []
    for path, methods in api["Body"]["paths"].items():
        for method, route in methods.items():
            integration = route["x-amazon-apigateway-integration"]
            uri = integration["uri"]
            found.append({
                "function": re.search(r"functions/physical-(\w+)\.Arn/", uri)[1],
                "method": "ANY" if method == "x-amazon-apigateway-any-method" else method.upper(),
                "path": path,
                "payload": integration["payloadFormatVersion"],
                "authorizers": [name for security in route.get("security", []) for name in security],
            })
    return found


def authorizers(resolver):
    """What the API asks before it lets a request through, by the names that routes use."""
    (api,) = of_type(resolver, "AWS::ApiGatewayV2::Api").values()
    schemes = api["Body"].get("components", {}).get("securitySchemes", {})
    return {name: scheme["x-amazon-apigateway-authorizer"] for name, scheme in schemes.items()}


def throttles(resolver):
    """The requests a second that each route takes; `*` is for the routes without a limit of their own."""
    (stage,) = of_type(resolver, "AWS::ApiGatewayV2::Stage").values()
    settings = {"*": stage["DefaultRouteSettings"], **stage["RouteSettings"]}
    return {route: limits["ThrottlingRateLimit"] for route, limits in settings.items()}


def invokable(resolver):
    """The functions that API Gateway may call, each with its path or, for an authorizer, `authorizers`."""
    found = []
    for permission in of_type(resolver, "AWS::Lambda::Permission").values():
        # arn:partition:execute-api:region:account:api/stage/method/path, or api/authorizers/id
        _, stage, path = permission["SourceArn"].split(":", 5)[5].split("/", 2)
        function = permission["FunctionName"].removeprefix("physical-").removesuffix(".Arn")
        found.append({"function": function, "path": stage if stage == "authorizers" else path})
    return found


def metrics(resolver):
    """The metrics that are counted from the log, and the dashboard, which is JSON in a string."""
    filters = of_type(resolver, "AWS::Logs::MetricFilter").values()
    counted = [metric["MetricName"] for found in filters for metric in found["MetricTransformations"]]
    (dashboard,) = of_type(resolver, "AWS::CloudWatch::Dashboard").values()
    return {"counted": counted, "dashboard": json.loads(dashboard["DashboardBody"])}


def outputs(resolver):
    found = resolver.template["Outputs"].items()
    shown = {name: one for name, one in found if "Condition" not in one or resolver.condition(one["Condition"])}
    return {name: resolver.resolve(one["Value"]) for name, one in shown.items()}


def parsed(path):
    """The template in that file."""
    with open(path, encoding="utf-8") as file:
        return yaml_parse(file.read())


def transformed(path):
    """The same, as CloudFormation gets it from SAM."""
    template = parsed(path)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # `sam package` would put the S3 address of the built code here.
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return transform(template, {}, ManagedPolicies())


def main():
    given = json.loads(sys.argv[1])
    resolver = Resolver(transformed(given["template"]), given)
    print(json.dumps({
        "authorizers": authorizers(resolver),
        "alarms": of_type(resolver, "AWS::CloudWatch::Alarm"),
        "functions": functions(resolver),
        "invokable": invokable(resolver),
        "metrics": metrics(resolver),
        "outputs": outputs(resolver),
        "policies": of_type(resolver, "AWS::IAM::ManagedPolicy"),
        "processed": resolver.template,
        "resources": resources(resolver),
        "roles": of_type(resolver, "AWS::IAM::Role"),
        "routes": routes(resolver),
        "tables": of_type(resolver, "AWS::DynamoDB::Table"),
        "throttles": throttles(resolver),
    }))


if __name__ == "__main__":
    main()
