//! What becomes of a session: it is seen in other tabs, ends, expires, cannot be read.

use kit::Result;

use crate::scene::Scene;

#[tokio::test]
async fn a_logout_in_one_tab_is_seen_in_the_other() -> Result<()> {
    let scene = Scene::open(&[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    let one = scene.browser.tab().await?;
    scene.browser.open_tab().await?;
    scene.goto("/").await?;
    scene.browser.press("main button").await?;
    scene.browser.shows("You are logged out").await?;

    scene.browser.look_at(&one).await?;
    scene.browser.reload().await?;
    scene.browser.shows("Log in with Globus").await?;
    scene.close().await
}

#[tokio::test]
async fn going_back_after_a_logout_shows_no_name_and_no_token() -> Result<()> {
    let scene = Scene::open(&[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    scene.browser.press("main button").await?;
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

#[tokio::test]
async fn an_expired_sign_in_is_said_to_be_so_and_can_be_renewed() -> Result<()> {
    let scene = Scene::open(&[]).await?;
    scene.app.stand_in().expire_tokens_in(4);
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    scene.browser.reload().await?;
    scene.browser.shows("Your sign-in has expired").await?;
    scene.is_in_order("home-expired").await?;

    scene.app.stand_in().expire_tokens_in(3600);
    // Globus still knows the browser, and asks nothing.
    scene.browser.press("main a[href^='/login']").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.close().await
}

#[tokio::test]
async fn a_session_that_cannot_be_read_is_taken_away() -> Result<()> {
    let scene = Scene::open(&[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    let cookies = scene.browser.cookies_for(scene.app.url()).await?;
    let altered = cookies[0].1.replacen(|c: char| c.is_ascii_lowercase(), "X", 1);
    scene.browser.set_cookie(scene.app.url(), "session", &altered, "Lax").await?;
    scene.browser.reload().await?;
    scene.browser.shows("Log in with Globus").await?;
    assert!(scene.cookies().await?.is_empty());
    scene.close().await
}

#[tokio::test]
async fn with_show_tokens_off_no_token_is_in_the_page() -> Result<()> {
    let scene = Scene::open(&[("SHOW_TOKENS", "false")]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    scene.is_in_order("home-tokens-hidden").await?;
    let source = scene.browser.source().await?;
    assert!(source.contains("Access token and refresh token held, not shown."), "{source}");
    for token in scene.app.stand_in().issued_tokens() {
        assert!(!source.contains(&token), "{source}");
    }
    scene.close().await
}
