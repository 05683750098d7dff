use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    config::Config,
    log::Reason,
    testing::{EXPECTED_HEADERS, Event, Log, configure, sealed_cookies},
};

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn body(response: &Response<Body>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

fn refused(event: &Event, kind: Kind) -> Response<Body> {
    respond(&event.request(), Err(kind.into()))
}

#[test]
fn every_response_has_the_security_headers() {
    let own = respond(&Request::default(), Ok(Response::new("of a handler that builds its own response".into())));
    let responses = [
        respond(
            &Request::default(),
            html(&Event::get("/").request(), StatusCode::OK, &Page::SignedOut { expired: false }),
        ),
        respond(&Request::default(), redirect(StatusCode::FOUND, "https://gateway.example/")),
        respond(&Request::default(), Ok(text(StatusCode::OK, "text".to_owned()))),
        refused(&Event::get("/x"), Kind::NotFound),
        refused(&Event::get("/x").header("accept", "application/json"), Kind::Internal(Reason::PageNotRendered)),
        respond(&Request::default(), Err(Kind::BadRequest(Reason::EventUnreadable).into())),
        own,
    ];
    for response in responses {
        for (name, value) in EXPECTED_HEADERS {
            assert_eq!(header(&response, name), value, "{name} of {}", response.status());
        }
        let policy = header(&response, "content-security-policy");
        let parts: Vec<_> = policy.split("; ").map(|part| part.split(" 'sha256-").next().unwrap()).collect();
        assert_eq!(
            parts,
            [
                "default-src 'none'",
                "style-src",
                "script-src",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'self'",
                "frame-ancestors 'none'"
            ]
        );
    }
}

/// What stands between the two tags, in every element of that kind.
fn inside<'a>(html: &'a str, open: &'static str, close: &'static str) -> Vec<&'a str> {
    html.split(open).skip(1).map(|rest| rest.split_once(close).unwrap().0).collect()
}

#[test]
fn the_policy_lets_the_style_and_scripts_of_each_page_run() {
    let personal = Page::LogOut { display_name: None, expired: false, can_end_everywhere: false };
    let pages = [
        respond(&Request::default(), html(&Event::get("/").request(), StatusCode::OK, &personal)),
        refused(&Event::get("/x"), Kind::NotFound),
    ];
    for page in pages {
        let policy = header(&page, "content-security-policy");
        for (open, close, directive) in [("<style>", "</style>", "style-src"), ("<script>", "</script>", "script-src")]
        {
            let elements = inside(body(&page), open, close);
            assert_eq!(elements.len(), 1, "{open}");
            let hash = format!("'sha256-{}'", STANDARD.encode(Sha256::digest(elements[0])));
            let directive = policy.split("; ").find(|part| part.starts_with(directive)).unwrap();
            assert!(directive.contains(&hash), "no {hash} in {directive}");
        }
    }
}

#[test]
fn a_handler_may_set_a_header_to_another_value() {
    let mut response = Response::new(Body::Empty);
    response.headers_mut().insert("cache-control", HeaderValue::from_static("private, max-age=60"));

    let response = respond(&Request::default(), Ok(response));

    let values: Vec<_> = response.headers().get_all("cache-control").iter().collect();
    assert_eq!(values, ["private, max-age=60"]);
}

