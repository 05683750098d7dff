"""Checks that Globus's own Python SDK works with the stand-in.

The stand-in and the application have the same authors and could share a mistake. The SDK comes from Globus: what it can
use has the formats of Globus Auth.

    pip install globus-sdk==4.10.0
    python globus_sdk_check.py URL CLIENT_ID CLIENT_SECRET REDIRECT_URI

Exits with 0 if every check passes. Otherwise it prints the first check that fails, and exits with 1.
"""

import sys
import time
from urllib.parse import parse_qs, urlsplit

import globus_sdk
import requests
from jwt.exceptions import InvalidSignatureError

OPENID = ["openid", "profile", "email"]
TRANSFER = "urn:globus:auth:scope:transfer.api.globus.org:all"
STATE = "a-state-of-this-check"


def expect(holds, sentence):
    if not holds:
        sys.exit(f"globus_sdk_check: {sentence}")


def sign_in(client, redirect_uri):
    """Presses a user's button on the sign-in page, and redeems the code from the callback."""
    client.oauth2_start_flow(redirect_uri, [*OPENID, TRANSFER], state=STATE, refresh_tokens=True)
    authorize = client.oauth2_get_authorize_url()
    page = requests.get(authorize, timeout=10)
    expect(page.status_code == 200, f"the sign-in page has status {page.status_code}")
    query = urlsplit(authorize).query
    answer = requests.post(
        f"{client.base_url}/sign-in?{query}", data={"person": "ada"}, timeout=10, allow_redirects=False
    )
    callback = answer.headers.get("Location", "")
    expect(callback.startswith(redirect_uri), f"the user is sent to {callback!r}")
    returned = parse_qs(urlsplit(callback).query)
    expect(returned.get("state") == [STATE], "the state does not come back")
    return client.oauth2_exchange_code_for_tokens(returned["code"][0])


def check_tokens(tokens):
    by_server = tokens.by_resource_server
    servers = {"auth.globus.org", "transfer.api.globus.org"}
    expect(set(by_server) == servers, f"the tokens are for {set(by_server)}")
    for server, token in by_server.items():
        left = token["expires_at_seconds"] - time.time()
        expect(172_700 < left <= 172_801, f"the token of {server} does not last 48 hours")
        expect(token["refresh_token"], f"there is no refresh token for {server}")
    auth = by_server["auth.globus.org"]
    expect(set(auth["scope"].split()) == set(OPENID), f"the scopes of auth.globus.org are {auth['scope']}")
    expect(tokens.by_scopes[TRANSFER]["resource_server"] == "transfer.api.globus.org", "a scope has another token")


def check_id_token(client, tokens):
    claims = tokens.decode_id_token()
    expect(claims["iss"] == client.base_url.rstrip("/"), f"the issuer is {claims['iss']}")
    expect(claims["preferred_username"] == "ada@uchicago.example", "the ID token names another user")
    message, signature = tokens["id_token"].rsplit(".", 1)
    try:
        globus_sdk.IDTokenDecoder(client).decode(f"{message}.{'A' * len(signature)}")
    except InvalidSignatureError:
        return claims["sub"]
    sys.exit("globus_sdk_check: an ID token with another signature is accepted")


def check_userinfo(client, access_token, sub):
    authorizer = globus_sdk.AccessTokenAuthorizer(access_token)
    with_token = globus_sdk.AuthClient(base_url=client.base_url, authorizer=authorizer)
    info = with_token.userinfo()
    expect(info["sub"] == sub, "userinfo and the ID token name different users")
    return with_token


def check_refresh(client, transfer):
    renewed = client.oauth2_refresh_token(transfer["refresh_token"]).by_resource_server
    expect(set(renewed) == {"transfer.api.globus.org"}, f"a refresh gives tokens for {set(renewed)}")
    new = renewed["transfer.api.globus.org"]
    expect(new["access_token"] != transfer["access_token"], "a refresh gives the old access token")
    expect(new["refresh_token"] == transfer["refresh_token"], "a refresh does not echo the refresh token")


def check_revocation(client, with_token, auth):
    token = auth["access_token"]
    about = client.oauth2_token_introspect(token)
    expect(about["active"] is True, "a fresh token is not active")
    expect(about["client_id"] == client.client_id, "introspection names another client")
    expect(client.oauth2_revoke_token(token)["active"] is False, "revocation says that the token is active")
    expect(client.oauth2_token_introspect(token)["active"] is False, "introspection says that the token is active")
    error = refusal(with_token.userinfo)
    expect(error is not None, "userinfo takes a revoked token")
    expect(error.http_status == 401, f"userinfo refuses a revoked token with {error.http_status}")
    expect(error.code == "UNAUTHORIZED" and error.request_id, f"the SDK cannot read the error {error.text}")


def check_dead_refresh_token(client, refresh_token):
    client.oauth2_revoke_token(refresh_token)
    error = refusal(lambda: client.oauth2_refresh_token(refresh_token))
    expect(error is not None, "a revoked refresh token gives tokens")
    expect(error.http_status == 400, f"a revoked refresh token is refused with {error.http_status}")
    expect(error.raw_json == {"error": "invalid_grant"}, f"a revoked refresh token is refused with {error.text}")


def refusal(call):
    """The error that the SDK raises for the response, or None if it raises none."""
    try:
        call()
    except globus_sdk.AuthAPIError as error:
        return error
    return None


def main(url, client_id, client_secret, redirect_uri):
    client = globus_sdk.ConfidentialAppAuthClient(client_id, client_secret, base_url=url)
    tokens = sign_in(client, redirect_uri)
    check_tokens(tokens)
    auth = tokens.by_resource_server["auth.globus.org"]
    transfer = tokens.by_resource_server["transfer.api.globus.org"]
    sub = check_id_token(client, tokens)
    with_token = check_userinfo(client, auth["access_token"], sub)
    check_refresh(client, transfer)
    check_revocation(client, with_token, auth)
    check_dead_refresh_token(client, transfer["refresh_token"])


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: globus_sdk_check.py URL CLIENT_ID CLIENT_SECRET REDIRECT_URI")
    try:
        main(*sys.argv[1:])
    except globus_sdk.GlobusAPIError as error:
        sys.exit(f"globus_sdk_check: the stand-in refused a request that it should accept: {error}")
