"""What `sam deploy` and `cargo ops` need of AWS, on this machine: it keeps the parameters of stacks and the versions of
secrets, and records each call. Tests assert on the recorded calls.

What the functions have is computed as in tests/stack.py, with AWS's own translator, whenever a stack is updated. A secret
is read then if the revision has changed, as CloudFormation promises at the least.

Usage: fake_aws.py PORT STATE.json, until its input ends, where the state has `outputs` of the stack, `physical` names of resources that are
not as in the template, and `concurrency` of the account.
GET /recorded gives the calls; PUT /fail with a number lets that many updates of a stack fail, PUT /written with a time
gives it to secrets, PUT /running lets updates of a stack go on for ever, and PUT /variables/FUNCTION changes a function's variables
by hand: null removes one.
"""

import datetime
import json
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.sax.saxutils import escape

from samcli.yamlhelper import yaml_parse

sys.path.append(str(Path(__file__).resolve().parents[1]))
from stack import Resolver, functions, transformed

ACCOUNT = "123456789012"
BUCKET = "uploads-of-sam"
REVIEW = "REVIEW_IN_PROGRESS"
NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
MANAGED = {"aws-sam-cli-managed-default"}


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Aws:
    def __init__(self, state):
        self.outputs, self.concurrency = state.get("outputs", {}), state.get("concurrency", 1000)
        self.physical = state.get("physical", {})
        self.stacks, self.objects, self.recorded, self.secrets, self.to_fail = {}, {}, [], {}, 0
        # When a version was written can be set back by a test.
        self.written, self.runs_on = state.get("written"), False

    # Stacks

    def stack(self, name):
        name = name.split("/")[1] if name.startswith("arn:") else name
        if name not in self.stacks:
            raise Refused("ValidationError", f"Stack with id {name} does not exist")
        return self.stacks[name]

    def described(self, name):
        if name in MANAGED:
            tag = "<Tags><member><Key>ManagedStackSource</Key><Value>AwsSamCli</Value></member></Tags>"
            outputs = {"SourceBucket": BUCKET}
            return self.stack_xml(name, "CREATE_COMPLETE", {}, outputs, tag)
        stack = self.stack(name)
        secret = {name for name, one in stack["template"]["Parameters"].items() if one.get("NoEcho")}
        shown = {name: "****" if name in secret else value for name, value in stack["parameters"].items()}
        return self.stack_xml(stack["name"], stack["status"], shown, self.outputs, "")

    @staticmethod
    def stack_xml(name, status, parameters, outputs, more):
        def members(pairs, key, value):
            one = "<member><{0}>{2}</{0}><{1}>{3}</{1}></member>"
            return "".join(one.format(key, value, escape(k), escape(v)) for k, v in pairs.items())

        return (
            f"<Stacks><member><StackName>{name}</StackName><StackId>{arn(name)}</StackId>"
            f"<CreationTime>{now()}</CreationTime><StackStatus>{status}</StackStatus>"
            "<EnableTerminationProtection>false</EnableTerminationProtection>"
            f"<Parameters>{members(parameters, 'ParameterKey', 'ParameterValue')}</Parameters>"
            f"<Outputs>{members(outputs, 'OutputKey', 'OutputValue')}</Outputs>{more}</member></Stacks>"
        )

    def change(self, call):
        """What a change set or an update would make of a stack: its template and the values of its parameters."""
        name = call["StackName"]
        present = self.stacks.get(name, {"parameters": {}, "text": ""})
        text = present["text"]
        if "TemplateURL" in call:
            text = self.objects[urllib.parse.urlsplit(call["TemplateURL"]).path.split("/", 2)[2]]
        template = yaml_parse(text)
        values = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}
        for parameter in call["Parameters"]:
            key = parameter["ParameterKey"]
            if key not in values:
                raise Refused("ValidationError", f"Parameters: [{key}] do not exist in the template")
            values[key] = present["parameters"][key] if "UsePreviousValue" in parameter else parameter["ParameterValue"]
        return {"name": name, "text": text, "template": template, "parameters": values}

    def apply(self, new):
        old = self.stacks.get(new["name"])
        old = None if old is None or old["status"] == REVIEW else old
        if self.to_fail:
            self.to_fail -= 1
            old["status"] = "UPDATE_ROLLBACK_COMPLETE"
            return
        revised = old is None or old["parameters"]["SecretsRevision"] != new["parameters"]["SecretsRevision"]
        self.secrets.setdefault("SessionKeys", [("the-first-session-key-of-this-stack", self.written or now())])
        client_secret = new["parameters"]["GlobusClientSecret"]
        if client_secret not in ("", "none"):
            versions = self.secrets.setdefault("ClientSecret", [])
            if not versions or versions[-1][0] != client_secret:
                versions.append((client_secret, now()))
        # A secret that is new to the functions is a change of them.
        given = self.secrets_now() if revised else {**self.secrets_now(), **old["given"]}
        done = "UPDATE_IN_PROGRESS" if self.runs_on else "UPDATE_COMPLETE"
        new |= {"status": done if old else "CREATE_COMPLETE", "given": given}
        new |= self.computed(new)
        self.stacks[new["name"]] = new

    def secrets_now(self):
        return {name: versions[-1][0] for name, versions in self.secrets.items()}

    @staticmethod
    def computed(stack):
        """The functions of the stack, and its template as CloudFormation processes it."""
        names = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::Region": "us-east-1",
            "AWS::StackName": stack["name"],
            "AWS::URLSuffix": "amazonaws.com",
        }
        file = Path(sys.argv[2]).with_name("deployed.yaml")
        file.write_text(stack["text"], encoding="utf-8")
        given = {
            "template": str(file),
            "parameters": stack["parameters"],
            "names": names,
            "secrets": stack["given"],
        }
        resolver = Resolver(transformed(given["template"]), given)
        return {"functions": functions(resolver), "processed": resolver.template}

    # The calls of CloudFormation

    def describe_stacks(self, call):
        return self.described(call["StackName"])

    def create_change_set(self, call):
        self.pending = self.change(call)
        # CloudFormation makes a stack for its first change set, in which nothing is yet.
        self.stacks.setdefault(call["StackName"], {**self.pending, "status": REVIEW, "parameters": {}, "functions": {}})
        return f"<Id>{arn('change')}</Id><StackId>{arn(call['StackName'])}</StackId>"

    def describe_change_set(self, call):
        return "<Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes></Changes>"

    def execute_change_set(self, call):
        self.apply(self.pending)
        return ""

    def update_stack(self, call):
        self.apply(self.change(call))
        return f"<StackId>{arn(call['StackName'])}</StackId>"

    def describe_stack_events(self, call):
        stack = self.stack(call["StackName"])
        return (
            f"<StackEvents><member><EventId>{now()}</EventId><StackId>{arn(stack['name'])}</StackId>"
            f"<StackName>{stack['name']}</StackName><LogicalResourceId>{stack['name']}</LogicalResourceId>"
            f"<PhysicalResourceId>{arn(stack['name'])}</PhysicalResourceId>"
            f"<ResourceType>AWS::CloudFormation::Stack</ResourceType><Timestamp>{now()}</Timestamp>"
            f"<ResourceStatus>{stack['status']}</ResourceStatus></member></StackEvents>"
        )

    def describe_stack_resource(self, call):
        self.stack(call["StackName"])
        logical = call["LogicalResourceId"]
        return f"<StackResourceDetail>{resource(logical, 'any', self.physical.get(logical))}</StackResourceDetail>"

    def list_stack_resources(self, call):
        functions = self.stack(call["StackName"])["functions"]
        members = "".join(f"<member>{resource(name, 'AWS::Lambda::Function')}</member>" for name in functions)
        return f"<StackResourceSummaries>{members}</StackResourceSummaries>"

    def get_template(self, call):
        stack = self.stack(call["StackName"])
        text = json.dumps(stack["processed"]) if call.get("TemplateStage") == "Processed" else stack["text"]
        return f"<TemplateBody>{escape(text)}</TemplateBody>"

    def get_template_summary(self, call):
        names = self.stack(call["StackName"])["parameters"]
        members = "".join(f"<member><ParameterKey>{name}</ParameterKey></member>" for name in names)
        return f"<Parameters>{members}</Parameters>"

    def list_change_sets(self, call):
        return "<Summaries></Summaries>"

    def delete_stack(self, call):
        self.stacks.pop(call["StackName"], None)
        return ""

    def get_caller_identity(self, call):
        return f"<Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/operator</Arn><UserId>operator</UserId>"

    # Those of Secrets Manager

    def secret(self, target, call):
        versions = self.secrets[call["SecretId"]]
        if target == "PutSecretValue":
            versions.append((call["SecretString"], self.written or now()))
            return {}
        at = {"AWSCURRENT": -1, "AWSPREVIOUS": -2}[call.get("VersionStage", "AWSCURRENT")]
        if len(versions) < -at:
            raise Refused("ResourceNotFoundException", "There is no such version.")
        value, written = versions[at]
        seconds = datetime.datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc)
        return {"SecretString": value, "CreatedDate": seconds.timestamp()}

    def function(self, name):
        (function,) = [stack["functions"][name] for stack in self.stacks.values()]
        variables = function["variables"]
        return {"FunctionName": name, "State": "Active", "LastUpdateStatus": "Successful", "Environment": {"Variables": variables}}


