mod rules;

use std::time::Duration;

use shared::{
    Function, logout_mark,
    session::DisplayText,
    testing::{self, Browser, Event, Log, Received, SESSION, TABLE_DOWN, noon, session, ticket},
};

use super::*;

/// How long the tokens of `session` live, in seconds.
const TOKEN_LIFE: u64 = 48 * 3600;

fn function(pairs: &[(&str, &str)]) -> Function<App> {
    testing::function(pairs, App::read)
}

/// A browser whose session began at noon, sealed by a function with these settings.
pub(crate) async fn signed_in(pairs: &[(&str, &str)]) -> Browser {
    let app = function(pairs).state.unwrap();
    let mut browser = Browser::default();
    browser.keep(&app.storage.create(&Event::get("/").request(), &session(noon()), noon()).await.unwrap().cookie);
    browser
}

pub(crate) async fn visit(browser: &mut Browser, pairs: &[(&str, &str)], event: Event) -> Received {
    browser.send(&function(pairs), handle, event, noon()).await
}

async fn visit_later(browser: &mut Browser, seconds: u64) -> Received {
    visit_event_later(browser, Event::get("/"), seconds).await
}

pub(crate) async fn visit_event_later(browser: &mut Browser, event: Event, seconds: u64) -> Received {
    browser.send(&function(&[]), handle, event, noon() + Duration::from_secs(seconds)).await
}

#[tokio::test]
async fn a_signed_out_visitor_gets_a_login_link() {
    let response = visit(&mut Browser::default(), &[], Event::get("/")).await;

    response.assert_page(200, "Log in with Globus").assert_no_cookie();
    response.assert_page(200, "login?account=other\">Use another account</a>");
}

#[tokio::test]
async fn a_signed_in_user_sees_the_identity_and_the_tokens() {
    let show = [("SHOW_TOKENS", "true")];
    let response = visit(&mut signed_in(&[]).await, &show, Event::get("/")).await;

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
        response.assert_page(200, shown);
    }
    response.assert_no_cookie();
}

#[tokio::test]
async fn with_show_tokens_off_no_token_is_in_the_body() {
    let response = visit(&mut signed_in(&[]).await, &[], Event::get("/")).await;

    response.assert_page(200, "Hello Grace Hopper!");
    assert!(!response.body.contains("canary"), "{}", response.body);
}

#[tokio::test]
async fn a_session_whose_token_expires_soon_is_sent_to_the_renewal() {
    let mut browser = signed_in(&[]).await;

    let before = visit_later(&mut browser, TOKEN_LIFE - 61).await;
    before.assert_page(200, "Hello Grace Hopper!");
    let after = visit_later(&mut browser, TOKEN_LIFE - 60).await;
    after.assert_redirect(302, "/login?refresh&next=%2F").assert_no_cookie();

    let program = Event::get("/").header("accept", "application/json");
    let later = noon() + Duration::from_secs(TOKEN_LIFE);
    let response = browser.send(&function(&[]), handle, program, later).await;
    assert_eq!((response.status, response.error().as_str()), (401, "renewal_required"));
}

#[tokio::test]
async fn the_page_says_that_a_session_has_expired() {
    let mut browser = signed_in(&[]).await;

    let after = visit_later(&mut browser, 168 * 3600).await;
    after.assert_page(200, "Your login has expired");
    assert!(!after.body.contains("Grace"), "{}", after.body);
}

#[tokio::test]
async fn an_unreadable_cookie_means_signed_out_and_may_be_another_apps() {
    let log = Log::listen();
    let mut browser = Browser::default();
    browser.cookies.insert(SESSION.to_owned(), "cookie-canary".to_owned());

    let response = visit(&mut browser, &[], Event::get("/")).await;

    response.assert_page(200, "Log in with Globus").assert_no_cookie();
    log.assert_reason("cookie_unreadable");
    assert!(!log.text().contains("canary"), "{}", log.text());
}

