"""The user's recent Globus Transfer tasks, behind the authorizer Visitor.

The function `token` gives the user's token for Globus Transfer. It is used here, and never sent to the browser.
"""

import json
import os
from html import escape
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "content-type": "text/html; charset=utf-8",
    "x-content-type-options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Transfers</title>
<main>
<h1>Your transfers</h1>
<p>Your UUID at Globus: {sub}.</p>
{content}
<p><a href="/logout">Log out</a></p>
</main>
"""
TASKS = "/v0.10/task_list?limit=10&orderby=request_time%20DESC&fields=label,request_time,status"
LAMBDA = boto3.client("lambda", config=Config(connect_timeout=2, read_timeout=9, retries={"total_max_attempts": 1}))


def redirect(location):
    return {"statusCode": 302, "headers": {**HEADERS, "location": location}}


def page(user, status, content):
    body = PAGE.format(sub=escape(user["sub"]), content=content)
    return {"statusCode": status, "headers": HEADERS, "body": body}


def token(event):
    question = {
        "cookies": event.get("cookies", []),
        "resource_server": "transfer.api.globus.org",
        # Where the browser comes back to, if the token has to be renewed.
        "next": event["stageVariables"]["BASE_PATH"] + "/transfers",
    }
    response = LAMBDA.invoke(FunctionName=os.environ["TOKEN_FUNCTION"], Payload=json.dumps(question))
    return json.load(response["Payload"])


def tasks(access_token):
    request = Request(os.environ["TRANSFER_URL"] + TASKS)
    # If Globus redirects to another host, the token does not go there.
    request.add_unredirected_header("authorization", f"Bearer {access_token}")
    with urlopen(request, timeout=5) as response:
        return json.load(response)["DATA"]


def row(task):
    # Without a label it is null. In <bdi>, letters of another direction leave their neighbours in place.
    shown = (task.get(field) or "-" for field in ("label", "status", "request_time"))
    return "<li>" + ", ".join(f"<bdi>{escape(text)}</bdi>" for text in shown) + "</li>"


def handler(event, context):
    user = event["requestContext"]["authorizer"]["lambda"]
    if "login" in user:
        return redirect(user["login"])
    if "sub" not in user:
        raise ValueError("The authorizer names no user.")
    answer = token(event)
    if "login" in answer:
        return redirect(answer["login"])
    if "error" in answer:
        return page(user, 502, f"<p>{escape(answer['message'])}</p>")
    try:
        found = tasks(answer["access_token"])
    except OSError as error:
        print(f"Globus Transfer: {error}")
        return page(user, 502, "<p>Globus Transfer does not list your transfers.</p>")
    return page(user, 200, "<ul>" + "".join(map(row, found)) + "</ul>")
