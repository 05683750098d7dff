mod rules;
mod table;

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    logout_mark,
    testing::{Browser, Event, Log, REQUEST_ID, SESSION, TABLE_DOWN, admitted, function, noon, session, ticket},
};

use super::*;

const SIGNED_IN: (&str, &str) = ("AUTHORIZER_MODE", "signed-in");
const VISITOR: (&str, &str) = ("AUTHORIZER_MODE", "visitor");

/// An authorizer with these settings.
fn authorizer(pairs: &[(&str, &str)]) -> Function<(App, AuthorizerMode)> {
    function(pairs, |env| read(App::read(env), env))
}

/// A browser that has logged in at noon at a site with these settings.
async fn signed_in(pairs: &[(&str, &str)]) -> Browser {
    let authorizer = authorizer(pairs);
    let (app, _) = authorizer.state().unwrap();
    let request = Event::get("/").request();
    let mut browser = Browser::default();
    browser.keep(&app.storage.create(&request, &session(noon()), noon()).await.unwrap().cookie);
    browser
}

/// The result for an event: as JSON, or the word of an error.
async fn result(pairs: &[(&str, &str)], event: &Event, now: Timestamp) -> Value {
    match authorizer(pairs).result(&handle, &event.json(), REQUEST_ID, now).await {
        Ok(verdict) => serde_json::to_value(verdict).unwrap(),
        Err(error) => error.error_type.into(),
    }
}

/// Where a visitor who opens a page is led to.
async fn login(pairs: &[(&str, &str)], event: &Event) -> Value {
    let result = result(&[pairs, &[VISITOR]].concat(), event, noon()).await;
    result["context"]["login"].clone()
}

#[tokio::test]
async fn the_function_behind_is_told_who_is_logged_in_and_gets_no_token() {
    let event = signed_in(&[]).await.with_cookies(Event::get("/report"));
    for mode in [SIGNED_IN, VISITOR] {
        let result = result(&[mode], &event, noon()).await;
        let expected = json!({
            "isAuthorized": true,
            "context": {
                "sub": "8c8b2a0e-0000-4000-8000-000000000001",
                "username": "grace@gateway.example",
                "name": "Grace Hopper",
                "email": "grace.hopper@gateway.example",
                "organization": "Gateway Example",
                "expires": "1800172740",
                "session": "session-id-1",
            },
        });
        assert_eq!(result, expected);
        assert!(!result.to_string().contains("canary"), "{result}");
    }
}

#[tokio::test]
async fn a_visitor_gets_the_way_to_the_login_and_nothing_else() {
    let log = Log::listen();
    let result = result(&[VISITOR], &Event::get("/report?year=2026"), noon()).await;
    log.assert_reason("sign_in_required");
    let line = log.text();
    assert!(line.lines().count() == 1 && line.contains(&format!("request_id={REQUEST_ID}")), "{line}");
    let login = "/login?refresh&next=%2Freport%3Fyear%3D2026";
    assert_eq!(result, json!({ "isAuthorized": true, "context": { "login": login } }));
}

#[tokio::test]
async fn a_denial_is_one_line_of_the_log_with_its_reason() {
    let log = Log::listen();
    let result = result(&[SIGNED_IN], &Event::get("/report"), noon()).await;
    assert_eq!(result, json!({ "isAuthorized": false, "context": {} }));
    log.assert_reason("sign_in_required");
    assert_eq!(log.text().lines().count(), 1, "{}", log.text());
}

#[tokio::test]
async fn an_unset_mode_is_the_strict_one_and_an_unknown_one_lets_no_request_through() {
    let visit = Event::get("/report");
    assert_eq!(result(&[], &visit, noon()).await["isAuthorized"], false);

    let event = signed_in(&[]).await.with_cookies(visit);
    for mode in ["Visitor", "visitors", "visitor,signed-in", "true", "none", "signed_in"] {
        let log = Log::listen();
        assert_eq!(result(&[("AUTHORIZER_MODE", mode)], &event, noon()).await, "configuration", "{mode:?}");
        assert!(log.text().contains("AUTHORIZER_MODE"), "{}", log.text());
    }
}

#[tokio::test]
async fn a_broken_configuration_and_an_unreadable_event_let_no_request_through() {
    let event = signed_in(&[]).await.with_cookies(Event::get("/report"));
    for (name, value) in [("SESSION_KEYS", "short"), ("BASE_URL", "x"), ("GLOBUS_CLIENT_ID", "x")] {
        assert_eq!(result(&[VISITOR, (name, value)], &event, noon()).await, "configuration", "{name}");
    }
    let broken = authorizer(&[("SESSION_KEYS", "short")]).result(&handle, &event.json(), REQUEST_ID, noon()).await;
    assert!(broken.unwrap_err().error_message.starts_with("Its configuration is not complete."));
    for event in ["", "{}", "null", "[]", r#"{"type":"TOKEN","authorizationToken":"x"}"#] {
        let denied = authorizer(&[VISITOR]).result(&handle, event, REQUEST_ID, noon()).await;
        assert_eq!(denied, Ok(Verdict::Denied), "{event}");
    }
}

