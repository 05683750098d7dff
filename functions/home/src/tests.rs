use std::time::Duration;

use shared::{
    Function,
    testing::{self, Answer, Browser, Event, Log, noon, session},
};

use super::*;

const SESSION: &str = "__Host-session";

/// How long the tokens of `session` live, in seconds.
const TOKEN_LIFE: u64 = 48 * 3600;

fn function(pairs: &[(&str, &str)]) -> Function<App> {
    testing::function(pairs, App::read)
}

/// A browser whose session began at noon, sealed by a function with these settings.
async fn signed_in(pairs: &[(&str, &str)]) -> Browser {
    let app = function(pairs).state.unwrap();
    let mut browser = Browser::default();
    browser.keep(&app.storage.create(&Event::get("/").request(), &session(noon()), noon()).await.unwrap());
    browser
}

async fn visit(browser: &mut Browser, pairs: &[(&str, &str)], event: Event) -> Answer {
    browser.send(&function(pairs), handle, event, noon()).await
}

async fn visit_later(browser: &mut Browser, seconds: u64) -> Answer {
    let later = noon() + Duration::from_secs(seconds);
    browser.send(&function(&[]), handle, Event::get("/"), later).await
}

#[tokio::test]
async fn somebody_signed_out_is_offered_to_log_in() {
    let answer = visit(&mut Browser::default(), &[], Event::get("/")).await;

    answer.assert_page(200, "Log in with Globus").assert_no_cookie();
}

#[tokio::test]
async fn somebody_signed_in_sees_who_they_are_and_what_the_app_holds() {
    let show = [("SHOW_TOKENS", "true")];
    let answer = visit(&mut signed_in(&[]).await, &show, Event::get("/")).await;

    for shown in [
        "Hello Grace Hopper!",
        "grace@gateway.example",
        "grace.hopper@gateway.example",
        "8c8b2a0e-0000-4000-8000-000000000001",
        "Gateway Example",
        "Globus Auth",
        "Globus Transfer",
        "access-canary-transfer.api.globus.org",
        "refresh-canary-transfer.api.globus.org",
    ] {
        answer.assert_page(200, shown);
    }
    answer.assert_no_cookie();
}

#[tokio::test]
async fn with_show_tokens_off_no_token_is_in_the_body() {
    let answer = visit(&mut signed_in(&[]).await, &[], Event::get("/")).await;

    answer.assert_page(200, "Hello Grace Hopper!");
    assert!(!answer.body.contains("canary"), "{}", answer.body);
}

#[tokio::test]
async fn a_sign_in_that_is_about_to_end_is_sent_to_be_renewed() {
    let mut browser = signed_in(&[]).await;

    let before = visit_later(&mut browser, TOKEN_LIFE - 61).await;
    before.assert_page(200, "Hello Grace Hopper!");
    let after = visit_later(&mut browser, TOKEN_LIFE - 60).await;
    after.assert_redirect(302, "/login?refresh&next=%2F").assert_no_cookie();

    let program = Event::get("/").header("accept", "application/json");
    let later = noon() + Duration::from_secs(TOKEN_LIFE);
    let answer = browser.send(&function(&[]), handle, program, later).await;
    assert_eq!((answer.status, answer.error().as_str()), (401, "renewal_required"));
}

#[tokio::test]
async fn a_sign_in_that_has_ended_is_said_to_have() {
    let mut browser = signed_in(&[]).await;

    let after = visit_later(&mut browser, 168 * 3600).await;
    after.assert_page(200, "Your sign-in has expired");
    assert!(!after.body.contains("Grace"), "{}", after.body);
}

