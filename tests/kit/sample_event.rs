//! A sample event of a user who is logged in. It cannot be a file: the cookie in it is sealed with this clone's own key,
//! and ends with the session.

use std::fs;

use serde_json::{Value, json};
use url::Url;

use crate::{
    Result,
    http::{self, Response},
    tools,
};

/// The user of the stand-in who logs in.
const PERSON: &str = "ada";

/// Logs a user in at the app on this port of the machine, through its stand-in for Globus Auth, and puts the session
/// cookie into the event of a visitor of the home page.
pub fn signed_in(port: u16) -> Result<Value> {
    let begun = send(port, "GET", "/login", "", "")?;
    let authorize = Url::parse(begun.header("location")).map_err(|_| failed(&begun))?;
    let stand_in = authorize.port().filter(|_| authorize.host_str() == Some("127.0.0.1"));
    let stand_in =
        stand_in.ok_or("Log-in is at Globus itself. Only the stand-in can log a user in without a browser.")?;

    let chosen = format!("/sign-in?{}", authorize.query().unwrap_or_default());
    let callback = send(stand_in, "POST", &chosen, "", &format!("person={PERSON}"))?;
    let callback = Url::parse(callback.header("location")).map_err(|_| failed(&callback))?;
    let path = format!("{}?{}", callback.path(), callback.query().unwrap_or_default());
    let completed = send(port, "GET", &path, &cookies(&begun).join("; "), "")?;
    let session = cookies(&completed);
    if session.is_empty() {
        return Err(failed(&completed));
    }

    let sample = tools::root().join("events/home-signed-out.json");
    let sample = fs::read_to_string(&sample).map_err(|error| format!("{} is not read: {error}.", sample.display()))?;
    let mut event: Value = serde_json::from_str(&sample).map_err(|error| format!("The sample event: {error}."))?;
    event["cookies"] = json!(session);
    Ok(event)
}

fn failed(response: &Response) -> String {
    format!("The log-in fails: a response has status {}. The terminal of `cargo dev` says why.", response.status)
}

/// As a browser does that opens a page.
fn send(port: u16, method: &str, path: &str, cookies: &str, form: &str) -> Result<Response> {
    let mut headers = vec![("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    headers.extend([("cookie", cookies)].into_iter().filter(|(_, value)| !value.is_empty()));
    http::send(port, method, path, &headers, form)
        .map_err(|error| format!("The app at port {port} does not respond ({error}). Start it with `cargo dev`."))
}

/// The cookies that a response sets, without those that it removes.
fn cookies(response: &Response) -> Vec<String> {
    let set = response.headers.iter().filter(|(name, _)| name == "set-cookie");
    let pairs = set.filter_map(|(_, cookie)| cookie.split(';').next()?.split_once('='));
    pairs.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}")).collect()
}
