"""Who is logged in, as JSON, behind the authorizer SignedIn.

Without a session this is not reached: API Gateway responds with 401 or 403.
"""

import json

HEADERS = {"cache-control": "no-store", "content-type": "application/json", "x-content-type-options": "nosniff"}


def handler(event, context):
    user = event["requestContext"]["authorizer"]["lambda"]
    body = {"sub": user["sub"], "username": user.get("username"), "name": user.get("name")}
    return {"statusCode": 200, "headers": HEADERS, "body": json.dumps(body)}
