//! Answers: pages, redirects, and what becomes of an error.

use cookie::Cookie;
use lambda_http::{
    Body, Request, Response,
    http::{HeaderName, HeaderValue, Method, StatusCode, header, uri::PathAndQuery},
};
use serde_json::json;

use crate::{
    error::{Error, Kind, Result},
    pages::{self, Page},
    request,
    return_path::ReturnPath,
};

/// On every answer of ours, whatever it says.
///
/// One style sheet and one script, by their hashes, are all that a page may load or run; a test beside the templates
/// checks both.
/// `Referrer-Policy` is not `no-referrer`, with which browsers send `Origin: null` on our own form. `form-action` holds
/// for the redirects after a form as well, so no form of ours leads off this origin.
const HEADERS: [(HeaderName, &str); 9] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        concat!(
            "default-src 'none'; style-src '",
            include_str!("templates/style.sha256"),
            "'; script-src '",
            include_str!("templates/personal.sha256"),
            "'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
    (header::VARY, "Cookie, Accept"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// A page, in answer to this request.
pub fn html(request: &Request, status: StatusCode, page: &Page<'_>) -> Result<Response<Body>> {
    let text = pages::render(page, &request::base(request))?;
    Ok(answer(status, "text/html; charset=utf-8", text.into()))
}

/// Plain text.
pub fn text(status: StatusCode, text: String) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", text.into())
}

/// A redirect to `location`, which the next request gets with GET and without this one's body.
///
/// 302 for a page that was asked for, 303 after a form; never 307 or 308, which would send the form on
/// ([RFC 9700 section 4.12](https://www.rfc-editor.org/rfc/rfc9700#section-4.12)).
pub fn redirect(status: StatusCode, location: &str) -> Result<Response<Body>> {
    let location = HeaderValue::from_str(location).map_err(|_| Kind::Internal("location_unreadable"))?;
    let mut response = answer(status, "text/plain; charset=utf-8", Body::Empty);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// Adds cookies to an answer.
#[must_use]
pub fn with_cookies(
    mut response: Response<Body>,
    cookies: impl IntoIterator<Item = Cookie<'static>>,
) -> Response<Body> {
    for cookie in cookies {
        // A sealed value is base64 and a name is ours: there is nothing in them that a header could not hold.
        if let Ok(value) = HeaderValue::from_str(&cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

/// The answer to a request, whatever came of it: the one place where an error becomes a page, and is logged.
pub fn respond(request: Option<&Request>, outcome: Result<Response<Body>>) -> Response<Body> {
    outcome.unwrap_or_else(|error| {
        log(&error);
        let response = match request {
            Some(request) if !request::wants_html(request) => json(&error),
            Some(request) if *error.kind() == Kind::SignInRequired => send_to("", request, &error),
            Some(request) if *error.kind() == Kind::RenewalRequired => send_to("refresh&", request, &error),
            _ => page(request.unwrap_or(&Request::default()), &error),
        };
        with_cookies(response, error.cookies().iter().cloned())
    })
}

fn log(error: &Error) {
    let (event, outcome, reason) = (error.event(), error.outcome(), error.reason());
    let (status, detail) = (error.status().as_u16(), error.detail());
    if error.status().is_server_error() {
        tracing::error!(event, outcome, reason, status, %detail, "request failed");
    } else {
        tracing::info!(event, outcome, reason, status, "request refused");
    }
}

/// To `login`, and from there back to the page that was asked for.
fn send_to(parameter: &str, request: &Request, error: &Error) -> Response<Body> {
    let asked_for = request.uri().path_and_query().filter(|_| request.method() == Method::GET);
    let next = ReturnPath::parse(asked_for.map_or("/", PathAndQuery::as_str));
    let login = format!("{}/login?{parameter}next={}", request::base(request), next.encoded());
    redirect(StatusCode::FOUND, &login).unwrap_or_else(|_| page(request, error))
}

fn page(request: &Request, error: &Error) -> Response<Body> {
    let (title, text) = error.message();
    let page = match error.kind() {
        Kind::Config(problems) if problems.lacks_only_the_application() => {
            Page::SetUp { redirect_url: request::address(request).map(|address| address.url("/login")).ok() }
        }
        _ => Page::message(title, text, error.can_start_again()),
    };
    // A template that fails must not take the message with it.
    let mut response = html(request, error.status(), &page)
        .unwrap_or_else(|_| answer(error.status(), "text/plain; charset=utf-8", text.into()));
    allow(&mut response, error);
    response
}

fn json(error: &Error) -> Response<Body> {
    let (_, message) = error.message();
    let body = json!({ "error": error.reason(), "message": message });
    let mut response = answer(error.status(), "application/json", body.to_string().into());
    allow(&mut response, error);
    response
}

fn allow(response: &mut Response<Body>, error: &Error) {
    if let Kind::MethodNotAllowed(methods) = error.kind() {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{self, Config},
        cookies::SealedCookies,
        storage,
        testing::{Event, configure},
    };

    fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn body(response: &Response<Body>) -> &str {
        std::str::from_utf8(response.body()).unwrap()
    }

    fn refused(event: &Event, kind: Kind) -> Response<Body> {
        respond(Some(&event.request()), Err(kind.into()))
    }

    #[test]
    fn every_answer_has_the_security_headers() {
        let answers = [
            html(&Event::get("/").request(), StatusCode::OK, &Page::SignedOut { expired: false }).unwrap(),
            redirect(StatusCode::FOUND, "https://gateway.example/").unwrap(),
            text(StatusCode::OK, "text".to_owned()),
            refused(&Event::get("/x"), Kind::NotFound),
            refused(&Event::get("/x").header("accept", "application/json"), Kind::Internal("reason")),
            respond(None, Err(Kind::BadRequest("event_unreadable").into())),
        ];
        for answer in answers {
            for (name, value) in HEADERS {
                assert_eq!(header(&answer, name.as_str()), value, "{}", answer.status());
            }
            assert!(header(&answer, "content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
            assert!(header(&answer, "content-type").len() > 10);
        }
    }

    #[test]
    fn a_person_is_shown_a_page_and_a_program_gets_json() {
        let page = refused(&Event::get("/x"), Kind::NotFound);
        assert_eq!(page.status(), 404);
        assert!(body(&page).contains("<h1>Page not found</h1>"));

        let json = refused(&Event::get("/x").header("accept", "application/json"), Kind::NotFound);
        assert_eq!(json.status(), 404);
        assert_eq!(header(&json, "content-type"), "application/json");
        assert_eq!(body(&json), r#"{"error":"not_found","message":"There is no page at this address."}"#);
    }

    #[test]
    fn a_page_for_who_is_signed_in_sends_others_to_sign_in_and_back() {
        let files = refused(&Event::get("/files?a=b%26c"), Kind::SignInRequired);
        assert_eq!(files.status(), 302);
        assert_eq!(header(&files, "location"), "/login?next=%2Ffiles%3Fa%3Db%2526c");

        let form = refused(&Event::post("/files"), Kind::SignInRequired);
        assert_eq!(header(&form, "location"), "/login?next=%2F");

        let program = refused(&Event::get("/files").header("accept", "application/json"), Kind::SignInRequired);
        assert_eq!(program.status(), 401);
    }

    #[test]
    fn a_method_that_is_not_there_is_answered_with_those_that_are() {
        let answer = refused(&Event::get("/").method("DELETE"), Kind::MethodNotAllowed("GET, HEAD"));
        assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (405, "GET, HEAD"));
    }

    #[test]
    fn an_error_page_offers_another_sign_in_where_that_is_the_way_on() {
        let start_again = |kind| body(&refused(&Event::get("/login"), kind)).contains("Start again</a>");

        assert!(start_again(Kind::UnknownAttempt("state_unknown")));
        assert!(start_again(Kind::GlobusUnavailable("globus_timeout")));
        assert!(!start_again(Kind::NotFound));
        assert!(!start_again(Kind::SessionTooLarge), "the next sign-in would be as large");
    }

    #[test]
    fn a_configuration_error_shows_visitors_no_variable() {
        let problems = config::from_lookup(|_| None, Config::read).unwrap_err();
        let answer = refused(&Event::get("/"), Kind::Config(problems));

        assert_eq!(answer.status(), 503);
        assert!(!body(&answer).contains("SESSION_KEYS"));
    }

    #[test]
    fn an_error_takes_its_cookies_with_it() {
        let cookies = SealedCookies::new(&configure(&[], Config::read).unwrap());
        let error = Error::from(Kind::Denied).with_cookie(storage::clear(&cookies));

        let answer = respond(Some(&Event::get("/login").request()), Err(error));
        assert!(header(&answer, "set-cookie").starts_with("__Host-session=;"));
    }

    #[test]
    fn a_location_cannot_hold_a_second_header() {
        assert!(redirect(StatusCode::FOUND, "https://gateway.example/\r\nSet-Cookie: x=1").is_err());
    }
}
