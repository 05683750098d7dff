//! Converts between API Gateway and a handler: an HTTP API event (payload 2.0) into a [`Request`], and a [`Response`]
//! into API Gateway's format.
//!
//! `lambda_http` can do the first conversion too, but panics if `Host`, `X-Forwarded-Proto` or the query string cannot
//! be part of a URL, and if the body is not the base64 that the event claims. It also drops every cookie if one is
//! malformed. Here such an event is either read without the broken part or refused with a 400 page. No address is taken
//! from `Host` or `X-Forwarded-*`: a handler's URI is path and query only, and addresses come from the configuration.
//!
//! Format: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lambda_http::{
    Body, Request, RequestExt as _, Response,
    aws_lambda_events::{apigw::ApiGatewayV2httpResponse, query_map::QueryMap},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
};
use serde::Deserialize;

use crate::{
    config::{Address, Site},
    error::{Error, Kind},
    log::Reason,
};

/// The parts of an event that are read. All other parts are ignored, whatever they contain.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    raw_path: String,
    raw_query_string: Option<String>,
    cookies: Option<Vec<String>>,
    #[serde(default)]
    headers: HashMap<String, String>,
    request_context: RequestContext,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    http: HttpContext,
    /// The identifier of the API, absent in a local run.
    api_id: Option<String>,
    /// The host name at which the request arrived.
    domain_name: Option<String>,
    stage: Option<String>,
}

#[derive(Deserialize)]
struct HttpContext {
    method: String,
}

/// Reads an event. The result is a request or a 400, whatever the event contains. A handler sees paths as if the site
/// were at the top of its origin.
pub(crate) fn request(event: &str, site: &Site) -> Result<Request, Error> {
    let event: Event = serde_json::from_str(event).map_err(|_| Kind::BadRequest(Reason::EventUnreadable))?;
    let query = event.raw_query_string.as_deref().unwrap_or_default();
    let stage = event.request_context.stage.as_deref().filter(|stage| *stage != "$default");
    let stage = stage.map(|stage| format!("/{stage}")).unwrap_or_default();
    let address = find_address(site, &event.request_context, &stage);
    // The path that the API was called with. It may begin with the stage, or with the base path that a domain name maps
    // to the API.
    let path = without(&event.raw_path, &stage);
    let uri = uri(without(path, address.as_ref().map_or("", Address::base)), query)?;
    let Ok(parameters) = query.parse::<QueryMap>();

    let mut request = Request::new(body(&event)?).with_query_string_parameters(parameters);
    *request.method_mut() = Method::from_bytes(event.request_context.http.method.as_bytes())
        .map_err(|_| Kind::BadRequest(Reason::MethodUnreadable))?;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(&event);
    if let Some(address) = address {
        request.extensions_mut().insert(address);
    }
    Ok(request)
}

/// The address of this site, as [`request`] has found it.
pub(crate) fn address(request: &Request) -> Option<Address> {
    request.extensions().get().cloned()
}

/// The address of this site: `BASE_URL` or, if that is not set, the API's own name and stage.
///
/// That name is the only host name of a request that is trusted, and only if it is exactly the name that AWS forms from
/// the API's identifier and region.
fn find_address(site: &Site, context: &RequestContext, stage: &str) -> Option<Address> {
    if let Some(base_url) = &site.base_url {
        return Some(base_url.clone());
    }
    let (api, name, region) = (context.api_id.as_ref()?, context.domain_name.as_ref()?, site.region.as_ref()?);
    let own = ["amazonaws.com", "amazonaws.com.cn"].map(|suffix| format!("{api}.execute-api.{region}.{suffix}"));
    own.contains(name).then(|| Address::parse(&format!("https://{name}{stage}"))).flatten()
}

/// Strips `base` from `path` at a segment boundary.
fn without<'a>(path: &'a str, base: &str) -> &'a str {
    match path.strip_prefix(base) {
        Some("") if !base.is_empty() => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

fn uri(path: &str, query: &str) -> Result<Uri, Error> {
    let separator = if query.is_empty() { "" } else { "?" };
    // `//host/path` would be parsed as an address with a host.
    let relative = path.starts_with('/') && !path.starts_with("//");
    let uri = format!("{path}{separator}{query}").parse().ok().filter(|_| relative);
    uri.ok_or_else(|| Kind::BadRequest(Reason::UrlUnreadable).into())
}

fn body(event: &Event) -> Result<Body, Error> {
    match (event.body.as_deref(), event.is_base64_encoded) {
        (None | Some(""), _) => Ok(Body::Empty),
        (Some(text), false) => Ok(Body::Text(text.to_owned())),
        (Some(text), true) => Ok(STANDARD.decode(text).map_err(|_| Kind::BadRequest(Reason::BodyUnreadable))?.into()),
    }
}

/// The valid headers. An invalid one is left out, and all others stay.
fn headers(event: &Event) -> HeaderMap {
    let named = event.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    // API Gateway sends the cookies in `cookies`. If there is a `Cookie` header too, it has the same content.
    let named = named.filter(|(name, _)| event.cookies.is_none() || !name.eq_ignore_ascii_case(b"cookie"));
    let cookies = event.cookies.iter().flatten().map(|cookie| (b"cookie".as_slice(), cookie.as_bytes()));

    let mut headers = HeaderMap::new();
    for (name, value) in named.chain(cookies) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

/// The response in API Gateway's format: each `Set-Cookie` is an entry of `cookies`.
pub(crate) fn response(response: Response<Body>) -> ApiGatewayV2httpResponse {
    let (mut parts, body) = response.into_parts();
    let cookies = parts.headers.get_all(header::SET_COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok().map(ToOwned::to_owned)).collect();
    parts.headers.remove(header::SET_COOKIE);

    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = parts.status.as_u16().into();
    response.headers = parts.headers;
    response.cookies = cookies;
    response.is_base64_encoded = matches!(body, Body::Binary(_));
    response.body = Some(body);
    response
}

#[cfg(test)]
mod tests {
    use lambda_http::http::StatusCode;
    use serde_json::{Value, json};

    use super::*;

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
            let site = Site { base_url: Address::parse(base_url), region: None };
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
    fn an_invalid_path_or_query_is_refused() {
        for query in ["a b", "a<b", "a\u{7}b", "a\tb"] {
            assert_refused(&event(json!({ "rawQueryString": query })), "url_unreadable");
        }
        for path in ["//evil.com/login", "login", "", "/a b"] {
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
}
