use globus_stand_in::{Fault, RefreshTokens};
use serde_json::json;
use shared::{session::GLOBUS_AUTH, testing::Log};

use super::*;

const TRANSFER: &str = "transfer.api.globus.org";
const TOKEN_LIFE: Duration = Duration::from_hours(48);

/// A user who logged in so long ago that the tokens have this much time left.
async fn with_time_left(left: Duration) -> (World, Browser) {
    let mut world = World::start().await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, "ada").await;
    world.later(TOKEN_LIFE.saturating_sub(left));
    (world, browser)
}

async fn renew(world: &World, browser: &mut Browser) -> Received {
    send(world, browser, Event::get("/login?refresh&next=%2Ffiles%3Fx%3D1")).await
}

#[tokio::test]
async fn each_service_is_renewed_once_and_the_user_returns_to_the_page() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    let log = Log::listen();
    assert!(world.session_of(&browser).await.is_none());

    let response = renew(&world, &mut browser).await;

    response.assert_redirect(302, "https://gateway.example/files?x=1");
    let session = world.session_of(&browser).await.unwrap();
    let issued = world.stand_in.issued_tokens();
    for service in [GLOBUS_AUTH, TRANSFER] {
        let token = session.token(service, world.now).unwrap();
        assert!(issued[4..].iter().any(|issued| issued == token), "{service}");
    }
    assert_eq!(world.stand_in.requests(Endpoint::Token), 3);
    assert!(log.text().contains("outcome=\"success\""), "{}", log.text());
    log.assert_lacks(issued.iter().map(String::as_str));
}

