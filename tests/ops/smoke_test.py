"""`cargo ops smoke-test`: whether the site that is deployed can log users in, as far as a request from outside can tell."""

import http.client
import json
import urllib.parse

from files import Problem
from stack import Stack, hash_of

TIMEOUT_SECONDS = 15


def run():
    stack = Stack.configured()
    outputs, client_id = stack.outputs(), stack.settings()["GlobusClientId"]
    site = outputs.get("SiteUrl")
    if site is None:
        raise Problem(f"The stack has no address yet: it is in the state {stack.existing()['StackStatus']}.")
    works = True
    for good, text in findings(stack, site, outputs["RedirectUrl"], client_id):
        print(f"{'ok ' if good else '-- '} {text}", flush=True)
        works = works and good
    if not works:
        raise Problem("\nThe site does not work; docs/operations.md has what to do, by what you see.")
    print("\nThe site works, as far as requests from outside can tell. Log in once to see the rest.")


def findings(stack, site, redirect_url, client_id):
    """One after the other, so that what is found first is shown even if the site cannot be reached."""
    yield functions_agree(stack)
    yield home(site, bool(client_id))
    if client_id:
        yield login(site, redirect_url, client_id)


def functions_agree(stack):
    functions = stack.functions()
    for name, function in functions.items():
        state = (function.get("State", "Active"), function.get("LastUpdateStatus", "Successful"))
        if state != ("Active", "Successful"):
            return False, f"{name} is {state[0]}, its last update {state[1]}."
    disagreements = list(disagreements_of(stack.variables(functions), stack.functions_in_template()))
    if disagreements:
        return False, f"Was an update interrupted, or a function changed by hand? {' '.join(disagreements)}"
    return True, f"{len(functions)} functions are active, with the same settings and keys."


def disagreements_of(variables, template):
    """What functions have differently, so that one could not open the cookies of another, and what one of them lacks."""
    for name, has in variables.items():
        given = template.get(name, {}).get("Environment", {}).get("Variables", {})
        lacking = sorted(set(given) - set(has))
        if lacking:
            yield f"{name} lacks {', '.join(lacking)}."
    for variable in sorted(set().union(*variables.values())):
        values = {name: hash_of(has[variable]) for name, has in variables.items() if variable in has}
        # An authorizer has another mode than the other one, because the template says so.
        meant = {json.dumps(template.get(name, {}).get("Environment", {}).get("Variables", {}).get(variable)) for name in values}
        if len(set(values.values())) > len(meant):
            yield f"The functions have different values of {variable}: {values}"


def home(site, has_application):
    status, headers, body = get(site + "/")
    if status == 200:
        return True, f"{site}/ shows the home page."
    # The set-up page links to Globus; a site that is closed has no page at all.
    if status == 503 and not has_application and "app.globus.org/settings/developers" in body:
        return True, f"{site}/ shows the page that explains how to register an application."
    return False, f"{site}/ responds with status {status}: {summary(body)}"


def login(site, redirect_url, client_id):
    status, headers, body = get(site + "/login")
    if status not in (302, 303):
        return False, f"{site}/login responds with status {status}: {summary(body)}"
    address = urllib.parse.urlsplit(headers.get("location", ""))
    query = dict(urllib.parse.parse_qsl(address.query))
    if (query.get("client_id"), query.get("redirect_uri")) != (client_id, redirect_url):
        return False, f"{site}/login sends the browser to {address.netloc} with another client id or redirect URL."
    return True, f"{site}/login sends the browser to {address.netloc}, which must know the redirect URL {redirect_url}."


def get(url):
    """A page as a browser asks for it: the status, the headers and the text. A redirect is not followed."""
    address = urllib.parse.urlsplit(url)
    connections = {"https": http.client.HTTPSConnection, "http": http.client.HTTPConnection}
    connection = connections[address.scheme](address.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", address.path or "/", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read(65536).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Problem(f"{url} cannot be reached: {error}.") from None
    finally:
        connection.close()


def summary(body):
    """The headline of one of our pages, or the beginning of anything else."""
    if "<h1>" in body:
        return body.split("<h1>", 1)[1].split("</h1>", 1)[0].strip()
    return " ".join(body.split())[:80]
