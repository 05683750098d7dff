//! Checks and parts of a request, beyond those of `lambda_http`.

use lambda_http::{
    Request, RequestExt as _,
    aws_lambda_events::query_map::QueryMap,
    http::{HeaderMap, HeaderValue, Method, header},
};

use crate::{Kind, Result, Secret, config::Address, gateway, log::Reason, return_path::ReturnPath};

/// Refuses any other path with 404, any method that is not in `methods` with 405, and a method that can change something
/// with 403 unless a page of this site sent the request: another site can make a browser send it, with the user's cookies
/// (CSRF). `methods` is the value of `Allow`, such as `GET, HEAD`.
pub fn check_route(request: &Request, path: &str, methods: &'static str) -> Result<()> {
    check_route_for_any_site(request, path, methods)?;
    check_origin(request)
}

/// Refuses a method that can change something, unless a page of this site sent the request.
pub fn check_origin(request: &Request) -> Result<()> {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
    if is_safe { Ok(()) } else { check_same_origin(request) }
}

/// Like [`check_route`], but lets other sites send forms. Only for a handler that uses no session and sets no cookie, such
/// as a webhook whose sender signs its requests.
pub fn check_route_for_any_site(request: &Request, path: &str, methods: &'static str) -> Result<()> {
    if request.uri().path() != path {
        return Err(Kind::NotFound.into());
    }
    let known = methods.split(", ").any(|method| method == request.method().as_str());
    if known { Ok(()) } else { Err(Kind::MethodNotAllowed(methods).into()) }
}

/// A request that has only these cookies, such as `name=value`; those that no header can hold are left out.
pub fn with_cookies(cookies: &[Secret]) -> Request {
    let mut request = Request::default();
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_bytes(cookie.expose().as_bytes()).ok()) {
        request.headers_mut().append(header::COOKIE, cookie);
    }
    request
}

/// A query parameter. OAuth parameters must not repeat, since two readers could each use a different one
/// ([RFC 6749 section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)).
pub fn parameter(request: &Request, name: &str) -> Result<Option<String>> {
    let values = request.query_string_parameters_ref().and_then(|query| query.all(name)).unwrap_or_default();
    match values.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some((*value).to_owned())),
        _ => Err(Kind::BadRequest(Reason::ParameterRepeated).into()),
    }
}

/// A field of a form.
pub fn field(request: &Request, name: &str) -> Option<String> {
    let form: QueryMap = std::str::from_utf8(request.body()).ok()?.parse().ok()?;
    form.first(name).map(ToOwned::to_owned)
}

/// Whether the client shows pages: it accepts HTML, or it is a browser that opens a page and accepts anything. That is also
/// what a request without `Accept` says ([RFC 9110 section 12.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1)).
/// API clients get JSON instead, and no redirect to a login page that they cannot use.
pub fn wants_html(request: &Request) -> bool {
    let headers = request.headers();
    let opens_a_page = header_of(headers, "sec-fetch-mode") == Some("navigate");
    let accept = header_of(headers, "accept").unwrap_or_default().to_ascii_lowercase();
    let accepts_anything = accept.trim().is_empty() || accept.contains("*/*");
    accept.contains("text/html") || (opens_a_page && accepts_anything)
}

/// Whether the user opened this page: not a prefetch, a preview, an image, a frame or a script, and not HEAD.
pub fn is_navigation(request: &Request) -> bool {
    request.method() == Method::GET && is_opened(request)
}

/// Whether a client that shows pages asks for one, or with HEAD what it would get.
pub fn is_for_page(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && wants_html(request) && is_opened(request)
}

/// Browsers without Fetch Metadata send none of these headers; their request counts as one that the user made.
fn is_opened(request: &Request) -> bool {
    let headers = request.headers();
    let is = |name, value| header_of(headers, name).is_none_or(|found| found == value);
    let speculative = ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| {
        let purpose = header_of(headers, name).unwrap_or_default().to_ascii_lowercase();
        ["prefetch", "prerender", "preview"].iter().any(|ahead| purpose.contains(ahead))
    });
    is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document") && !speculative
}

