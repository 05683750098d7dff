//! Converts between API Gateway and a handler: an HTTP API event (payload 2.0) into a [`Request`], and a [`Response`]
//! into API Gateway's format.
//!
//! `lambda_http` can do the first conversion too, but panics if `Host`, `X-Forwarded-Proto` or the query string cannot
//! be part of a URL, and if the body is not the base64 that the event claims. It also drops every cookie if one is
//! malformed. Here such an event is either read without the broken part or refused with a 400 page. No address is taken
//! from `Host` or `X-Forwarded-*`: a handler's URI is path and query only, and addresses come from the configuration.
//!
//! An HTTP API decodes the path of an event, while `cargo lambda watch` and function URLs send it encoded. A handler gets
//! an encoded path from all of them.
//!
//! Format: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

mod part;

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lambda_http::{
    Body, Request, RequestExt as _, Response,
    aws_lambda_events::{apigw::ApiGatewayV2httpResponse, query_map::QueryMap},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::{
    Error, Kind, Secret,
    config::{Address, Site, without},
    log::Reason,
    return_path,
};

use part::Part;

/// The header in which the proxy in front of the site sends `ORIGIN_SECRET`.
const ORIGIN_SECRET: &str = "x-origin-secret";

/// The characters that no encoded path contains, apart from those that are not ASCII. A browser would read a `\` as `/`.
const UNSAFE: &AsciiSet = &return_path::UNSAFE.add(b'#').add(b'?');

/// The parts of an event that are read. All other parts are ignored, whatever they contain.
///
/// A path and a method make an event one of HTTP. Any other part may be absent, null or of another type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    raw_path: Cow<'a, str>,
    #[serde(borrow, default)]
    raw_query_string: Part<'a>,
    #[serde(borrow, default)]
    cookies: Part<'a>,
    #[serde(borrow, default)]
    headers: Part<'a>,
    #[serde(borrow)]
    request_context: RequestContext<'a>,
    #[serde(borrow, default)]
    stage_variables: Part<'a>,
    #[serde(borrow, default)]
    body: Part<'a>,
    #[serde(borrow, default)]
    is_base64_encoded: Part<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(borrow)]
    http: HttpContext<'a>,
    /// The identifier of the API, absent in a local run.
    #[serde(borrow, default)]
    api_id: Part<'a>,
    /// The host name at which the request arrived.
    #[serde(borrow, default)]
    domain_name: Part<'a>,
    #[serde(borrow, default)]
    stage: Part<'a>,
}

#[derive(Deserialize)]
struct HttpContext<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
}

/// Reads an event. The result is a request or a 400, whatever the event contains. A handler sees paths as if the site
/// were at the top of its origin.
pub(crate) fn request(event: &str, site: &Site) -> Result<Request, Error> {
    let event: Event<'_> = serde_json::from_str(event).map_err(|_| Kind::BadRequest(Reason::EventUnreadable))?;
    let query = event.raw_query_string.text().unwrap_or_default();
    let stage = event.request_context.stage.text().filter(|stage| stage != "$default");
    let stage = stage.map(|stage| format!("/{stage}")).unwrap_or_default();
    let address = find_address(site, &event.request_context, &stage);
    // The path that the API was called with. It may begin with the stage, or with the base path that a domain name maps
    // to the API.
    let raw_path = encoded(&event.raw_path);
    let path = without(&raw_path, &stage);
    let path = address.as_ref().map_or(path, |address| address.below(path));
    let mount = Mount::of(&event);
    let uri = uri(without(path, &mount.0), &query)?;
    let Ok(parameters) = query.parse::<QueryMap>();

    let mut request = Request::new(body(&event)?).with_query_string_parameters(parameters);
    *request.method_mut() = Method::from_bytes(event.request_context.http.method.as_bytes())
        .map_err(|_| Kind::BadRequest(Reason::MethodUnreadable))?;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers(&event);
    request.extensions_mut().insert(mount);
    if let Some(address) = address {
        request.extensions_mut().insert(address);
    }
    Ok(request)
}

/// The address of this site, as [`request`] has found it.
pub(crate) fn address(request: &Request) -> Option<Address> {
    request.extensions().get().cloned()
}

