//! What becomes of a session: it is seen in other tabs, ends, expires, cannot be read.

use std::time::Duration;

use globus_stand_in::{Endpoint, Fault, RefreshTokens};
use kit::{Result, browser::Browser, local::Storage};
use serde_json::Value;
use tokio::time::sleep;

use crate::scene::Scene;

/// What a page shows for some minutes of a token that Globus gives for two hours.
const RENEWED: &str = "1 h 5";

on_each_storage! {
    a_logout_in_one_tab_is_seen_in_the_other
    going_back_after_a_logout_shows_no_name_and_no_token
    an_expired_sign_in_is_said_to_be_so_and_the_next_one_is_quick
    tokens_that_end_are_renewed_without_a_word_to_the_user
    a_consent_that_was_withdrawn_leads_to_a_new_sign_in
    while_globus_is_down_a_session_is_kept_and_renewed_afterwards
    a_session_that_cannot_be_read_shows_no_user_and_a_sign_in_replaces_it
    with_show_tokens_off_no_token_is_in_the_page
    a_saved_copy_of_the_cookie
}

async fn a_logout_in_one_tab_is_seen_in_the_other(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    let one = scene.browser.tab().await?;
    scene.browser.open_tab().await?;
    scene.goto("/").await?;
    scene.browser.press("header button").await?;
    scene.browser.shows("You are logged out").await?;

    scene.browser.look_at(&one).await?;
    scene.browser.reload().await?;
    scene.browser.shows("Log in with Globus").await?;
    scene.close().await
}

async fn going_back_after_a_logout_shows_no_name_and_no_token(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    scene.browser.press("header button").await?;
    scene.browser.shows("You are logged out").await?;

    scene.browser.back().await?;
    scene.browser.shows("Log in with Globus").await?;
    let source = scene.browser.source().await?;
    assert!(!source.contains("Lovelace"), "{source}");
    for token in scene.app.stand_in().issued_tokens() {
        assert!(!source.contains(&token), "{source}");
    }
    scene.close().await
}

async fn an_expired_sign_in_is_said_to_be_so_and_the_next_one_is_quick(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    // Tokens that have run out, and nothing to have them renewed with.
    scene.app.stand_in().edit_token_response(without_refresh_tokens);
    scene.sign_in_a_minute_ago().await?;
    scene.browser.reload().await?;
    scene.browser.shows("Your login has expired").await?;
    scene.is_at("/").await?;
    scene.is_in_order("home-expired").await?;

    // Globus still knows the browser, and asks nothing.
    scene.browser.press("main a[href^='/login']").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.close().await
}

fn without_refresh_tokens(response: &mut Value) {
    for other in response["other_tokens"].as_array_mut().into_iter().flatten() {
        without_refresh_tokens(other);
    }
    response.as_object_mut().unwrap().remove("refresh_token");
}

async fn tokens_that_end_are_renewed_without_a_word_to_the_user(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.app.stand_in().refresh_tokens(RefreshTokens::Rotated);
    scene.sign_in_a_minute_ago().await?;
    let at_first = scene.app.stand_in().issued_tokens();

    scene.browser.reload().await?;
    scene.browser.shows(RENEWED).await?;
    scene.is_at("/").await?;
    let source = scene.browser.source().await?;
    assert!(at_first.iter().all(|token| !source.contains(token)), "{source}");
    let renewed = scene.app.stand_in().issued_tokens().split_off(at_first.len());
    assert_eq!(renewed.len(), 4, "two services, each with a new access token and a new refresh token");
    assert!(renewed.iter().all(|token| source.contains(token)), "{source}");
    // One for the code, one for each service; and the browser was not sent to Globus.
    assert_eq!(scene.app.stand_in().requests(Endpoint::Token), 3);
    assert_eq!(scene.app.stand_in().requests(Endpoint::Authorize), 0);
    scene.close().await
}

async fn a_consent_that_was_withdrawn_leads_to_a_new_sign_in(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in_a_minute_ago().await?;
    scene.app.stand_in().revoke_person("ada");

    scene.browser.reload().await?;
    scene.browser.shows("Who is logging in?").await?;
    scene.choose("ada").await?;
    scene.browser.shows(RENEWED).await?;
    scene.is_at("/").await?;
    scene.close().await
}

