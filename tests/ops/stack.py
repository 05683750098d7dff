"""The stack in AWS: its parameters, outputs and functions, and an update that changes a parameter and no code."""

import hashlib

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    WaiterError,
)

from files import COUNTED, Problem, defaults, target

CHANGES_ARE_DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}


def problem_of(error):
    """What an exception means to the operator, without the values of a request."""
    if isinstance(error, Problem):
        return str(error)
    if isinstance(error, (NoCredentialsError, ProfileNotFound)):
        return f"{error}. Run `aws configure`, or set AWS_PROFILE to one of your profiles."
    if isinstance(error, NoRegionError):
        return "No region is set: run `cargo ops configure` first."
    if isinstance(error, EndpointConnectionError):
        return f"{error} Is the region in samconfig.toml one of AWS's?"
    if isinstance(error, ClientError):
        fault = error.response["Error"]
        expired = " Log in to AWS again, for example with `aws sso login`." if "Expired" in fault.get("Code", "") else ""
        return f"AWS refused {error.operation_name}: {fault.get('Code')}: {fault.get('Message')}{expired}"
    if isinstance(error, (BotoCoreError, OSError)):
        return f"{error}"
    raise error


def session(region=None, profile=None):
    return boto3.Session(region_name=region, profile_name=profile)


def hash_of(value):
    """What may be compared and printed of a secret."""
    return hashlib.sha256((value or "").encode()).hexdigest()[:12]


class Stack:
    """A stack by its name. Nothing is read before it is asked for."""

    def __init__(self, name, aws):
        self.name, self.aws, self.described = name, aws, None
        self.cloudformation = aws.client("cloudformation")

    @classmethod
    def configured(cls):
        """The stack that samconfig.toml names."""
        name, region, profile = target()
        return cls(name, session(region, profile))

    def describe(self):
        """The stack, or None if there is none of this name. What was read counts until an update."""
        if self.described is None:
            self.described = self.read()
        return self.described

    def read(self):
        try:
            found = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
            # Of a first deployment that was not confirmed, only this is left.
            return None if found["StackStatus"] == "REVIEW_IN_PROGRESS" else found
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    def existing(self):
        found = self.describe()
        if found is None:
            region = self.aws.region_name
            raise Problem(f"There is no stack {self.name} in {region}. samconfig.toml says which stack is meant.")
        if not any(one["ParameterKey"] == COUNTED for one in found.get("Parameters", [])):
            raise Problem(f"The stack {self.name} is not one of this template. samconfig.toml says which stack is meant.")
        return found

    def parameters(self):
        """The present values by name. CloudFormation shows those of secrets as asterisks."""
        return {one["ParameterKey"]: one["ParameterValue"] for one in self.existing().get("Parameters", [])}

    def settings(self):
        """The same, with the defaults of the template for those that an older stack does not have."""
        return {**defaults(), **self.parameters()}

    def outputs(self):
        return {one["OutputKey"]: one["OutputValue"] for one in self.existing().get("Outputs", [])}

    def physical_id(self, logical_id):
        self.existing()
        found = self.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def functions(self):
        """The configuration of each Lambda function by its name in the template."""
        self.existing()
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        resources = [one for page in pages for one in page["StackResourceSummaries"]]
        functions = self.aws.client("lambda")
        return {
            one["LogicalResourceId"]: functions.get_function_configuration(FunctionName=one["PhysicalResourceId"])
            for one in resources
            if one["ResourceType"] == "AWS::Lambda::Function" and one["ResourceStatus"] != "DELETE_COMPLETE"
        }

    def functions_in_template(self):
        """What the template that is deployed, not the one of this checkout, says of each function, by its name there."""
        self.existing()
        template = self.cloudformation.get_template(StackName=self.name, TemplateStage="Processed")["TemplateBody"]
        resources = template["Resources"].items()
        return {name: one["Properties"] for name, one in resources if one["Type"] == "AWS::Lambda::Function"}

    def give_functions_new_secrets(self, changed=None):
        """Updates the functions with the template that is deployed, so that no code of this checkout is.

        CloudFormation reads a secret when it updates the resource that has it: a higher revision, which every function
        with a secret has, makes it do so. `changed` has other parameters to change, by name.
        """
        self.require_changeable()
        present = self.parameters()
        new = {**(changed or {}), COUNTED: str(int(present[COUNTED]) + 1)}
        parameters = [
            {"ParameterKey": name, "ParameterValue": new[name]}
            if name in new
            else {"ParameterKey": name, "UsePreviousValue": True}
            for name in present
        ]
        print(f"Updating the functions of {self.name} ({COUNTED} {new[COUNTED]}) ...", flush=True)
        # The template has SAM's transform, which is the capability beside the one for roles.
        self.cloudformation.update_stack(
            StackName=self.name,
            UsePreviousTemplate=True,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self.described = None
        self.wait_for_update()

    def require_changeable(self):
        """Refuses a stack that is being changed, or that a failure has left half changed."""
        state = self.existing()["StackStatus"]
        if state not in CHANGES_ARE_DONE:
            raise Problem(f"The stack is in the state {state}. Wait or repair it, then run this again. Nothing was changed.")

    def wait_for_update(self):
        try:
            waiter = self.cloudformation.get_waiter("stack_update_complete")
            waiter.wait(StackName=self.name, WaiterConfig={"Delay": 5, "MaxAttempts": 240})
        except WaiterError:
            state = self.existing()["StackStatus"]
            if state.endswith("IN_PROGRESS"):
                raise Problem(
                    f"The update is still running: the stack is in the state {state}. Wait until the CloudFormation console"
                    " says that it has ended. Then run this command again: it goes on where it was."
                ) from None
            raise Problem(
                f"The update did not succeed: the stack is in the state {state}. The stack's events in the"
                " CloudFormation console say why. Then run this command again: it goes on where it was."
            ) from None

    @staticmethod
    def variables(functions):
        """The variables of each of these functions, by its name in the template."""
        found = {}
        for function, configuration in functions.items():
            environment = configuration.get("Environment", {})
            if "Error" in environment:
                code = environment["Error"].get("ErrorCode")
                raise Problem(
                    f"The variables of {function} cannot be read ({code}): they are encrypted with EnvironmentKeyArn,"
                    " and you need the permission kms:Decrypt for that key."
                )
            found[function] = environment.get("Variables", {})
        return found
