use std::time::Duration;

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, Endpoint, Fault};
use shared::{
    Function,
    testing::{self, Browser, Event, Log, Received, World},
};

use super::*;

/// The browser of a signed-in user, and this function with the stand-in for Globus Auth and Globus Transfer.
struct SignedIn {
    world: World,
    browser: Browser,
    function: Function<(App, Transfer)>,
}

/// This function, with Globus at `url`.
fn function(url: &str) -> Function<(App, Transfer)> {
    let settings = [
        ("GLOBUS_AUTH_URL", url),
        ("GLOBUS_CLIENT_ID", CLIENT_ID),
        ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET),
        ("TRANSFER_URL", url),
    ];
    testing::function(&settings, |env| Transfer::beside(App::read(env), env))
}

impl SignedIn {
    async fn start() -> Self {
        Self::start_as("ada").await
    }

    async fn start_as(person: &str) -> Self {
        let (world, mut browser) = (World::start().await, Browser::default());
        world.sign_in(login::handle, &mut browser, person).await;
        let function = function(world.stand_in.url());
        Self { world, browser, function }
    }

    async fn send(&mut self, event: Event) -> Received {
        self.browser.send(&self.function, handle, event, self.world.now).await
    }

    /// The page, where Globus Transfer sends this response.
    async fn visit_with(&mut self, status: u16, body: &str) -> Received {
        let fault = Fault::Respond { status, content_type: "application/json", body: body.into() };
        self.visit_with_fault(fault).await
    }

    async fn visit_with_fault(&mut self, fault: Fault) -> Received {
        self.world.stand_in.fault(Endpoint::TaskList, fault);
        self.send(Event::get(PATH)).await
    }
}

/// Asserts status, text of the page, and the one line of the log with its reason and without anything secret.
#[track_caller]
fn assert_failure(user: &SignedIn, log: &Log, response: &Received, expected: (i64, &str, &str)) {
    let (status, text, reason) = expected;
    response.assert_page(status, text).assert_no_cookie();
    log.assert_reason(reason);
    assert!(log.text().contains(&format!("status={status}")), "{}", log.text());
    log.assert_lacks(user.world.stand_in.issued_tokens().iter().map(String::as_str));
    assert!(!(log.text() + &response.body).contains("canary"), "{}", response.body);
}

#[tokio::test]
async fn a_signed_in_user_sees_what_was_transferred_and_what_is_under_way() {
    let mut user = SignedIn::start().await;

    let response = user.send(Event::get(PATH)).await;

    for shown in [
        "<bdi>Ada Lovelace</bdi>",
        "<bdi>Detector images, run 42</bdi>",
        "<span class=\"tag\"><bdi>In progress</bdi></span>",
        "<dt>From</dt><dd><bdi>Beamline 7 detector</bdi></dd>",
        "<dt>To</dt><dd><bdi>Campus cluster, project space</bdi></dd>",
        "<dt>Requested</dt><dd><bdi>2025-02-03 14:30 UTC</bdi></dd>",
        "<dt>Completed</dt><dd><bdi>2025-02-01 17:20 UTC</bdi></dd>",
        "<span class=\"tag over\"><bdi>Suspended</bdi></span>",
        "<span class=\"none\">Without a label</span>",
        "<dt>Deletes in</dt><dd><bdi>Campus cluster, scratch</bdi></dd>",
        "<span class=\"tag over\"><bdi>Failed</bdi></span>",
    ] {
        assert!(response.body.contains(shown), "no {shown:?} in {}", response.body);
    }
    response.assert_no_cookie();
    assert_eq!(user.world.stand_in.requests(Endpoint::TaskList), 1);
}

#[tokio::test]
async fn a_label_is_escaped_and_cannot_turn_the_page_round() {
    let mut user = SignedIn::start_as("markup").await;

    let response = user.send(Event::get(PATH)).await;

    assert!(response.body.contains("<bdi>Results &lt;final&gt; &amp; \u{202e}figures</bdi>"), "{}", response.body);
    assert!(response.body.contains("<bdi>&lt;script&gt;alert(1)&lt;&#x2f;script&gt; &amp; "), "{}", response.body);
    assert_eq!(response.body.matches("<script").count(), 1, "{}", response.body);
}