async fn while_globus_is_down_a_session_is_kept_and_renewed_afterwards(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in_a_minute_ago().await?;
    scene.app.stand_in().fault(Endpoint::Token, Fault::Drop);
    scene.browser.reload().await?;
    scene.browser.shows("Globus is not responding").await?;
    assert_eq!(scene.cookies().await?, ["session"]);

    scene.app.stand_in().clear_faults();
    // Ten seconds go by until Globus is asked again.
    for _ in 0..120 {
        scene.goto("/").await?;
        if scene.browser.text().await?.contains(RENEWED) {
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    scene.browser.shows(RENEWED).await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Authorize), 0);
    scene.close().await
}

async fn a_session_that_cannot_be_read_shows_no_user_and_a_sign_in_replaces_it(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    let cookies = scene.browser.cookies_for(scene.app.url()).await?;
    let altered = cookies[0].1.replacen(|c: char| c.is_ascii_lowercase(), "X", 1);
    scene.browser.set_cookie(scene.app.url(), &cookies[0].0, &altered, "Lax").await?;
    scene.browser.reload().await?;
    scene.browser.shows("Log in with Globus").await?;
    // Globus still knows the browser.
    scene.goto("/login").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.close().await
}

async fn with_show_tokens_off_no_token_is_in_the_page(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[("SHOW_TOKENS", "false")]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    scene.is_in_order("home-tokens-hidden").await?;
    let source = scene.browser.source().await?;
    assert!(source.contains("Access token and refresh token held, not shown."), "{source}");
    for token in scene.app.stand_in().issued_tokens() {
        assert!(!source.contains(&token), "{source}");
    }
    scene.close().await
}

/// What sessions in cookies cannot do: docs/security.md says so, and this is how far it goes.
async fn a_saved_copy_of_the_cookie(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    let saved = scene.browser.cookies_for(scene.app.url()).await?;
    scene.browser.press("header button").await?;
    scene.browser.shows("You are logged out").await?;

    // In another browser: this one has the mark of the logout.
    scene.browser.forget_cookies().await?;
    scene.browser.set_cookie(scene.app.url(), &saved[0].0, &saved[0].1, "Lax").await?;
    scene.goto("/").await?;
    match storage {
        Storage::Table => scene.browser.shows("Log in with Globus").await?,
        Storage::Cookies => {
            scene.browser.shows("Hello Ada Lovelace!").await?;
            let tokens = scene.app.stand_in().issued_tokens();
            assert!(tokens.iter().all(|token| scene.app.stand_in().is_revoked(token)), "all it has is a dead token");
        }
    }
    scene.close().await
}

#[tokio::test]
async fn logging_out_everywhere_ends_the_session_in_another_browser() -> Result<()> {
    let scene = Scene::open(Storage::Table, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    let other = Browser::open().await?;
    let authorize = authorize_url(&scene, &other).await?;
    other.goto(&scene.app.stand_in().sign_in(&authorize, "ada").await?).await?;
    other.shows("Hello Ada Lovelace!").await?;

    scene.browser.press("header a[href='/logout']").await?;
    scene.browser.shows("Log out everywhere").await?;
    scene.is_in_order("log-out-everywhere").await?;
    scene.browser.press("button[name=everywhere]").await?;
    scene.browser.shows("You are logged out").await?;

    other.reload().await?;
    other.shows("Log in with Globus").await?;
    other.close().await?;
    scene.close().await
}

#[tokio::test]
async fn with_sessions_in_cookies_nothing_is_said_of_other_browsers() -> Result<()> {
    let scene = Scene::open(Storage::Cookies, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    for path in ["/", "/logout"] {
        scene.goto(path).await?;
        assert!(!scene.browser.text().await?.contains("everywhere"));
    }
    scene.close().await
}

/// Where another browser is sent that begins a sign-in.
async fn authorize_url(scene: &Scene, other: &Browser) -> Result<String> {
    other.goto(&scene.url("/login")).await?;
    other.shows("Who is logging in?").await?;
    other.url().await
}