#[tokio::test]
async fn an_unreadable_cookie_means_signed_out_and_is_taken_away() {
    let log = Log::listen();
    let mut browser = Browser::default();
    browser.cookies.insert(SESSION.to_owned(), "cookie-canary".to_owned());

    let answer = visit(&mut browser, &[], Event::get("/")).await;

    answer.assert_page(200, "Log in with Globus").assert_cleared(SESSION);
    log.assert_reason("cookie_unreadable");
    assert!(!log.text().contains("canary"), "{}", log.text());
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn a_key_change_signs_nobody_out_in_whatever_order_the_functions_follow() {
    const OLD: &str = "the-old-session-key-of-32-characters";
    const NEW: &str = "the-new-session-key-of-32-characters";
    let stages = [OLD.to_owned(), format!("{OLD},{NEW}"), format!("{NEW},{OLD}"), NEW.to_owned()];

    for (one, other) in [(0, 1), (1, 2), (2, 3)] {
        for (login, home) in [(one, other), (other, one)] {
            let mut browser = signed_in(&[("SESSION_KEYS", &stages[login])]).await;
            let keys = [("SESSION_KEYS", stages[home].as_str())];
            let answer = visit(&mut browser, &keys, Event::get("/")).await;
            answer.assert_page(200, "Hello Grace Hopper!");
        }
    }
    let mut left_behind = signed_in(&[("SESSION_KEYS", OLD)]).await;
    let answer = visit(&mut left_behind, &[("SESSION_KEYS", NEW)], Event::get("/")).await;
    answer.assert_page(200, "Log in with Globus").assert_cleared(SESSION);
}

#[tokio::test]
async fn a_session_under_many_large_and_odd_cookies_is_still_found() {
    let mut browser = signed_in(&[]).await;
    for number in 0..20 {
        browser.cookies.insert(format!("a{number}"), "%zz\u{7}\"\\".repeat(50));
    }

    let answer = visit(&mut browser, &[], Event::get("/")).await;
    answer.assert_page(200, "Hello Grace Hopper!");
}

#[tokio::test]
async fn head_is_answered_as_get_is() {
    let answer = visit(&mut Browser::default(), &[], Event::get("/").method("HEAD")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn any_other_path_is_a_404_and_any_other_method_a_405() {
    for path in ["/nothing", "/favicon.ico", "/wp-admin/", "/%2e%2e/", "/home"] {
        let answer = visit(&mut Browser::default(), &[], Event::get(path)).await;
        answer.assert_page(404, "Page not found");
    }
    let answer = visit(&mut Browser::default(), &[], Event::post("/")).await;
    answer.assert_page(405, "not possible here");
    assert_eq!(answer.headers["allow"], "GET, HEAD");
}

#[tokio::test]
async fn each_missing_or_malformed_variable_is_a_503_page_and_one_line_that_names_it() {
    for (variable, value) in [
        ("GLOBUS_CLIENT_ID", ""),
        ("GLOBUS_CLIENT_ID", "value canary"),
        ("SESSION_KEYS", ""),
        ("SESSION_KEYS", "canary"),
        ("BASE_URL", "canary.example"),
        ("GLOBUS_AUTH_URL", "http://canary.example"),
        ("SESSION_MAX_HOURS", "canary"),
        ("SHOW_TOKENS", "canary"),
    ] {
        let log = Log::listen();
        let answer = visit(&mut signed_in(&[]).await, &[(variable, value)], Event::get("/")).await;

        answer.assert_page(503, "This site is not ready yet").assert_no_cookie();
        log.assert_reason("configuration");
        assert!(log.text().contains(variable), "{}", log.text());
        assert!(!(log.text() + &answer.body).contains("canary"), "{}", log.text());
    }
}

#[tokio::test]
async fn a_deployment_without_an_application_says_what_to_register_and_what_comes_next() {
    let log = Log::listen();
    let answer = visit(&mut Browser::default(), &[("GLOBUS_CLIENT_ID", "")], Event::get("/")).await;
    answer.assert_page(503, "https:&#x2f;&#x2f;gateway.example&#x2f;login").assert_page(503, "sam deploy --guided");
    log.assert_reason("configuration");

    let own_name = [("GLOBUS_CLIENT_ID", ""), ("BASE_URL", ""), ("AWS_REGION", "us-east-1")];
    let name = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";
    let answer = visit(&mut Browser::default(), &own_name, Event::get("/").arriving_at(name)).await;
    assert!(answer.body.replace("&#x2f;", "/").contains(&format!("https://{name}/login")), "{}", answer.body);

    let spoofed = Event::get("/").arriving_at("evil.example").header("host", "evil.example");
    let answer = visit(&mut Browser::default(), &own_name, spoofed).await;
    answer.assert_page(503, "sam deploy --guided");
    assert!(!answer.body.contains("evil"), "{}", answer.body);

    let program = Event::get("/").header("accept", "application/json");
    let answer = visit(&mut Browser::default(), &own_name, program).await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "configuration"));
}

#[tokio::test]
async fn every_sample_event_is_answered() {
    let samples = [
        ("home-signed-out", 200, "Log in with Globus"),
        ("home-unreadable-cookie", 200, "Log in with Globus"),
        ("home-not-found", 404, "Page not found"),
        ("home-wrong-method", 405, "not possible here"),
    ];
    for (name, status, text) in samples {
        let answer = visit(&mut Browser::default(), &[], Event::sample(name)).await;
        answer.assert_page(status, text);
    }
    let named = samples.map(|(name, ..)| name.to_owned());
    assert_eq!(Event::samples_for("home-"), named.into());
}

/// If `lambda_http` itself reads the event, each of these ends the process.
#[tokio::test]
async fn an_event_that_makes_no_url_gets_an_answer_of_ours() {
    let hosts = ["a b", "[::", "good.example@evil.example", ""];
    let protocols = ["1", "https,http", "javascript"];
    let headers =
        hosts.map(|host| ("host", host)).into_iter().chain(protocols.map(|protocol| ("x-forwarded-proto", protocol)));
    for (name, value) in headers {
        let answer = visit(&mut Browser::default(), &[], Event::get("/").header(name, value)).await;
        answer.assert_page(200, "Log in with Globus");
    }
    for query in ["a b", "a=<b>", "{", "}", "|", "%", "%ff", "%zz", "a=\u{fffd}"] {
        let answer = visit(&mut Browser::default(), &[], Event::get(&format!("/?{query}"))).await;
        assert!(matches!(answer.status, 200 | 400), "{query}: {answer:?}");
        assert!(answer.headers.contains_key("content-security-policy"));
    }
}