#[tokio::test]
async fn missing_odd_and_long_fields_of_an_entry_are_tolerated() {
    let long = "x".repeat(129);
    let body = format!(
        r#"{{"DATA":[{{}}, 7, null, {{"label":["a"],"status":4,"type":null,"request_time":{{}}}},
            {{"label":" \u200b ","status":"PAUSED","type":"OTHER","request_time":"yesterday"}}, {{"label":"{long}"}},
            {{"label":"the last","type":"TRANSFER","request_time":"2025-02-03T12:00:59Z"}}]}}"#
    );
    let mut user = SignedIn::start().await;

    let response = user.visit_with(200, &body).await;

    let cut = format!("<bdi>{}…</bdi>", "x".repeat(127));
    for shown in [
        "<bdi>PAUSED</bdi>",
        "<dt>Action</dt><dd><bdi>OTHER</bdi></dd>",
        "<dt>Requested</dt><dd><bdi>yesterday</bdi></dd>",
        "<dt>Requested</dt><dd><span class=\"none\">not given</span></dd>",
        &cut,
        "<bdi>the last</bdi>",
        "<bdi>2025-02-03 12:00 UTC</bdi>",
    ] {
        assert!(response.body.contains(shown), "no {shown:?} in {}", response.body);
    }
    let count = |text: &str| response.body.matches(text).count();
    assert_eq!((count("<article"), count("Without a label")), (5, 3), "{}", response.body);
}

