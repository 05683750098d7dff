"""`cargo ops close-site` and `open-site`: whether the functions may run, without a deployment."""

from stack import Stack


def close_site():
    """Reserves no concurrency at all for each function. A deployment leaves that as it is."""
    functions, names = functions_of_the_stack()
    for name in names:
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    print("The site is closed: API Gateway responds with 503. `cargo ops open-site` opens it again.")


def open_site():
    """Takes the reservation away."""
    functions, names = functions_of_the_stack()
    for name in names:
        functions.delete_function_concurrency(FunctionName=name)
    print("The site is open.")


def functions_of_the_stack():
    stack = Stack.configured()
    return stack.aws.client("lambda"), [one["FunctionName"] for one in stack.functions().values()]
