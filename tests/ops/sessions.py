"""`cargo ops end-sessions`: ends every session of one user, in the table."""

import re

from boto3.dynamodb.conditions import Key

from files import Problem
from stack import Stack


def end(sub):
    """`sub` is the user's UUID, as in the log. A session that begins meanwhile may stay: run it until it finds none."""
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", sub):
        raise Problem(f"{sub!r} is not a UUID as in the log.")
    stack = Stack.configured()
    if stack.settings()["TokenStorage"] != "dynamodb":
        raise Problem("Sessions are in cookies: only those of all users can be ended, by `cargo ops replace-keys`.")
    table = stack.aws.resource("dynamodb").Table(stack.physical_id("TokenTable"))
    query = {"KeyConditionExpression": Key("sub").eq(sub), "ProjectionExpression": "#sub, session_id"}
    query |= {"ExpressionAttributeNames": {"#sub": "sub"}, "ConsistentRead": True}
    ended = 0
    for page in table.meta.client.get_paginator("query").paginate(TableName=table.name, **query):
        for key in page["Items"]:
            table.delete_item(Key=key)
            ended += 1
    print(f"Ended: {ended} sessions of {sub}.")