/// A response that was on its way while the user logged out has set the session cookie again.
#[tokio::test]
async fn a_session_from_before_a_logout_is_led_to_the_end_of_that_logout() {
    let mut browser = signed_in(&[]).await;
    let app = function(&[]).state.unwrap();
    let request = browser.with_cookies(Event::get("/")).request();
    browser.keep(&logout_mark::cookie(&request, &app.cookies, None, app.config.session_max, noon()).unwrap());

    let response = visit(&mut browser, &[], Event::get("/")).await;

    response.assert_redirect(302, "https://gateway.example/logout").assert_no_cookie();
    let program = visit(&mut browser, &[], Event::get("/").header("accept", "application/json")).await;
    assert!(!program.body.contains("Grace"), "{}", program.body);
}

#[tokio::test]
async fn a_key_change_logs_no_user_out_in_any_order_of_updates() {
    const OLD: &str = "the-old-session-key-of-32-characters";
    const NEW: &str = "the-new-session-key-of-32-characters";
    let stages = [OLD.to_owned(), format!("{OLD},{NEW}"), format!("{NEW},{OLD}"), NEW.to_owned()];

    for (one, other) in [(0, 1), (1, 2), (2, 3)] {
        for (login, home) in [(one, other), (other, one)] {
            let mut browser = signed_in(&[("SESSION_KEYS", &stages[login])]).await;
            let keys = [("SESSION_KEYS", stages[home].as_str())];
            let response = visit(&mut browser, &keys, Event::get("/")).await;
            response.assert_page(200, "Hello Grace Hopper!");
        }
    }
    let mut left_behind = signed_in(&[("SESSION_KEYS", OLD)]).await;
    let response = visit(&mut left_behind, &[("SESSION_KEYS", NEW)], Event::get("/")).await;
    response.assert_page(200, "Log in with Globus").assert_no_cookie();
}

/// As the first release's login sealed it, under the name that it had then.
const OF_THE_FIRST_RELEASE: &str = include_str!("../../../shared/src/storage/samples/session-1.txt");

#[tokio::test]
async fn home_ahead_of_login_shows_the_session_that_the_old_login_set() {
    let mut browser = Browser::default();
    browser.cookies.insert("__Host-session".to_owned(), OF_THE_FIRST_RELEASE.trim().to_owned());

    visit(&mut browser, &[], Event::get("/")).await.assert_page(200, "Hello Grace Hopper!").assert_no_cookie();

    // The old login has set it in a browser that the new one had signed in.
    browser.cookies.extend(signed_in(&[]).await.cookies);
    visit(&mut browser, &[], Event::get("/")).await.assert_page(200, "Hello Grace Hopper!").assert_no_cookie();
}

/// The session of an attacker, whose cookie a sibling domain has set, comes before the user's own.
#[tokio::test]
async fn session_swap_by_a_sibling_domain_shows_no_other_users_session() {
    let attackers = signed_in(&[]).await.cookies[SESSION].clone();
    let planted = format!("\u{2000}{SESSION}={attackers}");

    let page = visit(&mut Browser::default(), &[], Event::get("/").cookie(&planted)).await;
    page.assert_page(200, "Log in with Globus").assert_no_cookie();
}

#[tokio::test]
async fn a_session_is_found_among_many_large_malformed_cookies() {
    let mut browser = signed_in(&[]).await;
    for number in 0..20 {
        browser.cookies.insert(format!("a{number}"), "%zz\u{7}\"\\".repeat(50));
    }

    let response = visit(&mut browser, &[], Event::get("/")).await;
    response.assert_page(200, "Hello Grace Hopper!");
}

#[tokio::test]
async fn head_gets_the_status_of_get() {
    let response = visit(&mut Browser::default(), &[], Event::get("/").method("HEAD")).await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn any_other_path_is_a_404_and_any_other_method_a_405() {
    for path in ["/nothing", "/favicon.ico", "/wp-admin/", "/%2e%2e/", "/home"] {
        let response = visit(&mut Browser::default(), &[], Event::get(path)).await;
        response.assert_page(404, "Page not found");
    }
    let response = visit(&mut Browser::default(), &[], Event::post("/")).await;
    response.assert_page(405, "not possible here");
    assert_eq!(response.headers["allow"], "GET, HEAD");
}

#[tokio::test]
async fn each_invalid_variable_is_a_503_page_and_one_log_line_that_names_it() {
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
        let response = visit(&mut signed_in(&[]).await, &[(variable, value)], Event::get("/")).await;

        response.assert_page(503, "This site is not ready yet").assert_no_cookie();
        log.assert_reason("configuration");
        assert!(log.text().contains(variable), "{}", log.text());
        assert!(!(log.text() + &response.body).contains("canary"), "{}", log.text());
    }
}

