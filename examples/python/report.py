"""A page for users who are logged in, behind the authorizer Visitor."""

from html import escape

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "content-type": "text/html; charset=utf-8",
    "x-content-type-options": "nosniff",
}
PAGE = """<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Report</title>
<main>
<h1>Report for {name}</h1>
<p>Your UUID at Globus: {sub}. <a href="/logout">Log out</a></p>
</main>
"""


def handler(event, context):
    user = event["requestContext"]["authorizer"]["lambda"]
    if "login" in user:
        return {"statusCode": 302, "headers": {**HEADERS, "location": user["login"]}}
    # Not everyone has a name. Without `sub` this is an error, and API Gateway responds with 500.
    body = PAGE.format(name=escape(user.get("name", "a user")), sub=escape(user["sub"]))
    return {"statusCode": 200, "headers": HEADERS, "body": body}