/// Refuses a request that a page of another site made a browser send. A program sends neither of the two headers.
pub fn check_reader(request: &Request) -> Result<()> {
    let headers = request.headers();
    let ours = match header_of(headers, header::ORIGIN.as_str()) {
        Some(origin) => origin == address(request)?.origin().as_str(),
        None => true,
    };
    let same = header_of(headers, "sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    if ours && same { Ok(()) } else { Err(Kind::CrossSite.into()) }
}

/// Refuses a form that was not sent from a page of this origin.
///
/// `Sec-Fetch-Site` decides if the browser sends it; older ones send `Origin`. A request with neither is refused.
fn check_same_origin(request: &Request) -> Result<()> {
    let headers = request.headers();
    let same = match header_of(headers, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => header_of(headers, header::ORIGIN.as_str()) == Some(address(request)?.origin().as_str()),
    };
    if same { Ok(()) } else { Err(Kind::CrossSite.into()) }
}

/// The address of this site.
pub fn address(request: &Request) -> Result<Address> {
    gateway::address(request).ok_or_else(|| Kind::UnknownAddress.into())
}

/// The base path of this site, for links: empty if the site is at the top of its origin.
pub fn base(request: &Request) -> String {
    gateway::address(request).map(|address| address.base().to_owned()).unwrap_or_default()
}

/// The path of `login`, which is [`paths::LOGIN`](crate::paths::LOGIN) or [`paths::RENEW`](crate::paths::RENEW), below the
/// base path of this site; from there the browser comes back to the requested page.
pub fn leading_back(request: &Request, login: &str) -> String {
    base(request) + &ReturnPath::requested(request).as_next_of(login)
}

/// Whether the request came by another host name than that of `address`. A browser does not send cookies that are set
/// there to `address`, to which Globus redirects it (`127.0.0.1` and `localhost` share no cookies, for example).
pub fn is_elsewhere(request: &Request, address: &Address) -> bool {
    let host = header_of(request.headers(), header::HOST.as_str());
    host.is_some_and(|host| !host.eq_ignore_ascii_case(address.origin().authority()))
}

fn header_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BASE_URL, Event, function};

    #[track_caller]
    fn assert_same_origin(event: &Event, expected: bool) {
        let found = check_route(&event.request(), "/logout", "GET, POST, PUT, PATCH, DELETE");
        let refused = found.err().map(|error| error.row().reason.as_str());
        assert_eq!(refused, if expected { None } else { Some("cross_site") }, "{event:?}");
    }

    /// The address for a request that arrives at `domain_name`, in a deployment without `BASE_URL`.
    fn address_at(domain_name: &str, region: &str, suffix: &str) -> Result<Address> {
        let deployed = function(&[("BASE_URL", ""), ("AWS_REGION", region), ("URL_SUFFIX", suffix)], |_| Ok(()));
        address(&Event::get("/").arriving_at(domain_name).request_to(&deployed.site))
    }

    #[test]
    fn another_path_is_a_404_and_another_method_names_the_allowed_ones() {
        let request = |event: Event| check_route(&event.request(), "/login", "GET, HEAD");

        assert!(request(Event::get("/login?next=/x")).is_ok());
        assert!(request(Event::get("/login").method("HEAD")).is_ok());
        for path in ["/Login", "/login/", "/", "/login%00"] {
            assert_eq!(request(Event::get(path)).unwrap_err().kind(), &Kind::NotFound);
        }
        for method in ["POST", "get", "GE", "OPTIONS"] {
            let refused = request(Event::get("/login").method(method)).unwrap_err();
            assert_eq!(refused.kind(), &Kind::MethodNotAllowed("GET, HEAD"), "{method}");
        }
    }

    #[test]
    fn a_repeated_parameter_is_refused() {
        let request = Event::get("/login?code=a&state=s&code=b&empty=").request();

        assert_eq!(parameter(&request, "state").unwrap().as_deref(), Some("s"));
        assert_eq!(parameter(&request, "empty").unwrap().as_deref(), Some(""));
        assert_eq!(parameter(&request, "error").unwrap(), None);
        assert_eq!(parameter(&request, "code").unwrap_err().row().reason.as_str(), "parameter_repeated");
    }

    #[test]
    fn no_mode_of_a_request_makes_up_for_the_site_that_it_comes_from() {
        for mode in ["navigate", "no-cors", "cors", "same-origin", "websocket", ""] {
            for destination in ["document", "image", "empty", ""] {
                let headers = [("sec-fetch-mode", mode), ("sec-fetch-dest", destination)];
                let form = headers.iter().fold(Event::post("/logout"), |form, (name, value)| form.header(name, value));
                assert_same_origin(&form, true);
                for site in ["cross-site", "same-site", "none"] {
                    assert_same_origin(&form.clone().header("sec-fetch-site", site), false);
                }
                assert_same_origin(&form.header("sec-fetch-site", "").header("origin", ""), false);
            }
        }
    }

    #[test]
    fn a_prefetch_or_a_frame_is_not_a_navigation() {
        let login = || Event::get("/login");

        assert!(is_navigation(&login().request()));
        let without_fetch_metadata = ["sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site"]
            .into_iter()
            .fold(login(), |event, name| event.header(name, ""));
        assert!(is_navigation(&without_fetch_metadata.request()));

        for other in [
            login().header("sec-purpose", "prefetch;prerender"),
            login().header("sec-purpose", "prerender"),
            login().header("purpose", "prefetch"),
            login().header("purpose", "Prefetch"),
            login().header("x-moz", "prefetch"),
            login().header("x-purpose", "preview"),
            login().header("purpose", "preview"),
            login().header("sec-fetch-dest", "iframe"),
            login().header("sec-fetch-dest", "image"),
            login().header("sec-fetch-mode", "cors"),
            login().header("sec-fetch-mode", "no-cors"),
            login().method("HEAD"),
        ] {
            assert!(!is_navigation(&other.request()), "{other:?}");
        }
    }

    #[test]
    fn cross_site_request_forgery_is_refused_and_our_own_form_is_not() {
        let form = || Event::post("/logout");
        let old_browser = || form().header("sec-fetch-site", "");

        assert_same_origin(&form(), true);
        assert_same_origin(&old_browser(), true);
        for site in ["cross-site", "same-site", "none", "SAME-ORIGIN"] {
            assert_same_origin(&form().header("sec-fetch-site", site), false);
        }
        for origin in ["", "null", "https://evil.example", "https://gateway.example.evil", "http://gateway.example"] {
            assert_same_origin(&old_browser().header("origin", origin), false);
        }
    }

    #[test]
    fn without_a_base_url_only_the_apis_own_name_is_the_address() {
        let own = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com";

        for suffix in ["", "amazonaws.com"] {
            assert_eq!(address_at(own, "eu-west-1", suffix).unwrap().url(""), format!("https://{own}"));
        }
        for other in [
            "",
            "gateway.example",
            "evil.execute-api.eu-west-1.amazonaws.com",
            "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
            "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com.cn",
            "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com.evil.example",
            "x.a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(address_at(other, "eu-west-1", "").unwrap_err().kind(), &Kind::UnknownAddress, "{other}");
        }
    }

    #[test]
    fn the_apis_own_name_ends_as_its_partition_says() {
        for (region, suffix, own) in [
            ("cn-north-1", "amazonaws.com.cn", "a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu", "a1b2c3d4e5.execute-api.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(address_at(own, region, suffix).unwrap().url(""), format!("https://{own}"));
            let elsewhere = address_at(own, region, "amazonaws.com");
            assert_eq!(elsewhere.unwrap_err().kind(), &Kind::UnknownAddress, "{own}");
        }
    }

    #[test]
    fn no_header_changes_the_address() {
        let spoofed = Event::get("/login")
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("forwarded", "host=evil.example");

        assert_eq!(address(&spoofed.request()).unwrap().url(""), BASE_URL);
    }

    #[test]
    fn another_host_name_counts_as_elsewhere() {
        let ours = Address::parse("http://localhost:9000").unwrap();
        let elsewhere = |host| is_elsewhere(&Event::get("/").header("host", host).request(), &ours);

        assert!(elsewhere("127.0.0.1:9000"));
        assert!(elsewhere("localhost:9001"));
        assert!(!elsewhere("LOCALHOST:9000"));
        assert!(!elsewhere(""));
    }

    /// Whether a client with these headers gets pages; an empty one is not sent.
    fn wants(accept: &str, mode: &str) -> bool {
        wants_html(&Event::get("/").header("accept", accept).header("sec-fetch-mode", mode).request())
    }

    #[test]
    fn only_a_client_that_accepts_html_gets_a_page() {
        assert!(wants("text/html,application/xhtml+xml;q=0.9", ""));
        assert!(wants("Text/HTML", "cors"));
        assert!(!wants("application/json", ""));
        assert!(!wants("application/json", "navigate"));
    }

    #[test]
    fn a_browser_that_opens_a_page_and_accepts_anything_gets_a_page() {
        for anything in ["*/*", "image/png, */*;q=0.5", "", " "] {
            assert!(wants(anything, "navigate"), "{anything:?}");
            for program in ["", "cors", "no-cors", "same-origin", "websocket", "Navigate"] {
                assert!(!wants(anything, program), "{anything:?} {program:?}");
            }
        }
    }
}