#[tokio::test]
async fn good_tokens_and_no_session_cause_no_token_request() {
    let (world, mut browser) = with_time_left(Duration::from_hours(1)).await;
    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files?x=1").assert_no_cookie();

    let response = renew(&world, &mut Browser::default()).await;
    assert!(response.location().starts_with(world.stand_in.url()), "a sign-in begins: {response:?}");
    assert_eq!(world.stand_in.requests(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_refresh_token_that_was_replaced_is_never_sent_again() {
    let (mut world, mut browser) = with_time_left(Duration::from_secs(1)).await;
    world.stand_in.refresh_tokens(RefreshTokens::Rotated);
    for _ in 0..3 {
        renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files?x=1");
        assert!(world.session_of(&browser).await.is_some());
        world.later(TOKEN_LIFE);
    }
    assert_eq!(world.stand_in.requests(Endpoint::Token), 1 + 3 * 2);
}

#[tokio::test]
async fn a_prefetch_begins_no_renewal() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    let ahead = Event::get("/login?refresh").header("sec-purpose", "prefetch");
    send(&world, &mut browser, ahead).await.assert_page(403, "Open this page yourself");
    assert_eq!(world.stand_in.requests(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_refresh_token_is_kept_unless_the_response_has_a_new_one() {
    for (comes, kept) in [(RefreshTokens::Absent, true), (RefreshTokens::Same, true), (RefreshTokens::Rotated, false)] {
        let (world, mut browser) = with_time_left(Duration::from_secs(1)).await;
        let refresh_tokens = async |browser: &Browser| {
            let session = world.session_of(browser).await;
            session.map(|session| session.tokens.into_iter().map(|token| token.refresh_token).collect::<Vec<_>>())
        };
        let before = world.stand_in.issued_tokens();
        world.stand_in.refresh_tokens(comes);
        renew(&world, &mut browser).await;
        let after = refresh_tokens(&browser).await.unwrap();
        assert!(after.iter().all(Option::is_some), "{comes:?}");
        let all_old = after.iter().flatten().all(|token| before.iter().any(|before| before == token.expose()));
        assert_eq!(all_old, kept, "{comes:?}");
    }
}

#[tokio::test]
async fn the_failure_of_one_service_does_not_affect_the_others() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    world.stand_in.edit_token_response(|response| {
        if response["resource_server"] == TRANSFER {
            response["token_type"] = json!("mac");
        }
    });

    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files?x=1");

    let session = world.session_of(&browser).await.unwrap();
    assert!(session.token(GLOBUS_AUTH, world.now).is_ok());
    assert_eq!(session.token(TRANSFER, world.now).unwrap_err().kind(), &Kind::SignInRequired);
    // The response for Transfer cannot be used, so its access token is revoked. Its refresh token is the old one.
    let issued = world.stand_in.issued_tokens();
    let revoked = issued.iter().filter(|token| world.stand_in.is_revoked(token)).count();
    assert_eq!((issued.len(), revoked), (6, 1));
}

/// Whichever comes first: what was renewed must not be lost with the error.
#[tokio::test]
async fn the_failure_for_globus_auth_keeps_what_was_renewed_for_others() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    world.stand_in.edit_token_response(|response| {
        if response["resource_server"] == GLOBUS_AUTH {
            response["token_type"] = json!("mac");
        }
    });

    let response = renew(&world, &mut browser).await;

    assert_eq!(response.status, 502, "{}", response.body);
    let event = browser.with_cookies(Event::get("/"));
    let visitor = world.state().0.visitor(&event.request(), world.now).await.unwrap();
    let transfer = visitor.tokens().iter().find(|token| token.resource_server == TRANSFER).unwrap();
    let new = world.stand_in.issued_tokens().split_off(4);
    assert!(new.iter().any(|token| token == transfer.access_token.expose()), "{:?}", response.cookies);
}

#[tokio::test]
async fn a_refused_grant_begins_a_sign_in_and_removes_no_session() {
    for status in [400, 401] {
        let (world, mut browser) = with_time_left(Duration::ZERO).await;
        let log = Log::listen();
        world.stand_in.invalid_grant_status(status);
        world.stand_in.revoke_person("ada");
        let session = browser.cookies[SESSION].clone();

        let response = renew(&world, &mut browser).await;

        assert!(response.location().starts_with(world.stand_in.url()), "{response:?}");
        assert_eq!(browser.cookies[SESSION], session, "another tab may have renewed it");
        log.assert_reason("code_refused");
        let callback = world.at_globus(response.location(), "ada").await;
        let response = send(&world, &mut browser, callback).await;
        response.assert_redirect(302, "https://gateway.example/files?x=1");
        assert!(world.session_of(&browser).await.is_some());
    }
}

#[tokio::test]
async fn an_error_at_globus_keeps_a_session_whose_token_is_still_good() {
    for fault in [
        Fault::Drop,
        Fault::Hold,
        Fault::Respond { status: 500, content_type: "text/html", body: "canary".into() },
        Fault::Respond { status: 200, content_type: "text/html", body: "canary".into() },
    ] {
        let (world, mut browser) = with_time_left(Duration::from_secs(40)).await;
        assert!(world.session_of(&browser).await.is_none(), "it needs renewal");
        world.stand_in.fault(Endpoint::Token, fault);

        renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files?x=1");

        assert!(world.session_of(&browser).await.is_some(), "and it is not renewed again at once");
    }
}

#[tokio::test]
async fn an_error_at_globus_when_the_token_ends_offers_another_try_at_once() {
    for left in [0, 39] {
        let (world, mut browser) = with_time_left(Duration::from_secs(left)).await;
        let log = Log::listen();
        world.stand_in.fault(Endpoint::Token, Fault::Drop);

        let response = renew(&world, &mut browser).await;
        response
            .assert_no_cookie() // Another tab may have renewed it.
            .assert_page(503, "Globus is not responding")
            .assert_page(503, "?refresh&amp;next=%2Ffiles%3Fx%3D1\">Try again</a>");
        assert!(log.text().contains("event=\"renewal\" outcome=\"failure\""), "{}", log.text());
        log.assert_reason("globus_connection_lost");

        world.stand_in.clear_faults();
        renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files?x=1");
        assert!(world.session_of(&browser).await.is_some());
    }
}

#[tokio::test]
async fn an_open_redirect_in_next_leads_home_after_a_renewal_too() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    let hostile = Event::get("/login?refresh&next=%2F%2Fevil.example");
    send(&world, &mut browser, hostile).await.assert_redirect(302, "https://gateway.example/");
}

/// As a script on a page of this site sends it.
fn script() -> Event {
    let event = Event::post("/login?refresh&next=%2Fform").header("accept", "application/json");
    event.header("sec-fetch-dest", "empty").header("sec-fetch-mode", "cors")
}

fn respond_to_token_requests(world: &World, status: u16, body: &str) {
    let fault = Fault::Respond { status, content_type: "application/json", body: body.into() };
    world.stand_in.fault(Endpoint::Token, fault);
}

#[tokio::test]
async fn a_script_renews_the_tokens_without_leaving_its_page() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    for event in [script(), script(), script().header("accept", "*/*")] {
        let response = send(&world, &mut browser, event).await;
        assert_eq!((response.status, response.body.as_str(), response.location()), (204, "", ""));
        assert_eq!(response.headers["cache-control"], "no-store");
        assert!(world.session_of(&browser).await.is_some());
    }
    assert_eq!(world.stand_in.requests(Endpoint::Token), 3, "one for each service, once");
}

#[tokio::test]
async fn a_script_without_a_session_learns_where_to_log_in() {
    let (mut world, mut browser) = with_time_left(Duration::ZERO).await;
    let assert_401 = |response: &Received| {
        assert_eq!((response.status, response.error().as_str()), (401, "sign_in_required"));
        let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(body["login"], "/login?next=%2Fform");
    };
    assert_401(send(&world, &mut Browser::default(), script()).await.assert_no_cookie());

    respond_to_token_requests(&world, 400, "{\"error\":\"invalid_grant\"}");
    let log = Log::listen();
    assert_401(send(&world, &mut browser, script()).await.assert_no_cookie());
    assert_eq!(log.text().lines().count(), 1, "{}", log.text());
    assert!(log.text().contains("event=\"renewal\" outcome=\"refused\""), "{}", log.text());

    world.later(Duration::from_hours(168));
    assert_401(send(&world, &mut browser, script()).await.assert_no_cookie());
}

/// The other token is renewed: it must not be lost.
#[tokio::test]
async fn a_script_keeps_what_was_renewed_although_it_has_to_log_in() {
    let mut world = World::start().await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, "ada").await;
    let session = world.session_of(&browser).await.unwrap();
    let transfer: Vec<_> = session.tokens.into_iter().filter(|token| token.resource_server == TRANSFER).collect();
    assert_eq!(world.state().1.revoke(&transfer, &[]).await, 0);
    world.later(TOKEN_LIFE);

    let response = send(&world, &mut browser, script()).await;
    assert_eq!((response.status, response.error().as_str()), (401, "sign_in_required"));
    assert!(matches!(&response.cookies[..], [one] if one.starts_with(SESSION)), "{:?}", response.cookies);
}