/// API Gateway reports it as it came. A browser would take it for another host.
#[tokio::test]
async fn an_open_redirect_is_no_way_to_the_login() {
    for path in ["//evil.example", "//evil.example/%2e%2e", "///evil.example", "evil.example", ""] {
        let result = result(&[VISITOR], &Event::get(path), noon()).await;
        assert_eq!(result, json!({ "isAuthorized": false, "context": {} }), "{path}");
    }
    for path in ["/x/..//evil.example", "/%2e%2e//evil.example", "/login", "/logout", "/."] {
        assert_eq!(login(&[], &Event::get(path)).await, "/login?refresh&next=%2F", "{path}");
    }
    assert_eq!(login(&[], &Event::get("/\\evil.example")).await, "/login?refresh&next=%2F%255Cevil%2Eexample");
}

#[tokio::test]
async fn the_way_back_is_home_if_the_path_is_too_long() {
    let path = format!("/{}", "x".repeat(512));
    assert_eq!(login(&[], &Event::get(&path)).await, "/login?refresh&next=%2F");
}

#[tokio::test]
async fn the_way_to_the_login_and_back_has_the_base_path() {
    let below = [("BASE_URL", "https://gateway.example/portal")];
    for path in ["/report", "/portal/report"] {
        assert_eq!(login(&below, &Event::get(path)).await, "/portal/login?refresh&next=%2Freport", "{path}");
    }
    for path in ["/report", "/tools/report"] {
        let event = Event::get(path).mounted_at("/tools");
        assert_eq!(login(&[], &event).await, "/login?refresh&next=%2Ftools%2Freport", "{path}");
        let event = Event::get(path).mounted_at("tools/");
        assert_eq!(login(&below, &event).await, "/portal/login?refresh&next=%2Ftools%2Freport", "{path}");
    }
    let hostile = Event::get("/report").mounted_at("//evil.example/..");
    assert_eq!(login(&[], &hostile).await, "/login?refresh&next=%2F");
}

#[tokio::test]
async fn tokens_that_expire_on_arrival_lead_to_no_login_in_a_circle() {
    let authorizer = authorizer(&[]);
    let mut short_lived = session(noon());
    short_lived.tokens[0].lifetime = Duration::from_secs(1);
    let created = authorizer.state().unwrap().0.storage.create(&Event::get("/").request(), &short_lived, noon()).await;
    let event = Event::get("/report").cookie(&created.unwrap().cookie.stripped().to_string());

    let result = result(&[VISITOR], &event, noon() + Duration::from_secs(2)).await;

    assert_eq!(result, "token_lifetime_missing");
}

