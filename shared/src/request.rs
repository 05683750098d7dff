//! What a handler asks of a request, beyond what `lambda_http` tells it.

use lambda_http::{
    Request, RequestExt as _,
    http::{HeaderMap, Method, header},
};

use crate::{
    app::App,
    config::Origin,
    error::{Error, Kind, Result},
    gateway,
};

/// Refuses any other path, and any method that is not in `methods`, which is what `Allow` answers.
pub fn expect(request: &Request, path: &str, methods: &'static str) -> Result<()> {
    if request.uri().path() != path {
        return Err(Kind::NotFound.into());
    }
    let known = methods
        .split(", ")
        .any(|method| method == request.method().as_str());
    if known {
        Ok(())
    } else {
        Err(Kind::MethodNotAllowed(methods).into())
    }
}

/// A query parameter. OAuth parameters must not repeat, since two readers could each take another one
/// ([RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)).
pub fn parameter(request: &Request, name: &str) -> Result<Option<String>> {
    let values = request
        .query_string_parameters_ref()
        .and_then(|query| query.all(name))
        .unwrap_or_default();
    match values.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some((*value).to_owned())),
        _ => Err(Kind::BadRequest("parameter_repeated").into()),
    }
}

/// Whether whoever asks can show a page. Programs get JSON, and no redirect to a sign-in they could not follow.
pub fn wants_html(request: &Request) -> bool {
    header_of(request.headers(), "accept").is_some_and(|accept| accept.contains("text/html"))
}

/// Whether a person opened this page: not a prefetch, an image, a frame or a script, nor a HEAD.
///
/// Browsers without Fetch Metadata send neither header, and are taken at their word.
pub fn is_navigation(request: &Request) -> bool {
    let headers = request.headers();
    let is = |name, value| header_of(headers, name).is_none_or(|found| found == value);
    let speculative = ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        header_of(headers, name)
            .is_some_and(|purpose| purpose.contains("prefetch") || purpose.contains("prerender"))
    });
    request.method() == Method::GET
        && is("sec-fetch-mode", "navigate")
        && is("sec-fetch-dest", "document")
        && !speculative
}

/// Refuses a form that was not sent from a page of ours.
///
/// `Sec-Fetch-Site` says so where the browser sends it; an older one sends `Origin`. Neither means no.
pub fn expect_same_origin(request: &Request, address: &Origin) -> Result<()> {
    let headers = request.headers();
    let same = match header_of(headers, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => header_of(headers, header::ORIGIN.as_str()) == Some(address.as_str()),
    };
    if same {
        Ok(())
    } else {
        Err(Kind::CrossSite.into())
    }
}

/// The address of this site: `BASE_URL`, or the API's own name where none is set.
///
/// That name is the only thing ever believed of a request's host, and only if it is exactly what AWS makes of the
/// API's identifier and region.
pub fn address(app: &App, request: &Request) -> Result<Origin> {
    if let Some(base_url) = &app.config.base_url {
        return Ok(base_url.clone());
    }
    let context = gateway::context(request);
    let (Some(api), Some(region), Some(name)) =
        (context.api_id, &app.config.region, context.domain_name)
    else {
        return Err(Kind::UnknownAddress.into());
    };
    let own = ["amazonaws.com", "amazonaws.com.cn"]
        .map(|suffix| format!("{api}.execute-api.{region}.{suffix}"));
    let origin = own
        .contains(&name)
        .then(|| Origin::parse(&format!("https://{name}")))
        .flatten();
    origin.ok_or_else(|| Error::from(Kind::UnknownAddress))
}

/// Whether the request came in by another host name than this site's. Cookies set there would be out of reach at
/// `address`, where Globus sends people back to (`127.0.0.1` and `localhost` share none, for example).
pub fn is_elsewhere(request: &Request, address: &Origin) -> bool {
    let host = header_of(request.headers(), header::HOST.as_str());
    host.is_some_and(|host| !host.eq_ignore_ascii_case(address.authority()))
}

fn header_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