#[tokio::test]
async fn a_new_deployment_shows_what_to_register_and_the_next_step() {
    let log = Log::listen();
    let response = visit(&mut Browser::default(), &[("GLOBUS_CLIENT_ID", "")], Event::get("/")).await;
    response
        .assert_page(503, "https:&#x2f;&#x2f;gateway.example&#x2f;login")
        .assert_page(503, "sam build &amp;&amp; sam deploy");
    log.assert_reason("configuration");

    let own_name = [("GLOBUS_CLIENT_ID", ""), ("BASE_URL", ""), ("AWS_REGION", "us-east-1")];
    let name = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";
    let response = visit(&mut Browser::default(), &own_name, Event::get("/").arriving_at(name)).await;
    assert!(response.body.replace("&#x2f;", "/").contains(&format!("https://{name}/login")), "{}", response.body);

    let spoofed = Event::get("/").arriving_at("evil.example").header("host", "evil.example");
    let response = visit(&mut Browser::default(), &own_name, spoofed).await;
    response.assert_page(503, "sam build &amp;&amp; sam deploy");
    assert!(!response.body.contains("evil"), "{}", response.body);

    let program = Event::get("/").header("accept", "application/json");
    let response = visit(&mut Browser::default(), &own_name, program).await;
    assert_eq!((response.status, response.error().as_str()), (503, "configuration"));
}

#[tokio::test]
async fn every_sample_event_gets_its_response() {
    let samples = [
        ("home-signed-out", 200, "Log in with Globus"),
        ("home-foreign-cookie", 200, "Log in with Globus"),
        ("home-not-found", 404, "Page not found"),
        ("home-wrong-method", 405, "not possible here"),
        ("home-decoded-path", 404, "Page not found"),
        ("home-session-cross-site", 403, "cross_site"),
        ("home-session-program", 401, "sign_in_required"),
        ("home-warm-up", 400, "We could not read that request"),
        ("home-scheduled", 400, "We could not read that request"),
        ("home-load-balancer", 400, "We could not read that request"),
        ("home-rest-api", 400, "We could not read that request"),
    ];
    for (name, status, text) in samples {
        let response = visit(&mut Browser::default(), &[], Event::sample(name)).await;
        response.assert_page(status, text);
    }
    let named = samples.map(|(name, ..)| name.to_owned());
    assert_eq!(Event::samples_for("home-"), named.into());
}

#[tokio::test]
async fn an_event_that_is_not_of_an_http_api_is_logged_and_gets_a_400() {
    for name in ["home-warm-up", "home-scheduled", "home-load-balancer", "home-rest-api"] {
        let log = Log::listen();
        let response = visit(&mut signed_in(&[]).await, &[], Event::sample(name)).await;
        response.assert_page(400, "We could not read that request").assert_no_cookie();
        log.assert_reason("event_unreadable");
    }
}

#[tokio::test]
async fn a_name_in_any_script_is_shown_as_it_is() {
    for (name, shown) in [
        ("محمد بن موسى الخوارزمي", "محمد بن موسى الخوارزمي"),
        ("祖冲之", "祖冲之"),
        ("湯川 秀樹", "湯川 秀樹"),
        ("👩🏽‍🔬 Ada", "👩🏽‍🔬 Ada"),
        ("Ada\0Lovelace", "Ada Lovelace"),
        ("Ada\r\nSet-Cookie: x=1", "Ada Set-Cookie: x=1"),
        ("\u{202e}Ada", "\u{202e}Ada"),
    ] {
        let mut session = session(noon());
        session.identity.name = DisplayText::new(name);
        let app = function(&[]).state.unwrap();
        let cookie = app.storage.create(&Event::get("/").request(), &session, noon()).await.unwrap().cookie;
        let mut browser = Browser::default();
        browser.keep(&cookie);

        let response = visit(&mut browser, &[], Event::get("/")).await;

        assert_eq!(response.status, 200);
        assert!(response.body.contains(&format!("<h1>Hello <bdi>{shown}</bdi>!</h1>")), "{name:?}: {}", response.body);
    }
}

