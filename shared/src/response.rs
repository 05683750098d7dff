//! Responses: pages, redirects, and the page for an error.

use cookie::Cookie;
use lambda_http::{
    Body, Request, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use serde_json::{Value, json};

use crate::{
    Error, Kind, Result, log,
    pages::{self, Frame, Page},
    paths, request,
    return_path::ReturnPath,
};

/// The headers of every response, unless a handler has set another value.
///
/// A page may load and run one style sheet and two scripts, named by their hashes, which `build.rs` computes from
/// the files. `Referrer-Policy` is not `no-referrer`, with which browsers send `Origin: null` with our own form.
/// `form-action` also holds for redirects after a form, so no form of ours leads to another origin. HSTS is without
/// `includeSubDomains`: it would bind other sites below this host name.
const HEADERS: [(HeaderName, &str); 9] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        concat!(
            "default-src 'none'; style-src ",
            include_str!(concat!(env!("OUT_DIR"), "/style.hash")),
            "; script-src ",
            include_str!(concat!(env!("OUT_DIR"), "/personal.hash")),
            " ",
            include_str!(concat!(env!("OUT_DIR"), "/message.hash")),
            "; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (header::VARY, "Cookie, Accept, Sec-Fetch-Mode"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// A page, with links that fit the address of the request's site.
pub fn html(request: &Request, status: StatusCode, page: &Page<'_>) -> Result<Response<Body>> {
    let text = pages::render(page, &request::base(request), &Frame::of(request))?;
    Ok(with_body(status, "text/html; charset=utf-8", text.into()))
}

/// JSON.
pub fn json(status: StatusCode, value: &Value) -> Response<Body> {
    with_body(status, "application/json", value.to_string().into())
}

/// A success without a body.
pub fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Plain text.
pub fn text(status: StatusCode, text: String) -> Response<Body> {
    with_body(status, "text/plain; charset=utf-8", text.into())
}

/// A redirect to `location`, which the browser requests with GET and without a body.
///
/// Use 302 for a page, 303 after a form; never 307 or 308, which would send the form on
/// ([RFC 9700 section 4.12](https://www.rfc-editor.org/rfc/rfc9700#section-4.12)).
pub fn redirect(status: StatusCode, location: &str) -> Result<Response<Body>> {
    let location = HeaderValue::from_str(location).map_err(|_| Kind::Internal(log::Reason::LocationUnreadable))?;
    let mut response = text(status, String::new());
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// Adds cookies to a response.
#[must_use]
pub fn with_cookies(
    mut response: Response<Body>,
    cookies: impl IntoIterator<Item = Cookie<'static>>,
) -> Response<Body> {
    for cookie in cookies {
        // A sealed value is base64 and a name is ours: a header can hold both.
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// The response that leaves the function: the one place where an error is logged and becomes a page, and where the
/// security headers are added.
pub fn respond(request: &Request, outcome: Result<Response<Body>>) -> Response<Body> {
    let mut response = outcome.unwrap_or_else(|error| {
        log::write_error(&error);
        // A login may give the permission.
        let helps = matches!(error.kind(), Kind::PermissionMissing(..));
        let error = if helps { error.returning_to(ReturnPath::requested(request)) } else { error };
        let for_program = error.for_program || !request::wants_html(request);
        let mut response = match error.kind().remedy() {
            _ if for_program => json_error(request, &error),
            // To `login`, and from there back to the requested page.
            Some(remedy) => redirect(StatusCode::FOUND, &request::leading_back(request, &remedy))
                .unwrap_or_else(|_| page(request, &error)),
            None => page(request, &error),
        };
        if let Kind::MethodNotAllowed(methods) = error.kind() {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        with_cookies(response, error.cookies)
    });
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn page(request: &Request, error: &Error) -> Response<Body> {
    let row = error.row();
    let page = match error.kind() {
        Kind::Config(problems) if problems.lacks_only_the_application() => {
            Page::SetUp { redirect_url: request::address(request).map(|address| address.url(paths::LOGIN)).ok() }
        }
        Kind::NotAdmitted(denial) => {
            Page::NotAdmitted { title: row.title, denial, use_another: error.leading_on(paths::OTHER_ACCOUNT) }
        }
        _ => Page::Message { title: row.title, text: row.text, links: error.links() },
    };
    // If the template fails, the message is still shown.
    html(request, row.status, &page).unwrap_or_else(|_| text(row.status, row.text.to_owned()))
}

fn json_error(request: &Request, error: &Error) -> Response<Body> {
    let row = error.row();
    let mut body = json!({ "error": row.reason.as_str(), "message": row.text });
    if let Some(reference) = Frame::of(request).reference() {
        body["reference"] = reference.into();
    }
    if let Some(remedy) = error.kind().remedy() {
        body["login"] = (request::base(request) + &error.leading_on(&remedy)).into();
    }
    if let Kind::NotAdmitted(denial) = error.kind() {
        body["missing"] = json!(denial.missing);
        body["login"] = (request::base(request) + &error.leading_on(paths::OTHER_ACCOUNT)).into();
    }
    let mut response = json(row.status, &body);
    if row.status == StatusCode::UNAUTHORIZED {
        // RFC 9110 section 11.6.1 requires a challenge. No scheme is registered for cookies; for one that they do not know,
        // browsers open no password dialog.
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Cookie realm=\"/login\""));
    }
    response
}

fn with_body(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests;
