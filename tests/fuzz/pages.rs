//! Any event to the functions that show pages: the response is one that API Gateway can send, and noise is no user.

use std::ops::AsyncFn;

use kit::tools;
use lambda_http::{Body, Request, Response, aws_lambda_events::apigw::ApiGatewayV2httpResponse};
use serde_json::Value;
use shared::{
    App, Function, Result, Timestamp,
    config::{Environment, Reading},
    testing::{Event, Log, REQUEST_ID, Received, event_text, function, noon, session},
};

use crate::harness::{Target, has};

/// The sites that get each event: at the top of a host, below a path, without an address of its own, behind a proxy.
const SITES: [&[(&str, &str)]; 4] = [
    &[],
    &[("BASE_URL", "https://gateway.example/portal")],
    &[("BASE_URL", ""), ("AWS_REGION", "us-east-1")],
    &[("ORIGIN_SECRET", ORIGIN_SECRET)],
];

const ORIGIN_SECRET: &str = "an-origin-secret-of-at-least-32-characters";

/// Globus and its services are not there.
const CLOSED: &str = "http://127.0.0.1:9";

/// What is in no log, whatever is in the event: all secrets of these tests have it in their names.
pub(crate) const CANARY: &str = "canary";

/// Globus's stand-in can be late, and so can a port without a service, if the machine has much else to do.
pub(crate) const SLOW: [&str; 2] = ["globus_timeout", "service_timeout"];

#[test]
fn events_to_home() {
    fuzz("home", 2_000, App::read, &home::handle, &[]);
}

#[test]
fn events_to_login() {
    fuzz("login", 2_000, |env| login::read(App::read(env), env), &login::handle, &[]);
}

#[test]
fn events_to_logout() {
    fuzz("logout", 2_000, |env| App::with_globus(App::read(env), env), &logout::handle, &[]);
}

/// Its page needs Globus Transfer, which is not there.
#[test]
fn events_to_tasks() {
    let read = |env: &Environment<'_>| tasks::Transfer::beside(App::read(env), env);
    fuzz("tasks", 2_000, read, &tasks::handle, &["service_unreachable"]);
}

/// `failures` are the reasons in the log for which a response may have a status of 500 or more.
fn fuzz<S>(
    name: &'static str,
    executions: u32,
    read: impl Fn(&Environment<'_>) -> Reading<S>,
    handle: &impl AsyncFn(&S, &Request, Timestamp) -> Result<Response<Body>>,
    failures: &[&str],
) {
    let runtime = runtime();
    let closed = ["GLOBUS_AUTH_URL", "TRANSFER_URL", "GROUPS_URL"].map(|name| (name, CLOSED));
    let sites = SITES.map(|pairs| function(&[pairs, &closed].concat(), &read));
    let sealed = runtime.block_on(sealed_session(&closed));
    let target = Target::new(name, &[("{{session}}", &sealed), ("{{origin secret}}", ORIGIN_SECRET)]);
    target.with(&tools::root().join("events"), name).run(executions, |event| {
        let text = event_text(event);
        let mut comes_far = false;
        for (site, pairs) in sites.iter().zip(SITES) {
            let log = Log::listen();
            let response = runtime.block_on(site.respond(handle, &text, REQUEST_ID, noon()));
            let page = check(response, &log, failures);
            check_secrets(&page, &log, &sealed);
            check_location(&page);
            let is_stopped = pairs.contains(&("ORIGIN_SECRET", ORIGIN_SECRET)) && !has(event, ORIGIN_SECRET);
            assert!(!is_stopped || matches!(page.status, 400 | 403), "round the proxy: {page:?}");
            let names_user = page.body.contains("Grace Hopper") || page.body.contains("grace@gateway.example");
            assert!(!names_user || has(event, &sealed), "a page of a user: {page:?}");
            // To the page of a user, to Globus, or to the service that a page needs.
            comes_far |= names_user || page.location().starts_with(CLOSED) || page.status >= 500;
        }
        comes_far
    });
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The value of the cookie of a session that began at noon, at a site with these settings.
pub(crate) async fn sealed_session(pairs: &[(&str, &str)]) -> String {
    let app: Function<App> = function(pairs, App::read);
    let created = app.state.unwrap().storage.create(&Event::get("/").request(), &session(noon()), noon()).await;
    created.unwrap().cookie.value().to_owned()
}

/// Checks that API Gateway can send a response, and that a failure is one of these.
pub(crate) fn check(response: ApiGatewayV2httpResponse, log: &Log, failures: &[&str]) -> Received {
    check_form(&serde_json::to_value(&response).unwrap());
    let page = Received::from(response);
    assert!((200..600).contains(&page.status), "{page:?}");
    page.assert_protected();
    // Below the limit of API Gateway, 10,240 bytes, and far below that of Lambda, 6 MB.
    let head: usize = page.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(head + page.cookies.concat().len() < 10_000 && page.body.len() < 100_000, "{page:?}");
    assert!(page.cookies.iter().all(|cookie| cookie.starts_with("__Host-")), "{page:?}");
    let text = log.text();
    let is_typed = failures.iter().chain(&SLOW).any(|reason| text.contains(&format!("reason=\"{reason}\"")));
    assert!(page.status < 500 || is_typed, "{}: {text}", page.status);
    page
}

/// The format of API Gateway, payload 2.0.
fn check_form(response: &Value) {
    let is_without_body = response["statusCode"] == 204 && response["body"].is_null();
    assert!(response["statusCode"].is_u64() && (response["body"].is_string() || is_without_body), "{response}");
    assert_eq!(response["isBase64Encoded"], false, "{response}");
    assert!(response["multiValueHeaders"].as_object().is_none_or(serde_json::Map::is_empty), "{response}");
    for (name, value) in response["headers"].as_object().unwrap() {
        assert!(name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{name}");
        assert!(value.as_str().unwrap().bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {value}");
    }
    assert!(response["cookies"].as_array().unwrap().iter().all(Value::is_string), "{response}");
}

/// No event signs a user in, and what is in a session is nowhere else.
fn check_secrets(page: &Received, log: &Log, sealed: &str) {
    assert!(!begins_session(page), "{page:?}");
    log.assert_lacks([CANARY, sealed, ORIGIN_SECRET]);
    // What is in the event itself can be a part of its path, and so of a link.
    let response = format!("{page:?}");
    for secret in ["access-canary", "refresh-canary"] {
        assert!(!response.contains(secret), "{secret} in {response}");
    }
}

/// Whether a response begins a session: it sets the cookie, and does not remove it.
pub(crate) fn begins_session(page: &Received) -> bool {
    let sets = |cookie: &String| cookie.starts_with("__Host-session") && !cookie.contains("Max-Age=0");
    page.cookies.iter().any(sets)
}

/// A redirect leads to this site, or to Globus with its usual parameters.
fn check_location(page: &Received) {
    let Some(location) = page.headers.get("location") else { return };
    let is_path = location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
    let own = ["https://gateway.example/", "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/"];
    let to_globus = format!("{CLOSED}/v2/oauth2/authorize?response_type=code&client_id=");
    let is_known = own.iter().any(|own| location.starts_with(own)) || location.starts_with(&to_globus);
    assert!(is_path || is_known, "{location}");
}
