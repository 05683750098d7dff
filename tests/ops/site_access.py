"""`cargo ops close-site` and `open-site`: whether the functions may run, without a deployment."""

from files import Problem
from stack import Stack


def close_site():
    """Reserves no concurrency at all for each function. A deployment leaves that as it is."""
    stack = Stack.configured()
    client = stack.aws.client("lambda")
    for function in stack.functions().values():
        client.put_function_concurrency(FunctionName=function["FunctionName"], ReservedConcurrentExecutions=0)
    print("The site is closed: API Gateway responds with 503. `cargo ops open-site` opens it again.")


def open_site():
    """Gives each function back what the template reserves for it: nothing, unless somebody has added it there."""
    stack = Stack.configured()
    client, template, unknown = stack.aws.client("lambda"), stack.functions_in_template(), []
    for name, function in stack.functions().items():
        reserved = template.get(name, {}).get("ReservedConcurrentExecutions")
        if reserved is None:
            client.delete_function_concurrency(FunctionName=function["FunctionName"])
        elif isinstance(reserved, int):
            client.put_function_concurrency(FunctionName=function["FunctionName"], ReservedConcurrentExecutions=reserved)
        else:
            unknown.append(function["FunctionName"])
    if unknown:
        raise Problem(
            f"Still closed: {', '.join(unknown)}. The template computes what it reserves for them, which this command"
            " cannot. For each: aws lambda put-function-concurrency --function-name NAME --reserved-concurrent-executions NUMBER"
        )
    print("The site is open.")