#[test]
fn a_browser_gets_a_page_and_an_api_client_gets_json() {
    let page = refused(&Event::get("/x"), Kind::NotFound);
    assert_eq!(page.status(), 404);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert!(body(&page).contains("<h1>Page not found</h1>"));

    let json = refused(&Event::get("/x").header("accept", "application/json"), Kind::NotFound);
    assert_eq!(json.status(), 404);
    assert_eq!(header(&json, "content-type"), "application/json");
    assert_eq!(body(&json), r#"{"error":"not_found","message":"There is no page at this address."}"#);
}

#[test]
fn a_page_for_signed_in_users_sends_others_to_login_and_back() {
    let files = refused(&Event::get("/files?a=b%26c"), Kind::SignInRequired);
    assert_eq!(files.status(), 302);
    assert_eq!(header(&files, "location"), "/login?next=%2Ffiles%3Fa%3Db%2526c");

    let smuggled = refused(&Event::get("/files?a=b&scope=evil"), Kind::SignInRequired);
    assert_eq!(header(&smuggled, "location"), "/login?next=%2Ffiles%3Fa%3Db%26scope%3Devil");

    let form = refused(&Event::post("/files"), Kind::SignInRequired);
    assert_eq!(header(&form, "location"), "/login?next=%2F");

    for kind in [Kind::SignInRequired, Kind::RenewalRequired] {
        let program = refused(&Event::get("/files").header("accept", "application/json"), kind);
        assert_eq!(program.status(), 401);
        assert_eq!(header(&program, "www-authenticate"), "Cookie realm=\"/login\"");
    }
}

#[test]
fn a_page_whose_permission_is_missing_leads_to_login_and_back() {
    let missing = Kind::PermissionMissing(Reason::ServiceForbidden, "This page needs it.");
    let files = refused(&Event::get("/files?a=b%26c"), missing.clone());
    assert!(body(&files).contains("href=\"&#x2f;login?next=%2Ffiles%3Fa%3Db%2526c\""), "{}", body(&files));

    let form = refused(&Event::post("/files"), missing);
    assert!(body(&form).contains("href=\"&#x2f;login\""), "{}", body(&form));
}

#[test]
fn the_response_to_a_wrong_method_names_the_allowed_ones() {
    let response = refused(&Event::get("/").method("DELETE"), Kind::MethodNotAllowed("GET, HEAD"));
    assert_eq!((response.status().as_u16(), header(&response, "allow")), (405, "GET, HEAD"));
}

#[test]
fn an_error_page_offers_a_new_sign_in_only_if_it_can_help() {
    let start_again = |kind| body(&refused(&Event::get("/login"), kind)).contains("Start again</a>");

    assert!(start_again(Kind::UnknownAttempt(Reason::StateUnknown)));
    assert!(start_again(Kind::GlobusUnavailable(Reason::GlobusTimeout)));
    assert!(!start_again(Kind::NotFound));
    assert!(!start_again(Kind::SessionTooLarge(5_000)), "the next sign-in would be as large");
}

#[test]
fn a_configuration_error_names_the_variable_in_the_log_only() {
    let log = Log::listen();
    let problems = configure(&[("SESSION_KEYS", "")], Config::read).unwrap_err();
    let response = refused(&Event::get("/"), Kind::Config(problems));

    assert_eq!(response.status(), 503);
    assert!(!body(&response).contains("SESSION_KEYS"));
    assert!(log.text().contains("SESSION_KEYS is missing"), "{}", log.text());
}

#[test]
fn the_response_to_an_error_sets_its_cookies() {
    let cookies = sealed_cookies(&[]).unwrap();
    let error = Error::from(Kind::Denied).with_cookie(cookies.removal("session"));

    let response = respond(&Event::get("/login").request(), Err(error));
    assert!(header(&response, "set-cookie").starts_with("__Host-session-8af82921=;"));
}

#[test]
fn a_location_cannot_hold_a_second_header() {
    assert!(redirect(StatusCode::FOUND, "https://gateway.example/\r\nSet-Cookie: x=1").is_err());
}

#[test]
fn a_login_too_large_for_a_cookie_is_logged_with_its_size() {
    let log = Log::listen();
    let response = refused(&Event::get("/login"), Kind::SessionTooLarge(5_000));

    assert_eq!(response.status(), 500);
    assert!(log.text().contains("detail=\"5000 bytes, at most 4096\""), "{}", log.text());
}

#[test]
fn a_program_of_a_user_who_may_not_come_in_learns_where_to_use_another_account() {
    let site = crate::config::Site {
        base_url: crate::config::Address::parse("https://gateway.example/portal"),
        ..crate::config::Site::default()
    };
    let error = Error::from(Kind::NotAdmitted(Box::new(crate::testing::denial()))).for_program();
    let response = respond(&Event::get("/").request_to(&site), Err(error));
    let told: Value = serde_json::from_str(body(&response)).unwrap();
    assert_eq!((&told["error"], &told["login"]), (&json!("domain_not_allowed"), &json!("/portal/login?account=other")));
}
