use lambda_http::http::StatusCode;
use serde_json::{Value, json};

use super::*;

mod proxy;
mod table;

fn event(change: Value) -> String {
    let mut event = json!({
        "version": "2.0",
        "rawPath": "/login",
        "rawQueryString": "",
        "headers": { "host": "example.org" },
        "requestContext": { "http": { "method": "GET" }, "domainName": "example.org", "apiId": "a1b2" },
        "isBase64Encoded": false
    });
    if let (Some(event), Value::Object(change)) = (event.as_object_mut(), change) {
        event.extend(change);
    }
    event.to_string()
}

fn cookies(request: &Request) -> Vec<&[u8]> {
    request.headers().get_all("cookie").iter().map(HeaderValue::as_bytes).collect()
}

fn request(event: &str) -> Result<Request, Error> {
    super::request(event, &Site::default())
}

#[track_caller]
fn assert_refused(event: &str, reason: &str) {
    assert_eq!(request(event).unwrap_err().row().reason.as_str(), reason);
}

#[test]
fn method_path_and_query_arrive_as_they_were_sent() {
    let request = request(&event(json!({ "rawQueryString": "next=%2Fa%26b&x=1&x=2" }))).unwrap();

    assert_eq!((request.method().as_str(), request.uri().path()), ("GET", "/login"));
    let query = request.query_string_parameters();
    assert_eq!(query.first("next"), Some("/a&b"));
    assert_eq!(query.all("x"), Some(vec!["1", "2"]));
}

#[test]
fn a_handler_sees_paths_without_the_stage_and_the_base() {
    let path = |raw_path: &str, stage: &str, base_url: &str| {
        let site = Site { base_url: Address::parse(base_url), ..Site::default() };
        let context = json!({ "http": { "method": "GET" }, "stage": stage });
        let event = event(json!({ "rawPath": raw_path, "requestContext": context }));
        super::request(&event, &site).unwrap().uri().to_string()
    };
    for (raw_path, stage, base_url, seen) in [
        ("/login", "$default", "https://example.org", "/login"),
        ("/prod/login", "prod", "https://example.org", "/login"),
        ("/prod", "prod", "", "/"),
        ("/prod/", "prod", "", "/"),
        ("/production", "prod", "", "/production"),
        ("/login", "prod", "", "/login"),
        ("/app/login", "$default", "https://example.org/app", "/login"),
        ("/app", "$default", "https://example.org/app/", "/"),
        ("/login", "$default", "https://example.org/app", "/login"),
        ("/prod/app/login", "prod", "https://example.org/app", "/login"),
    ] {
        assert_eq!(path(raw_path, stage, base_url), seen, "{raw_path} at {stage} of {base_url}");
    }
}

#[test]
fn no_host_or_forwarded_header_reaches_the_url() {
    for host in ["good.com@evil.com", "a b", "[::", ""] {
        for scheme in ["1", "https,http", "javascript"] {
            let headers = json!({ "host": host, "x-forwarded-proto": scheme, "x-forwarded-host": "evil.com" });
            let request = request(&event(json!({ "headers": headers }))).unwrap();
            assert_eq!(request.uri(), "/login");
        }
    }
}

#[test]
fn an_invalid_query_and_a_path_that_is_not_local_are_refused() {
    for query in ["a b", "a<b", "a\u{7}b", "a\tb"] {
        assert_refused(&event(json!({ "rawQueryString": query })), "url_unreadable");
    }
    for path in ["//evil.com/login", "//", "login", "", " /login", "?/login"] {
        assert_refused(&event(json!({ "rawPath": path })), "url_unreadable");
    }
}

#[test]
fn only_the_malformed_cookie_or_header_is_left_out() {
    let change = json!({ "cookies": ["session=ok", "x=\u{7}raw", "é=1"], "headers": { "a b": "1", "x-name": "é", "x-bell": "\u{7}" } });
    let request = request(&event(change)).unwrap();

    assert_eq!(cookies(&request), [b"session=ok".as_slice(), "é=1".as_bytes()]);
    assert_eq!(request.headers().len(), 3);
    assert!(request.headers().contains_key("x-name"));
}

#[test]
fn cookies_that_the_header_repeats_are_read_once() {
    let both = json!({ "cookies": ["a=1", "b=2"], "headers": { "Cookie": "a=1; b=2" } });
    assert_eq!(cookies(&request(&event(both)).unwrap()).len(), 2);

    let header_alone = json!({ "headers": { "cookie": "a=1; b=2" } });
    assert_eq!(cookies(&request(&event(header_alone)).unwrap()), [b"a=1; b=2"]);
}

#[test]
fn a_form_body_arrives_as_base64_and_is_read() {
    let encoded = json!({ "body": "YT0x", "isBase64Encoded": true });
    assert_eq!(request(&event(encoded)).unwrap().body().as_ref(), b"a=1");

    let plain = json!({ "body": "a=1" });
    assert_eq!(request(&event(plain)).unwrap().body().as_ref(), b"a=1");

    assert_refused(&event(json!({ "body": "%%%", "isBase64Encoded": true })), "body_unreadable");
}

#[test]
fn an_event_of_another_kind_is_refused() {
    for other in ["{}", "null", "[]", "\"text\"", r#"{"key1":"value1"}"#, r#"{"httpMethod":"GET","path":"/"}"#] {
        assert_refused(other, "event_unreadable");
    }
    let odd_method = json!({ "requestContext": { "http": { "method": "GET /" } } });
    assert_refused(&event(odd_method), "method_unreadable");
}

#[test]
fn each_cookie_becomes_an_entry_of_its_own() {
    let response = Response::builder()
        .status(StatusCode::FOUND)
        .header("location", "/")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .body(Body::Empty)
        .unwrap();

    let response = super::response(response);

    assert_eq!(response.status_code, 302);
    assert_eq!(response.cookies, ["a=1", "b=2"]);
    assert_eq!(response.headers.len(), 1);
}
