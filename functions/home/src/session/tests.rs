use serde_json::{Value, json};

use crate::tests::{signed_in, visit, visit_event_later};
use shared::testing::{Browser, Event, Log, SESSION, TABLE_DOWN, ticket};

/// As a script on a page of this site sends it.
fn script() -> Event {
    let event = Event::get("/session").header("accept", "*/*").header("sec-fetch-dest", "empty");
    event.header("sec-fetch-mode", "cors").header("sec-fetch-site", "same-origin")
}

#[tokio::test]
async fn a_script_learns_who_is_logged_in_and_gets_no_token() {
    let response = visit(&mut signed_in(&[]).await, &[], script()).await;

    let expected = json!({
        "sub": "8c8b2a0e-0000-4000-8000-000000000001",
        "username": "grace@gateway.example",
        "name": "Grace Hopper",
        "email": "grace.hopper@gateway.example",
        "organization": "Gateway Example",
        "session": "session-id-1",
        "expires": 1_800_172_740,
        "login": "/login?refresh",
        "logout": "/logout",
    });
    let body: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!((response.status, body), (200, expected));
    assert!(!response.body.contains("canary"), "{}", response.body);
    assert_eq!(response.headers["content-type"], "application/json");
    assert_eq!(response.headers["cross-origin-resource-policy"], "same-origin");
    assert_eq!(response.headers["cache-control"], "no-store");
    assert!(!response.headers.keys().any(|name| name.starts_with("access-control-")), "{:?}", response.headers);
    response.assert_no_cookie();
}

#[tokio::test]
async fn without_a_session_the_response_is_a_401_that_says_where_to_log_in() {
    let garbled = Browser { cookies: [(SESSION.to_owned(), "x".to_owned())].into() };
    // A user who opens the address gets JSON, too, and is not redirected.
    for event in [script(), Event::get("/session"), Event::get("/session").of_program()] {
        for browser in [Browser::default(), garbled.clone()] {
            let log = Log::listen();
            let response = visit(&mut browser.clone(), &[], event.clone()).await;
            assert_eq!((response.status, response.error().as_str()), (401, "sign_in_required"));
            let body: Value = serde_json::from_str(&response.body).unwrap();
            assert_eq!(body["login"], "/login");
            assert_eq!(response.headers["www-authenticate"], "Cookie realm=\"/login\"");
            log.assert_reason("sign_in_required");
        }
    }
}

#[tokio::test]
async fn a_session_that_is_to_be_renewed_is_a_401_and_one_that_has_ended_too() {
    let mut browser = signed_in(&[]).await;
    for (hours, reason, login) in [(48, "renewal_required", "/login?refresh"), (168, "sign_in_required", "/login")] {
        let response = visit_event_later(&mut browser, script(), hours * 3600).await;
        assert_eq!((response.status, response.error().as_str()), (401, reason));
        let body: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(body["login"], login);
    }
}

#[tokio::test]
async fn the_paths_have_the_base_path_of_the_site() {
    let below = [("BASE_URL", "https://gateway.example/portal")];
    let response = visit(&mut signed_in(&below).await, &below, script()).await;
    let body: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!((&body["login"], &body["logout"]), (&json!("/portal/login?refresh"), &json!("/portal/logout")));
    let response = visit(&mut Browser::default(), &below, script()).await;
    assert!(response.body.contains("\"login\":\"/portal/login\""), "{}", response.body);
}

#[tokio::test]
async fn a_page_of_another_site_reads_no_session() {
    let mut grace = signed_in(&[]).await;
    let plain = || Event::get("/session").of_program();
    let refused = [
        script().header("sec-fetch-site", "cross-site"),
        script().header("sec-fetch-site", "same-site"),
        script().header("sec-fetch-site", "SAME-ORIGIN"),
        script().header("origin", "https://evil.example"),
        script().header("origin", "null"),
        plain().header("origin", "https://evil.example"),
        plain().header("origin", "http://gateway.example"),
        plain().header("origin", "https://gateway.example.evil.example"),
        plain().header("origin", "https://gateway.example").header("sec-fetch-site", "cross-site"),
    ];
    for event in refused {
        let response = visit(&mut grace, &[], event.clone()).await;
        assert_eq!((response.status, response.error().as_str()), (403, "cross_site"), "{event:?}");
    }
    let answered = [
        plain(),
        script().header("origin", "https://gateway.example"),
        plain().header("origin", "https://gateway.example"),
        Event::get("/session"),
        script().method("HEAD"),
    ];
    for event in answered {
        assert_eq!(visit(&mut grace, &[], event.clone()).await.status, 200, "{event:?}");
    }
}

#[tokio::test]
async fn any_other_method_is_a_405() {
    for event in [Event::post("/session"), script().method("OPTIONS"), script().method("DELETE")] {
        let response = visit(&mut signed_in(&[]).await, &[], event).await;
        assert_eq!((response.status, response.headers["allow"].as_str()), (405, "GET, HEAD"));
    }
}

#[tokio::test]
async fn while_no_session_can_be_read_the_response_is_a_503_that_names_no_user() {
    for (pairs, reason) in [(&TABLE_DOWN[..], "store_unreachable"), (&[("SESSION_KEYS", "short")][..], "configuration")]
    {
        let response = visit(&mut Browser::default(), pairs, script().cookie(&ticket())).await;
        assert_eq!((response.status, response.error().as_str()), (503, reason));
        assert!(!response.body.contains("\"sub\""), "{}", response.body);
    }
}