/// The path, below the address of the site, at which a second API is mapped to the domain name of the site. Its stage
/// variable `BASE_PATH` says so, since not every path of an event has it.
#[derive(Clone, Default)]
struct Mount(String);

impl Mount {
    fn of(event: &Event<'_>) -> Self {
        let path = event.stage_variables.members().get("BASE_PATH").and_then(|path| path.text()).unwrap_or_default();
        let path = path.trim_matches('/');
        Self(if path.is_empty() { String::new() } else { encoded(&format!("/{path}")) })
    }
}

/// The path at which the API is mapped that a request came through, such as `/tools`; empty for the API of this site.
pub(crate) fn mount(request: &Request) -> &str {
    request.extensions().get().map_or("", |Mount(path)| path)
}

/// The address of this site: `BASE_URL` or, if that is not set, the API's own name and stage.
///
/// That name is the only host name of a request that is trusted, and only if it is exactly the name that AWS forms from
/// the API's identifier, its region and the domain of the partition.
fn find_address(site: &Site, context: &RequestContext<'_>, stage: &str) -> Option<Address> {
    if let Some(base_url) = &site.base_url {
        return Some(base_url.clone());
    }
    let (api, name, domain) = (context.api_id.text()?, context.domain_name.text()?, site.api_domain.as_ref()?);
    (name == format!("{api}.{domain}")).then(|| Address::parse(&format!("https://{name}{stage}"))).flatten()
}

/// Refuses a request that has gone round the proxy in front of the site, and so round its rules against floods: it lacks
/// the secret that the proxy adds. How long the comparison takes says nothing about the secret, except its length.
pub(crate) fn check_origin_secret(request: &Request, site: &Site) -> Result<(), Error> {
    let sent = request.headers().get(ORIGIN_SECRET).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_sent = |secret: &Secret| bool::from(secret.expose().as_bytes().ct_eq(sent));
    let passes = site.origin_secrets.is_empty() || site.origin_secrets.iter().any(is_sent);
    if passes { Ok(()) } else { Err(Kind::OriginSecretMissing.into()) }
}

/// The path in its encoded form, whether it comes decoded or encoded: only what no encoded path contains is encoded.
fn encoded(path: &str) -> String {
    let mut parts = path.split('%');
    let mut encoded = utf8_percent_encode(parts.next().unwrap_or_default(), UNSAFE).to_string();
    for part in parts {
        let is_escape = matches!(part.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
        encoded.push_str(if is_escape { "%" } else { "%25" });
        encoded.extend(utf8_percent_encode(part, UNSAFE));
    }
    encoded
}

fn uri(path: &str, query: &str) -> Result<Uri, Error> {
    let separator = if query.is_empty() { "" } else { "?" };
    // `//host/path` would be parsed as an address with a host.
    let relative = path.starts_with('/') && !path.starts_with("//");
    let uri = format!("{path}{separator}{query}").parse().ok().filter(|_| relative);
    uri.ok_or_else(|| Kind::BadRequest(Reason::UrlUnreadable).into())
}

fn body(event: &Event<'_>) -> Result<Body, Error> {
    match (event.body.text().filter(|text| !text.is_empty()), event.is_base64_encoded.is_true()) {
        (None, _) => Ok(Body::Empty),
        (Some(text), false) => Ok(Body::Text(text.into_owned())),
        (Some(text), true) => {
            Ok(STANDARD.decode(text.as_bytes()).map_err(|_| Kind::BadRequest(Reason::BodyUnreadable))?.into())
        }
    }
}

/// The valid headers. An invalid one is left out, and all others stay.
fn headers(event: &Event<'_>) -> HeaderMap {
    let named = event.headers.members().into_iter().filter_map(|(name, value)| Some((Cow::from(name), value.text()?)));
    // API Gateway sends the cookies in `cookies`. If there is a `Cookie` header too, it has the same content.
    let cookies = event.cookies.entries();
    let has_cookies = cookies.is_some();
    let named = named.filter(|(name, _)| !has_cookies || !name.eq_ignore_ascii_case("cookie"));
    let cookies = cookies.into_iter().flatten().filter_map(|cookie| Some((Cow::from("cookie"), cookie.text()?)));

    let mut headers = HeaderMap::new();
    for (name, value) in named.chain(cookies) {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
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
mod tests;