#[tokio::test]
async fn without_an_entry_the_page_says_so_and_with_many_it_ends() {
    let mut user = SignedIn::start().await;

    let none = user.visit_with(200, r#"{"DATA":[]}"#).await;
    none.assert_page(200, "There is nothing here yet.");
    let many = user.visit_with(200, &format!(r#"{{"DATA":[{}{{}}]}}"#, "{},".repeat(99))).await;
    assert_eq!((many.status, many.body.matches("<article").count()), (200, 25));
}

#[tokio::test]
async fn a_visitor_who_is_not_logged_in_is_sent_to_log_in_and_back() {
    let mut user = SignedIn::start().await;
    user.browser = Browser::default();

    let response = user.send(Event::get(PATH)).await;
    response.assert_redirect(302, &format!("/login?next=%2F{}", &PATH[1..])).assert_no_cookie();
    let program = user.send(Event::get(PATH).header("accept", "application/json")).await;
    assert_eq!((program.status, program.error().as_str()), (401, "sign_in_required"));
    assert_eq!(user.world.stand_in.requests(Endpoint::TaskList), 0);
}

#[tokio::test]
async fn a_token_that_expires_soon_is_renewed_before_it_is_used() {
    let mut user = SignedIn::start().await;
    user.world.later(Duration::from_hours(48));

    let response = user.send(Event::get(PATH)).await;

    response.assert_redirect(302, &format!("/login?refresh&next=%2F{}", &PATH[1..]));
    assert_eq!(user.world.stand_in.requests(Endpoint::TaskList), 0);
}

/// As after the user has withdrawn the consent on Globus's own page.
#[tokio::test]
async fn a_revoked_token_leads_to_a_new_login_and_back() {
    let mut user = SignedIn::start().await;
    user.world.stand_in.revoke_person("ada");
    user.world.later(Duration::from_mins(1));
    let log = Log::listen();

    let response = user.send(Event::get(PATH)).await;

    response.assert_redirect(302, &format!("/login?next=%2F{}", &PATH[1..]));
    log.assert_reason("sign_in_required");
    user.world.sign_in(login::handle, &mut user.browser, "ada").await;
    user.send(Event::get(PATH)).await.assert_page(200, "Detector images, run 42");
}

/// Otherwise the browser would go from here to Globus and back for ever.
#[tokio::test]
async fn a_token_that_is_refused_after_a_new_login_is_an_error_page() {
    let mut user = SignedIn::start().await;
    let log = Log::listen();
    user.world.later(Duration::from_secs(59));

    let response = user.visit_with(401, r#"{"code":"AuthenticationFailed","message":"canary"}"#).await;

    let expected = (502, "We could not use the response of a service", "service_token_refused");
    assert_failure(&user, &log, &response, expected);
}

#[tokio::test]
async fn a_403_says_which_permission_is_missing_and_leads_back() {
    let mut user = SignedIn::start().await;
    for (body, reason) in [
        (r#"{"code":"ConsentRequired","required_scopes":["canary"]}"#, "service_consent_missing"),
        (r#"{"code":"PermissionDenied","message":"canary"}"#, "service_forbidden"),
        ("<h1>canary</h1>", "service_forbidden"),
    ] {
        let log = Log::listen();
        let response = user.visit_with(403, body).await;

        assert_failure(&user, &log, &response, (403, "A permission is missing", reason));
        response.assert_page(403, "urn:globus:auth:scope:transfer.api.globus.org:all");
        response.assert_page(403, &format!("href=\"&#x2f;login?next=%2F{}\"", &PATH[1..]));
    }
}

#[tokio::test]
async fn a_service_that_is_busy_or_broken_is_a_503_page_with_the_cause_in_the_log() {
    let mut user = SignedIn::start().await;
    for (status, reason) in [
        (429, "service_too_many_requests"),
        (500, "service_error_status"),
        (502, "service_error_status"),
        (503, "service_error_status"),
    ] {
        let log = Log::listen();
        let response = user.visit_with(status, r#"{"code":"canary"}"#).await;
        assert_failure(&user, &log, &response, (503, "A service is not responding", reason));
    }
    for (fault, reason) in [
        (Fault::Drop, "service_connection_lost"),
        (Fault::Endless, "service_response_too_large"),
        (Fault::Hold, "service_timeout"),
    ] {
        let log = Log::listen();
        let response = user.visit_with_fault(fault).await;
        assert_failure(&user, &log, &response, (503, "A service is not responding", reason));
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_503_page() {
    let mut user = SignedIn::start().await;
    let settings = [
        ("GLOBUS_AUTH_URL", user.world.stand_in.url()),
        ("GLOBUS_CLIENT_ID", CLIENT_ID),
        ("TRANSFER_URL", "http://127.0.0.1:9"),
    ];
    user.function = testing::function(&settings, |env| Transfer::beside(App::read(env), env));
    let log = Log::listen();

    let response = user.send(Event::get(PATH)).await;

    assert_failure(&user, &log, &response, (503, "A service is not responding", "service_unreachable"));
}

#[tokio::test]
async fn a_response_that_is_not_as_documented_is_a_502_page() {
    let mut user = SignedIn::start().await;
    for (status, body) in [
        (200, ""),
        (200, "<h1>canary</h1>"),
        (200, "[]"),
        (200, "{}"),
        (200, r#"{"DATA":{"label":"canary"}}"#),
        (200, r#"{"DATA":null}"#),
        (201, r#"{"DATA":[]}"#),
        (204, ""),
        (302, ""),
        (400, r#"{"code":"canary"}"#),
        (404, r#"{"code":"canary"}"#),
    ] {
        let log = Log::listen();
        let response = user.visit_with(status, body).await;
        let expected = (502, "We could not use the response of a service", "service_response_unreadable");
        assert_failure(&user, &log, &response, expected);
    }
}

#[tokio::test]
async fn an_api_client_gets_each_error_as_json() {
    let mut user = SignedIn::start().await;
    for (status, expected) in [
        (403, (403, "service_forbidden")),
        (429, (503, "service_too_many_requests")),
        (500, (503, "service_error_status")),
    ] {
        let fault = Fault::Respond { status, content_type: "application/json", body: Vec::new() };
        user.world.stand_in.fault(Endpoint::TaskList, fault);
        let response = user.send(Event::get(PATH).header("accept", "application/json")).await;
        assert_eq!((response.status, response.error().as_str()), expected);
    }
}

#[tokio::test]
async fn any_other_method_or_path_is_refused_and_nothing_is_requested() {
    let mut user = SignedIn::start().await;

    let response = user.send(Event::post(PATH)).await;
    response.assert_page(405, "not possible here");
    assert_eq!(response.headers["allow"], "GET, HEAD");
    user.send(Event::get(&format!("{PATH}/1"))).await.assert_page(404, "Page not found");
    assert_eq!(user.world.stand_in.requests(Endpoint::TaskList), 0);
}

/// A token of a stand-in must not get to the real service, nor a real token to an address that anyone can read.
#[tokio::test]
async fn an_invalid_address_of_the_service_is_a_503_page_that_names_it() {
    for address in ["transfer.api.globus.org", "http://transfer.api.globus.org", "https://example.org/v0.10", "canary"]
    {
        let log = Log::listen();
        let settings = [("TRANSFER_URL", address)];
        let broken = testing::function(&settings, |env| Transfer::beside(App::read(env), env));

        let response = Browser::default().send(&broken, handle, Event::get(PATH), testing::noon()).await;

        response.assert_page(503, "This site is not ready yet");
        log.assert_reason("configuration");
        assert!(log.text().contains("TRANSFER_URL") && !log.text().contains(address), "{}", log.text());
    }
}

#[tokio::test]
async fn every_sample_event_gets_its_response() {
    let samples = [("tasks-signed-out", 302), ("tasks-program", 401), ("tasks-wrong-method", 405)];
    let function = function("http://127.0.0.1:9");
    for (name, status) in samples {
        let response = Browser::default().send(&function, handle, Event::sample(name), testing::noon()).await;
        assert_eq!(response.status, status, "{name}: {}", response.body);
    }
    let named = samples.map(|(name, _)| name.to_owned());
    assert_eq!(Event::samples_for("tasks-"), named.into());
}
