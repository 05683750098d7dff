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
GROUPS = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"
STATE = "a-state-of-this-check"
# Policies of the stand-in: a second factor, and an identity of lab.example.
MFA, OF_THE_LAB = "90110000-0001-4e31-92d7-7ad4c1b05e01", "90110000-0002-4e32-93d8-7be5d2c16f02"


def expect(holds, sentence):
    if not holds:
        sys.exit(f"globus_sdk_check: {sentence}")


def sign_in(client, redirect_uri, person, scopes, **required):
    """Presses a user's button on the sign-in page, and redeems the code from the callback."""
    client.oauth2_start_flow(redirect_uri, [*OPENID, *scopes], state=STATE, refresh_tokens=True)
    authorize = client.oauth2_get_authorize_url(**required)
    page = requests.get(authorize, timeout=10)
    expect(page.status_code == 200, f"the sign-in page has status {page.status_code}")
    query = urlsplit(authorize).query
    answer = requests.post(
        f"{client.base_url}/sign-in?{query}", data={"person": person}, timeout=10, allow_redirects=False
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


def check_session(client, redirect_uri):
    """A required domain makes the user log in with the linked identity. Then the session has it, and its groups."""
    required = {"session_required_single_domain": ["other.example", "lab.example"], "prompt": "login"}
    tokens = sign_in(client, redirect_uri, "member-linked", [GROUPS], **required).by_resource_server
    about = client.oauth2_token_introspect(
        tokens["auth.globus.org"]["access_token"], include="session_info,identity_set_detail"
    )
    identities = {identity["sub"]: identity for identity in about["identity_set_detail"]}
    (sub,) = about["session_info"]["authentications"]
    expect(identities[sub]["username"] == "kathleen@lab.example", f"the session has {identities[sub]}")
    expect(about["username"] == "kathleen@globusid.example", f"the token is of {about['username']}")
    check_policies(client, tokens["auth.globus.org"]["access_token"])
    check_groups(tokens, sub, client.base_url)


def check_policies(client, access_token):
    """The SDK has no parameter for policies. Its users send the request like this."""
    form = {"token": access_token, "authentication_policies": f"{MFA},{OF_THE_LAB}"}
    about = client.post("/v2/oauth2/token/introspect", data=form, encoding="form")
    evaluations = {policy: of["evaluation"] for policy, of in about["policy_evaluations"].items()}
    expect(evaluations == {MFA: False, OF_THE_LAB: True}, f"the policies are {evaluations}")


def check_groups(tokens, sub, url):
    for query in ({}, {"statuses": "active"}, {"statuses": ["active", "invited"]}):
        groups = groups_client(tokens["groups.api.globus.org"], url).get_my_groups(**query)
        memberships = [membership for group in groups for membership in group["my_memberships"]]
        expect([membership["identity_id"] for membership in memberships] == [sub], f"{query} lists {memberships}")
    error = refusal(groups_client(tokens["auth.globus.org"], url).get_my_groups)
    expect(error is not None, "Groups takes a token of another service")
    expect((error.http_status, error.code) == (401, "INVALID_TOKEN"), f"Groups refuses a token with {error.text}")


def groups_client(token, url):
    authorizer = globus_sdk.AccessTokenAuthorizer(token["access_token"])
    return globus_sdk.GroupsClient(base_url=url, authorizer=authorizer)


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
    except globus_sdk.GlobusAPIError as error:
        return error
    return None


def main(url, client_id, client_secret, redirect_uri):
    client = globus_sdk.ConfidentialAppAuthClient(client_id, client_secret, base_url=url)
    tokens = sign_in(client, redirect_uri, "ada", [TRANSFER])
    check_tokens(tokens)
    auth = tokens.by_resource_server["auth.globus.org"]
    transfer = tokens.by_resource_server["transfer.api.globus.org"]
    sub = check_id_token(client, tokens)
    with_token = check_userinfo(client, auth["access_token"], sub)
    check_refresh(client, transfer)
    check_session(client, redirect_uri)
    check_revocation(client, with_token, auth)
    check_dead_refresh_token(client, transfer["refresh_token"])


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: globus_sdk_check.py URL CLIENT_ID CLIENT_SECRET REDIRECT_URI")
    try:
        main(*sys.argv[1:])
    except globus_sdk.GlobusAPIError as error:
        sys.exit(f"globus_sdk_check: the stand-in refused a request that it should accept: {error}")