/// If `lambda_http` itself reads the event, each of these ends the process.
#[tokio::test]
async fn an_event_with_an_invalid_host_or_query_gets_a_response() {
    let hosts = ["a b", "[::", "good.example@evil.example", ""];
    let protocols = ["1", "https,http", "javascript"];
    let headers =
        hosts.map(|host| ("host", host)).into_iter().chain(protocols.map(|protocol| ("x-forwarded-proto", protocol)));
    for (name, value) in headers {
        let response = visit(&mut Browser::default(), &[], Event::get("/").header(name, value)).await;
        response.assert_page(200, "Log in with Globus");
    }
    for name in ["accept", "authorization", "cookie", "origin", "purpose", "sec-fetch-mode", "sec-fetch-site"] {
        for value in ["%", "%zz", "Bearer %", "é\u{fffd}", "\u{7}"] {
            let response = visit(&mut Browser::default(), &[], Event::get("/").header(name, value)).await;
            assert!(response.status < 500, "{name}: {value:?}: {response:?}");
        }
    }
    for query in ["a b", "a=<b>", "{", "}", "|", "%", "%ff", "%zz", "a=\u{fffd}"] {
        let response = visit(&mut Browser::default(), &[], Event::get(&format!("/?{query}"))).await;
        assert!(matches!(response.status, 200 | 400), "{query}: {response:?}");
        assert!(response.headers.contains_key("content-security-policy"));
    }
}

#[tokio::test]
async fn an_error_page_shows_the_request_id_that_its_log_line_has() {
    const ID: &str = "6bc28136-xmpl-4365-b021-0ce6b2e64ab0";
    let log = Log::listen();

    let page = visit(&mut Browser::default(), &[], Event::get("/nothing")).await;
    page.assert_page(404, &format!("Reference, if you report this: <code>{ID}</code>"));
    let line = log.text();
    assert!(line.contains("reason=\"not_found\"") && line.contains(&format!("request_id={ID}")), "{line}");

    let json = visit(&mut Browser::default(), &[], Event::get("/nothing").header("accept", "application/json")).await;
    let expected =
        format!("{{\"error\":\"not_found\",\"message\":\"There is no page at this address.\",\"reference\":\"{ID}\"}}");
    assert_eq!((json.status, json.body), (404, expected));
    let home = visit(&mut Browser::default(), &[], Event::get("/")).await;
    assert!(!home.body.contains(ID), "only errors are reported");
}

#[tokio::test]
async fn an_unreadable_event_and_a_bad_setting_show_name_and_reference() {
    let broken = function(&[("SITE_NAME", "Beamline 7"), ("SESSION_KEYS", "short")]);
    let browser = visit(&mut Browser::default(), &[("SITE_NAME", "\u{202e}")], Event::get("/")).await;
    browser.assert_page(503, "Web app with authentication delegated to Globus Auth");
    for (event, status) in [("{}", 400), (Event::get("/").json().as_str(), 503)] {
        let page = Received::from(broken.respond(&handle, event, "id-1", noon()).await);
        page.assert_page(status, "· Beamline 7</title>").assert_page(status, "<code>id-1</code>");
    }
}

#[tokio::test]
async fn while_the_table_is_down_no_visitor_counts_as_signed_out() {
    for event in [Event::get("/"), Event::get("/").of_program(), Event::get("/session").of_program()] {
        let log = Log::listen();
        let response = visit(&mut Browser::default(), &TABLE_DOWN, event.cookie(&ticket())).await;
        assert_eq!((response.status, response.location()), (503, ""), "{response:?}");
        response.assert_no_cookie();
        log.assert_reason("store_unreachable");
        assert!(!response.body.contains("127.0.0.1"), "{}", response.body);
    }
}