#[tokio::test]
async fn a_script_is_told_that_globus_is_down_and_loses_nothing() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    respond_to_token_requests(&world, 503, "");
    let response = send(&world, &mut browser, script()).await;
    assert_eq!((response.status, response.error().as_str()), (503, "globus_error_status"));

    let (world, mut browser) = with_time_left(Duration::from_secs(40)).await;
    respond_to_token_requests(&world, 503, "");
    assert_eq!(send(&world, &mut browser, script()).await.status, 204, "the token is good for 40 seconds more");
    assert!(world.session_of(&browser).await.is_some());
}

#[tokio::test]
async fn cross_site_request_forgery_renews_no_token() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    let old = || script().header("sec-fetch-site", "");
    for event in [
        script().header("sec-fetch-site", "cross-site"),
        script().header("sec-fetch-site", "same-site"),
        script().header("sec-fetch-site", "none"),
        old().header("origin", "https://evil.example"),
        old().header("origin", "null"),
        old().header("origin", ""),
    ] {
        let response = send(&world, &mut browser, event.clone()).await;
        assert_eq!((response.status, response.error().as_str()), (403, "cross_site"), "{event:?}");
    }
    assert_eq!(world.stand_in.requests(Endpoint::Token), 1);
    assert_eq!(send(&world, &mut browser, old()).await.status, 204, "its origin is this site");
}

#[tokio::test]
async fn a_form_and_a_post_without_refresh_are_no_renewal() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    let script_at =
        |path: &str| Event::post(path).header("accept", "application/json").header("sec-fetch-mode", "cors");
    for event in [Event::post("/login?refresh"), script_at("/login"), script_at("/login?code=x&state=y")] {
        let response = send(&world, &mut browser, event.clone()).await;
        assert_eq!((response.status, response.headers["allow"].as_str()), (405, "GET, HEAD"), "{event:?}");
    }
    assert_eq!(world.stand_in.requests(Endpoint::Token), 1);
}