def arn(name):
    return f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{name}/1"


def resource(name, kind, physical=None):
    return (
        f"<LogicalResourceId>{name}</LogicalResourceId><PhysicalResourceId>{physical or name}</PhysicalResourceId>"
        f"<ResourceType>{kind}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>"
        f"<LastUpdatedTimestamp>{now()}</LastUpdatedTimestamp>"
    )


def read_form(form):
    """A call in the query protocol, with its parameters of the stack as a list."""
    flat = dict(urllib.parse.parse_qsl(form, keep_blank_values=True))
    parameters = {}
    for name, value in flat.items():
        if name.startswith("Parameters.member."):
            _, _, number, key = name.split(".")
            parameters.setdefault(int(number), {})[key] = value
    call = {name: value for name, value in flat.items() if not name.startswith("Parameters.")}
    return {**call, "Parameters": [parameters[number] for number in sorted(parameters)]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, text, kind="text/xml"):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", '"0"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_POST(self):
        body = self.body().decode()
        target = self.headers.get("X-Amz-Target")
        try:
            if target:
                name = target.split(".")[1]
                call = json.loads(body)
                AWS.recorded.append({"Action": name, **call})
                return self.answer(200, json.dumps(AWS.secret(name, call)), "application/x-amz-json-1.1")
            call = read_form(body)
            AWS.recorded.append(call)
            action = call["Action"]
            method = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action).lstrip("_")
            result = getattr(AWS, method)(call)
            text = f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{result}</{action}Result></{action}Response>'
            self.answer(200, text)
        except Refused as refused:
            if target:
                text = json.dumps({"__type": refused.code, "message": str(refused)})
                return self.answer(400, text, "application/x-amz-json-1.1")
            self.answer(400, f"<ErrorResponse><Error><Code>{refused.code}</Code><Message>{refused}</Message></Error></ErrorResponse>")

    def do_PUT(self):
        body = self.body()
        path = urllib.parse.urlsplit(self.path).path
        if path == "/fail":
            AWS.to_fail = int(body)
        elif path == "/written":
            AWS.written = body.decode() or None
        elif path == "/running":
            AWS.runs_on = True
        elif path.startswith("/variables/"):
            (function,) = [stack["functions"][path.split("/")[2]] for stack in AWS.stacks.values()]
            changed = {**function["variables"], **json.loads(body)}
            function["variables"] = {name: value for name, value in changed.items() if value is not None}
        elif path.endswith("/concurrency"):
            AWS.recorded.append({"Action": "PutFunctionConcurrency", "function": path.split("/")[3], **json.loads(body)})
            return self.answer(200, body.decode(), "application/json")
        elif path.endswith(".template"):
            AWS.objects[path.split("/", 2)[2]] = body.decode()
        self.answer(200, "")

    def do_HEAD(self):
        # Nothing is there yet, so all is uploaded.
        self.answer(404 if self.path.count("/") > 1 else 200, "")

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        if path == "/recorded":
            return self.answer(200, json.dumps(AWS.recorded), "application/json")
        if path.endswith("/configuration"):
            name = path.split("/")[3]
            return self.answer(200, json.dumps(AWS.function(name)), "application/json")
        if "account-settings" in path:
            limits = {"AccountLimit": {"ConcurrentExecutions": AWS.concurrency}, "AccountUsage": {}}
            return self.answer(200, json.dumps(limits), "application/json")
        self.answer(200, "<ListBucketResult></ListBucketResult>")

    def do_DELETE(self):
        path = urllib.parse.urlsplit(self.path).path
        if path.endswith("/concurrency"):
            AWS.recorded.append({"Action": "DeleteFunctionConcurrency", "function": path.split("/")[3]})
        self.answer(204, "")

    def log_message(self, *_):
        pass


with open(sys.argv[2], encoding="utf-8") as given:
    AWS = Aws(json.load(given))
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
# It ends with the test.
sys.stdin.read()
