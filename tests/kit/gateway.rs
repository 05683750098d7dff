//! API Gateway's part, in front of functions under `cargo lambda watch`: TLS, and events that have every cookie.
//!
//! `cargo lambda watch` has TLS of its own, but leaves all cookies of a request out of the event if one is not ASCII. So
//! an attack by such a cookie would never reach a function, and a test of it could not fail.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::{
    Result,
    http::{self, Request, Response},
    https,
    programs::PAGES,
};

/// Every event so far, in order.
type Events = Arc<Mutex<Vec<Value>>>;

/// The gateway to the functions.
#[derive(Debug)]
pub struct Gateway {
    events: Events,
}

impl Gateway {
    /// One on this port, for functions that take events on another one.
    pub(crate) fn start(port: u16, functions: u16) -> Result<Self> {
        let events = Events::default();
        let sent = Arc::clone(&events);
        https::serve(port, move |request| {
            let event = event(request);
            sent.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
            invoke(functions, &event).unwrap_or_else(bad_gateway)
        })?;
        Ok(Self { events })
    }

    /// The cookies in the last event for a path, such as `name=value`.
    pub fn last_cookies(&self, path: &str) -> Vec<String> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let last = events.iter().rfind(|event| event["rawPath"] == path);
        let cookies = last.and_then(|event| event["cookies"].as_array()).into_iter().flatten();
        cookies.map(text).collect()
    }
}

/// The event of a request.
///
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
pub(crate) fn event(request: &Request) -> Value {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let (cookies, headers): (Vec<_>, Vec<_>) = request.headers.iter().partition(|(name, _)| name == "cookie");
    let cookies: Vec<_> = cookies.iter().flat_map(|(_, value)| value.split("; ")).collect();
    let headers: Value = headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "cookies": cookies,
        "headers": headers,
        "requestContext": {
            "domainName": request.header("host"),
            "http": { "method": request.method, "path": path },
            "stage": "$default",
        },
        "body": request.body,
        "isBase64Encoded": false,
    })
}

/// Sends the event to the function that has its path, or else to home.
fn invoke(functions: u16, event: &Value) -> Result<Response> {
    let path = text(&event["rawPath"]);
    let function = PAGES.iter().find(|name| path.strip_prefix('/') == Some(**name)).unwrap_or(&"home");
    let invocations = format!("/2015-03-31/functions/{function}/invocations");
    let response = http::send(functions, "POST", &invocations, &[], &event.to_string());
    let body = response.map_err(|error| format!("{function} does not respond: {error}."))?.body;
    let result: Value = serde_json::from_str(&body).map_err(|error| format!("{function}: {error}: {body}"))?;
    let headers = result["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| (name.clone(), text(value)));
    let cookies = result["cookies"].as_array().into_iter().flatten();
    let cookies = cookies.map(|cookie| ("set-cookie".to_owned(), text(cookie)));
    let status = result["statusCode"].as_u64().and_then(|status| status.try_into().ok());
    let status = status.ok_or_else(|| format!("{function} has no status: {body}"))?;
    Ok(Response { status, headers: headers.chain(cookies).collect(), body: text(&result["body"]) })
}

fn bad_gateway(sentence: String) -> Response {
    Response { status: 502, body: sentence, ..Response::default() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
