//! Events as gateways and clients really send them: a change to an ordinary event, and what a handler then sees.

use Seen::{Address, Body, Cookies, Header, NoAddress, NoHeader, Page, Program, Refused, Uri};

use super::*;
use crate::request::wants_html;

/// What a handler sees of the event.
enum Seen {
    /// Path and query.
    Uri(&'static str),
    /// Every `Cookie` header.
    Cookies(&'static [&'static str]),
    Header(&'static str, &'static str),
    NoHeader(&'static str),
    Body(&'static str),
    Address(&'static str),
    NoAddress,
    /// The client gets pages.
    Page,
    /// The client gets JSON.
    Program,
    /// Nothing: the event is a 400 with this reason.
    Refused(&'static str),
}

const ORDINARY: &str = r#"{
    "version": "2.0",
    "rawPath": "/files",
    "rawQueryString": "x=1",
    "cookies": ["a=1"],
    "headers": { "accept": "*/*", "sec-fetch-mode": "navigate", "cookie": "of=header", "x-name": "value" },
    "requestContext": {
        "apiId": "a1b2",
        "domainName": "a1b2.execute-api.eu-west-1.amazonaws.com",
        "http": { "method": "GET" },
        "stage": "$default"
    },
    "body": "Zm9v",
    "isBase64Encoded": true
}"#;

const OWN: &str = "https://a1b2.execute-api.eu-west-1.amazonaws.com";

/// Each change is laid over the ordinary event, member by member.
const TABLE: &[(&str, Seen)] = &[
    // Paths that come decoded.
    ("{}", Uri("/files?x=1")),
    (r#"{"rawPath": "/my file"}"#, Uri("/my%20file?x=1")),
    (r#"{"rawPath": "/#"}"#, Uri("/%23?x=1")),
    (r#"{"rawPath": "/?x=1"}"#, Uri("/%3Fx=1?x=1")),
    (r#"{"rawPath": "/?x=1", "rawQueryString": ""}"#, Uri("/%3Fx=1")),
    (r#"{"rawPath": "/a#b", "rawQueryString": "y=2"}"#, Uri("/a%23b?y=2")),
    (r#"{"rawPath": "/café"}"#, Uri("/caf%C3%A9?x=1")),
    (r#"{"rawPath": "/文件/😀"}"#, Uri("/%E6%96%87%E4%BB%B6/%F0%9F%98%80?x=1")),
    (r#"{"rawPath": "/<\"{}|^`>"}"#, Uri("/%3C%22%7B%7D%7C%5E%60%3E?x=1")),
    (r#"{"rawPath": "/a\\b"}"#, Uri("/a%5Cb?x=1")),
    (r#"{"rawPath": "/\\evil.example"}"#, Uri("/%5Cevil.example?x=1")),
    (r#"{"rawPath": "/a\r\nb\u0000\u007f"}"#, Uri("/a%0D%0Ab%00%7F?x=1")),
    (r#"{"rawPath": "/\t/evil.example"}"#, Uri("/%09/evil.example?x=1")),
    (r#"{"rawPath": "/100%"}"#, Uri("/100%25?x=1")),
    (r#"{"rawPath": "/100% %2 %zz%é"}"#, Uri("/100%25%20%252%20%25zz%25%C3%A9?x=1")),
    (r#"{"rawPath": "/100%%20"}"#, Uri("/100%25%20?x=1")),
    (r#"{"rawPath": "/a+b;c=d,e@f:g!$&'()*~[]"}"#, Uri("/a+b;c=d,e@f:g!$&'()*~[]?x=1")),
    (r#"{"rawPath": "/RSC/@id/assets/rsf0.js#save.txt"}"#, Uri("/RSC/@id/assets/rsf0.js%23save.txt?x=1")),
    (r#"{"rawPath": "/users/me?admin=true", "rawQueryString": ""}"#, Uri("/users/me%3Fadmin=true")),
    (r#"{"rawPath": "/product|3|-901592549/fix"}"#, Uri("/product%7C3%7C-901592549/fix?x=1")),
    (r#"{"rawPath": "/pets/Chester Mall/vets"}"#, Uri("/pets/Chester%20Mall/vets?x=1")),
    (r#"{"rawPath": "/a b "}"#, Uri("/a%20b%20?x=1")),
    (r#"{"rawPath": "/%"}"#, Uri("/%25?x=1")),
    (r#"{"rawPath": "/a//b/../c"}"#, Uri("/a//b/../c?x=1")),
    (r#"{"rawPath": "/\u202Efdp.exe\u2028"}"#, Uri("/%E2%80%AEfdp.exe%E2%80%A8?x=1")),
    // Paths that come encoded.
    (r#"{"rawPath": "/my%20file"}"#, Uri("/my%20file?x=1")),
    (r#"{"rawPath": "/%23%3F%25"}"#, Uri("/%23%3F%25?x=1")),
    (r#"{"rawPath": "/caf%c3%A9"}"#, Uri("/caf%c3%A9?x=1")),
    (r#"{"rawPath": "/a%2Fb"}"#, Uri("/a%2Fb?x=1")),
    // Paths with a stage, and paths that name another host or none.
    (r#"{"rawPath": "/prod/my file", "requestContext": {"stage": "prod"}}"#, Uri("/my%20file?x=1")),
    (r#"{"rawPath": "/prod?", "requestContext": {"stage": "prod"}}"#, Uri("/prod%3F?x=1")),
    (r#"{"rawPath": "/prod//evil.example", "requestContext": {"stage": "prod"}}"#, Refused("url_unreadable")),
    (r#"{"rawPath": "//evil.example/my file"}"#, Refused("url_unreadable")),
    (r#"{"rawPath": "https://evil.example/"}"#, Refused("url_unreadable")),
    (r#"{"rawPath": ""}"#, Refused("url_unreadable")),
    // The query comes as it was sent.
    (r#"{"rawQueryString": "next=%2Fa%20b"}"#, Uri("/files?next=%2Fa%20b")),
    (r#"{"rawQueryString": "a b"}"#, Refused("url_unreadable")),
    (r#"{"rawQueryString": "mapping=%7D%22foo%22"}"#, Uri("/files?mapping=%7D%22foo%22")),
    (r#"{"rawQueryString": "path=C:\\data&y={1|2}^`"}"#, Uri("/files?path=C:\\data&y={1|2}^`")),
    (r#"{"rawQueryString": "a=1?b=2/..//&&=&x[]=%&x[]=%zz"}"#, Uri("/files?a=1?b=2/..//&&=&x[]=%&x[]=%zz")),
    (r#"{"rawQueryString": "q=é"}"#, Uri("/files?q=é")),
    (r#"{"rawQueryString": null}"#, Uri("/files")),
    (r#"{"rawQueryString": 7}"#, Uri("/files")),
    // Headers.
    (r#"{"headers": null}"#, Uri("/files?x=1")),
    (r#"{"headers": null}"#, Cookies(&["a=1"])),
    (r#"{"headers": ["x-name", "value"]}"#, NoHeader("x-name")),
    (r#"{"headers": "x-name: value"}"#, NoHeader("x-name")),
    (r#"{"headers": {"x-name": null}}"#, NoHeader("x-name")),
    (r#"{"headers": {"x-name": 7}}"#, NoHeader("x-name")),
    (r#"{"headers": {"x-name": -7.5}}"#, NoHeader("x-name")),
    (r#"{"headers": {"x-name": ["value"]}}"#, NoHeader("x-name")),
    (r#"{"headers": {"x-name": {"value": {"a": [1]}}}}"#, NoHeader("x-name")),
    (r#"{"headers": {"x-other": null}}"#, Header("x-name", "value")),
    (r#"{"headers": {"X-NAME": "other", "x-name": false}}"#, Header("x-name", "other")),
    (r#"{"headers": {"x-name": "a\"b\\c"}}"#, Header("x-name", "a\"b\\c")),
    (r#"{"headers": {"cloudfront-viewer-city": "Zürich", "cf-ipcity": "Gdańsk"}}"#, Header("x-name", "value")),
    (r#"{"headers": {"x-name": "a\r\nset-cookie: b=1"}}"#, NoHeader("x-name")),
    (r#"{"headers": {"x-name": "a\r\nset-cookie: b=1"}}"#, NoHeader("set-cookie")),
    (r#"{"headers": {"": "x", "a b": "x", "é": "x", "x:y": "x"}}"#, Header("x-name", "value")),
    (r#"{"headers": {"x-name": ""}}"#, Header("x-name", "")),
    // Cookies.
    (r#"{"cookies": null}"#, Cookies(&["of=header"])),
    (r#"{"cookies": "a=1"}"#, Cookies(&["of=header"])),
    (r#"{"cookies": {"a": "1"}}"#, Cookies(&["of=header"])),
    (r#"{"cookies": []}"#, Cookies(&[])),
    (r#"{"cookies": ["a=1", 7, null, ["b=2"], "c=3"]}"#, Cookies(&["a=1", "c=3"])),
    (r#"{"cookies": null, "headers": null}"#, Cookies(&[])),
    (r#"{"cookies": ["a=1; b=2", "", "=", ";"]}"#, Cookies(&["a=1; b=2", "", "=", ";"])),
    (r#"{"cookies": ["a=\r\nb=2", "c=3"]}"#, Cookies(&["c=3"])),
    // The body.
    ("{}", Body("foo")),
    (r#"{"body": null}"#, Body("")),
    (r#"{"body": 7}"#, Body("")),
    (r#"{"body": {"a": 1}}"#, Body("")),
    (r#"{"body": "not base64"}"#, Refused("body_unreadable")),
    (r#"{"isBase64Encoded": null}"#, Body("Zm9v")),
    (r#"{"isBase64Encoded": "true"}"#, Body("Zm9v")),
    (r#"{"isBase64Encoded": 1}"#, Body("Zm9v")),
    // Identifiers.
    ("{}", Address(OWN)),
    (r#"{"requestContext": {"apiId": null}}"#, NoAddress),
    (r#"{"requestContext": {"apiId": 12}}"#, NoAddress),
    (r#"{"requestContext": {"domainName": null}}"#, NoAddress),
    (r#"{"requestContext": {"domainName": ["a1b2.execute-api.eu-west-1.amazonaws.com"]}}"#, NoAddress),
    (r#"{"requestContext": {"stage": null}}"#, Address(OWN)),
    (r#"{"requestContext": {"stage": 1}}"#, Address(OWN)),
    (r#"{"requestContext": {"stage": "v1"}}"#, Address("https://a1b2.execute-api.eu-west-1.amazonaws.com/v1")),
    // Who gets pages.
    ("{}", Page),
    (r#"{"headers": {"accept": "TEXT/HTML", "sec-fetch-mode": null}}"#, Page),
    (r#"{"headers": {"accept": "Application/XHTML+XML, Text/Html;q=0.9", "sec-fetch-mode": "cors"}}"#, Page),
    (r#"{"headers": {"accept": "image/png, */*;q=0.5"}}"#, Page),
    (r#"{"headers": {"x-requested-with": "org.example.app"}}"#, Page),
    (r#"{"headers": {"sec-fetch-mode": null}}"#, Program),
    (r#"{"headers": {"sec-fetch-mode": "cors"}}"#, Program),
    (r#"{"headers": {"accept": "application/json"}}"#, Program),
    (r#"{"headers": {"accept": null}}"#, Page),
    (r#"{"headers": {"accept": ""}}"#, Page),
    (r#"{"headers": {"accept": null, "sec-fetch-mode": null}}"#, Program),
    (r#"{"headers": {"accept": "", "sec-fetch-mode": null}}"#, Program),
    (r#"{"headers": {"accept": null, "sec-fetch-mode": "cors"}}"#, Program),
    (r#"{"headers": null}"#, Program),
    // What makes an event one of HTTP.
    (r#"{"rawPath": null}"#, Refused("event_unreadable")),
    (r#"{"rawPath": 7}"#, Refused("event_unreadable")),
    (r#"{"requestContext": null}"#, Refused("event_unreadable")),
    (r#"{"requestContext": {"http": null}}"#, Refused("event_unreadable")),
    (r#"{"requestContext": {"http": {"method": null}}}"#, Refused("event_unreadable")),
    (r#"{"requestContext": {"http": {"method": ""}}}"#, Refused("method_unreadable")),
];

/// Changes to the text of the ordinary event that make it odd JSON: what to replace, and by what.
const ODD_JSON: &[(&str, &str, Seen)] = &[
    // Half of a surrogate pair, which is no text.
    (r#""value""#, r#""\ud800""#, NoHeader("x-name")),
    (r#""value""#, r#""\ud800""#, Header("accept", "*/*")),
    (r#""a=1""#, r#""a=\udc00", "b=2""#, Cookies(&["b=2"])),
    (r#""x=1""#, r#""x=\ud83d""#, Uri("/files")),
    (r#""Zm9v""#, r#""\ud800""#, Body("")),
    (r#""a1b2""#, r#""\ud800""#, NoAddress),
    (r#""/files""#, r#""/\ud800""#, Refused("event_unreadable")),
    // A whole pair is.
    (r#""/files""#, r#""/\ud83d\ude00""#, Uri("/%F0%9F%98%80?x=1")),
    // A number without bounds.
    (r#""value""#, "1e999", NoHeader("x-name")),
    (r#""value""#, "123456789012345678901234567890", NoHeader("x-name")),
    (r#""2.0""#, "1e999", Uri("/files?x=1")),
    // What is no JSON.
    (r#""value""#, r#""Beno\xEEt""#, Refused("event_unreadable")),
    (r#""value""#, "\"a\u{1}b\"", Refused("event_unreadable")),
    (r#""value""#, "undefined", Refused("event_unreadable")),
    ("true\n}", "true", Refused("event_unreadable")),
    ("true\n}", "true}{", Refused("event_unreadable")),
];

fn lay_over(event: &mut Value, change: Value) {
    match (event, change) {
        (Value::Object(event), Value::Object(change)) => {
            for (name, value) in change {
                lay_over(event.entry(name).or_insert(Value::Null), value);
            }
        }
        (event, change) => *event = change,
    }
}

#[track_caller]
fn assert_seen(change: &str, event: &str, seen: &Seen) {
    let site = Site { api_domain: Some("execute-api.eu-west-1.amazonaws.com".to_owned()), ..Site::default() };
    let found = super::super::request(event, &site);
    if let Refused(reason) = seen {
        assert_eq!(found.unwrap_err().row().reason.as_str(), *reason, "{change}");
        return;
    }
    let request = found.unwrap_or_else(|error| panic!("{change} is refused: {error}"));
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
    let address = address(&request).map(|address| address.url(""));
    match seen {
        Uri(uri) => assert_eq!(request.uri().to_string(), *uri, "{change}"),
        Cookies(all) => {
            assert_eq!(cookies(&request), all.iter().map(|cookie| cookie.as_bytes()).collect::<Vec<_>>(), "{change}");
        }
        Header(name, value) => assert_eq!(header(name), Some(*value), "{change}"),
        NoHeader(name) => assert_eq!(header(name), None, "{change}"),
        Body(text) => assert_eq!(request.body().as_ref(), text.as_bytes(), "{change}"),
        Address(url) => assert_eq!(address.as_deref(), Some(*url), "{change}"),
        NoAddress => assert_eq!(address, None, "{change}"),
        Page | Program => assert_eq!(wants_html(&request), matches!(seen, Page), "{change}"),
        Refused(_) => {}
    }
}

#[test]
fn each_change_to_an_event_has_its_result() {
    assert!(TABLE.len() >= 40);
    for (change, seen) in TABLE {
        let mut event = serde_json::from_str(ORDINARY).unwrap();
        lay_over(&mut event, serde_json::from_str(change).unwrap());
        assert_seen(change, &event.to_string(), seen);
    }
}

#[test]
fn odd_json_in_a_part_of_an_event_affects_no_other_part() {
    for (part, odd, seen) in ODD_JSON {
        assert!(ORDINARY.contains(part), "{part}");
        assert_seen(odd, &ORDINARY.replacen(part, odd, 1), seen);
    }
}

#[test]
fn a_part_may_be_nested_however_deeply() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_seen("deep", &ORDINARY.replacen(r#""value""#, &deep, 1), &NoHeader("x-name"));
    assert_seen("deep", &ORDINARY.replacen(r#""value""#, &deep, 1), &Uri("/files?x=1"));
}
