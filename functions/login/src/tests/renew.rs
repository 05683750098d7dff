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
        Fault::Respond { status: 500, content_type: "text/html", body: "canary".to_owned() },
        Fault::Respond { status: 200, content_type: "text/html", body: "canary".to_owned() },
    ] {
        let (world, mut browser) = with_time_left(Duration::from_secs(30)).await;
        assert!(world.session_of(&browser).await.is_none(), "it needs renewal");
        world.stand_in.fault(Endpoint::Token, fault);

        renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files?x=1");

        assert!(world.session_of(&browser).await.is_some(), "and it is not renewed again at once");
    }
}

#[tokio::test]
async fn an_error_at_globus_after_the_token_ended_offers_another_try() {
    let (mut world, mut browser) = with_time_left(Duration::ZERO).await;
    let log = Log::listen();
    world.stand_in.fault(Endpoint::Token, Fault::Drop);

    let response = renew(&world, &mut browser).await;
    response
        .assert_page(503, "Globus is not responding")
        .assert_page(503, "?refresh&amp;next=%2Ffiles%3Fx%3D1\">Try again</a>");
    assert!(log.text().contains("event=\"renewal\" outcome=\"failure\""), "{}", log.text());
    log.assert_reason("globus_connection_lost");

    world.stand_in.clear_faults();
    world.later(Duration::from_secs(10));
    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files?x=1");
    assert!(world.session_of(&browser).await.is_some());
}

#[tokio::test]
async fn an_open_redirect_in_next_leads_home_after_a_renewal_too() {
    let (world, mut browser) = with_time_left(Duration::ZERO).await;
    let hostile = Event::get("/login?refresh&next=%2F%2Fevil.example");
    send(&world, &mut browser, hostile).await.assert_redirect(302, "https://gateway.example/");
}