/// They are all up to the client.
#[tokio::test]
async fn authorizer_bypass_by_a_header_changes_no_verdict() {
    let user = r#"{"authorizer":{"lambda":{"sub":"8c8b2a0e-0000-4000-8000-000000000001"}}}"#;
    let headers = [
        ("user-agent", "kube-probe/1.0"),
        ("user-agent", "GoogleHC/1.0"),
        ("x-forwarded-uri", "/"),
        ("x-forwarded-uri", "/login"),
        ("x-forwarded-host", "gateway.example"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-user", "grace@gateway.example"),
        ("x-auth-request-user", "grace@gateway.example"),
        ("x-original-url", "/login"),
        ("x-original-uri", "/login"),
        ("x-original-method", "OPTIONS"),
        ("x-rewrite-url", "/login"),
        ("x-http-method-override", "GET"),
        ("x-amzn-request-context", user),
        ("x-amzn-oidc-identity", "8c8b2a0e-0000-4000-8000-000000000001"),
        ("requestcontext", user),
        ("authorization", "Bearer access-canary-auth.globus.org"),
        ("sub", "8c8b2a0e-0000-4000-8000-000000000001"),
        ("host", "evil.example"),
        ("x-origin-secret", "any"),
        ("referer", "https://gateway.example/"),
        ("x-middleware-subrequest", "middleware"),
    ];
    // What the context has, by names that proxies use.
    let parts = ["sub", "username", "name", "email", "organization", "expires", "session", "roles", "login"];
    let prefixes = ["", "x-", "x-forwarded-", "x-auth-request-", "x-amzn-"];
    let names: Vec<_> = prefixes.iter().flat_map(|prefix| parts.map(|part| format!("{prefix}{part}"))).collect();
    let with_underscores = names.iter().map(|name| name.replace('-', "_")).collect::<Vec<_>>();
    let names = names.iter().chain(&with_underscores).map(|name| (name.as_str(), "mallory@evil.example"));
    let headers = headers.into_iter().chain(names);
    let headers: Vec<_> = headers.collect();
    let grace = signed_in(&[]).await;
    for mode in [SIGNED_IN, VISITOR] {
        for event in [Event::get("/report"), Event::get("/report").of_program(), Event::post("/report")] {
            for event in [event.clone(), grace.with_cookies(event)] {
                let plain = result(&[mode], &event, noon()).await;
                for &(name, value) in &headers {
                    let with = result(&[mode], &event.clone().header(name, value), noon()).await;
                    assert_eq!(with, plain, "{name}: {value} with {event:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn authorizer_bypass_by_a_path_changes_no_verdict() {
    for path in [
        "/",
        "/login",
        "/logout",
        "/health",
        "/report?/health",
        "/report%23/health",
        "/report%3F/health",
        "/health/../report",
        "/report/..%2Fhealth",
        "/login/../report",
        "/LOGIN",
        "/report;/health",
        "/.well-known/x",
    ] {
        let strict = result(&[SIGNED_IN], &Event::get(path), noon()).await;
        assert_eq!(strict, json!({ "isAuthorized": false, "context": {} }), "{path}");
        let page = result(&[VISITOR], &Event::get(path), noon()).await;
        let names: Vec<_> = page["context"].as_object().unwrap().keys().collect();
        assert!(names == ["login"] && page["isAuthorized"] == true, "{path}: {page}");
    }
}

#[tokio::test]
async fn a_request_that_goes_round_the_proxy_is_denied() {
    let secret = ("ORIGIN_SECRET", "an-origin-secret-of-at-least-32-characters");
    let event = signed_in(&[]).await.with_cookies(Event::get("/report"));

    assert_eq!(result(&[SIGNED_IN, secret], &event, noon()).await["isAuthorized"], false);
    let through = event.header("x-origin-secret", secret.1);
    assert_eq!(result(&[SIGNED_IN, secret], &through, noon()).await["isAuthorized"], true);
}

#[tokio::test]
async fn a_session_from_before_a_logout_is_not_logged_in() {
    let mut browser = signed_in(&[]).await;
    let authorizer = authorizer(&[]);
    let (app, _) = authorizer.state().unwrap();
    let request = browser.with_cookies(Event::get("/")).request();
    browser.keep(&logout_mark::cookie(&request, &app.cookies, None, app.config.session_max, noon()).unwrap());

    let event = browser.with_cookies(Event::get("/report"));

    let login = "/login?refresh&next=%2Freport";
    assert_eq!(
        result(&[VISITOR], &event, noon()).await,
        json!({ "isAuthorized": true, "context": { "login": login } })
    );
    assert_eq!(result(&[SIGNED_IN], &event, noon()).await["isAuthorized"], false);
}

/// The largest values that a session can have, each character of which is escaped in JSON.
#[tokio::test]
async fn the_largest_context_is_below_four_kilobytes() {
    let mut session = admitted(&[rules::GROUP], &[&"r".repeat(256)], noon());
    session.identity.sub = "s".repeat(255);
    let longest = || shared::session::DisplayText::new(&"é".repeat(200));
    let identity = &mut session.identity;
    for text in [&mut identity.name, &mut identity.username, &mut identity.email, &mut identity.organization] {
        *text = longest();
    }
    let verdict = Verdict::SignedIn { who: session.who().collect(), expires: noon() };

    let text = serde_json::to_string(&verdict).unwrap();

    let escaped: usize = text.chars().map(|character| if character.is_ascii() { 1 } else { 6 }).sum();
    assert!((1_000..4_096).contains(&escaped), "{escaped}");
}

#[tokio::test]
async fn each_sample_event_gets_its_verdict() {
    let cases = [
        ("authorizer-program", SIGNED_IN, json!({ "isAuthorized": false, "context": {} })),
        (
            "authorizer-navigation",
            VISITOR,
            json!({ "isAuthorized": true, "context": { "login": "/login?refresh&next=%2Fexamples%2Freport" } }),
        ),
    ];
    for (name, mode, expected) in &cases {
        assert_eq!(result(&[*mode], &Event::sample(name), noon()).await, *expected, "{name}");
    }
    let named = cases.map(|(name, ..)| name.to_owned());
    assert_eq!(Event::samples_for("authorizer-"), named.into());
}
