//! Who may come in: the access rules, as users meet them.

use globus_stand_in::{
    Endpoint,
    groups::{BEAMLINE, Status},
};
use kit::{Result, local::Storage};

use crate::scene::Scene;

const GROUP: (&str, &str) = ("ALLOWED_GROUPS", BEAMLINE);

on_each_storage! {
    a_user_who_is_turned_away_reads_why_and_comes_in_with_another_account
    a_member_is_checked_without_a_word_and_a_removed_one_is_turned_away
    a_login_that_is_too_old_is_repeated
}

async fn a_user_who_is_turned_away_reads_why_and_comes_in_with_another_account(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[GROUP]).await?;
    scene.begin().await?;
    scene.choose("ada").await?;
    scene.browser.shows("This account has no access").await?;
    scene.is_at("/login").await?;
    scene.browser.shows("ada@uchicago.example").await?;
    scene.browser.shows("ALLOWED_GROUPS").await?;
    scene.is_in_order("not-admitted").await?;
    assert_eq!(scene.cookies().await?, [""; 0]);
    let globus = scene.app.stand_in();
    assert!(globus.issued_tokens().iter().all(|token| globus.is_revoked(token)));

    // In a tab of its own: this page is gone on the way back.
    let target = "return document.querySelector(\"main a[href*='/v2/web/identities']\").target";
    assert_eq!(scene.browser.run(target).await?, "_blank");
    // Globus knows the browser, and asks all the same.
    scene.browser.press("main a[href^='/login?account=other']").await?;
    scene.browser.shows("Who is logging in?").await?;
    assert_eq!(globus.last_authorize_parameter("prompt").as_deref(), Some("login"));
    scene.choose("member").await?;
    scene.browser.shows("Hello Dorothy Hodgkin!").await?;
    scene.browser.shows("Globus Groups").await?;
    scene.is_at("/").await?;
    scene.close().await
}

async fn a_member_is_checked_without_a_word_and_a_removed_one_is_turned_away(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[GROUP, ("RULES_EVERY_MINUTES", "1")]).await?;
    let globus = scene.app.stand_in();
    globus.set_membership("ada", BEAMLINE, Status::Active)?;
    scene.sign_in_a_minute_ago().await?;
    scene.browser.reload().await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.is_at("/").await?;
    assert_eq!((globus.requests(Endpoint::MyGroups), globus.requests(Endpoint::Authorize)), (2, 0));

    scene.sign_in_a_minute_ago().await?;
    globus.remove_from_group("ada", BEAMLINE)?;
    scene.browser.reload().await?;
    scene.browser.shows("This account has no access").await?;
    let cookies = scene.cookies().await?;
    assert!(!cookies.iter().any(|name| name.contains("session")), "{cookies:?}");
    scene.goto("/").await?;
    scene.browser.shows("Log in with Globus").await?;
    scene.close().await
}

async fn a_login_that_is_too_old_is_repeated(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[("MAX_AUTHENTICATION_MINUTES", "1")]).await?;
    scene.sign_in_a_minute_ago().await?;
    scene.browser.reload().await?;
    scene.browser.shows("Who is logging in?").await?;
    assert_eq!(scene.app.stand_in().last_authorize_parameter("prompt").as_deref(), Some("login"));
    scene.choose("ada").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.is_at("/").await?;
    scene.close().await
}

/// The user takes what is required out of the address, before Globus sees it.
#[tokio::test]
async fn a_domain_that_is_taken_out_of_the_address_is_required_all_the_same() -> Result<()> {
    let scene = Scene::open(Storage::Cookies, &[("ALLOWED_DOMAINS", "lab.example")]).await?;
    let url = scene.begin().await?;
    scene.choose("ada").await?;
    scene.browser.shows("Log in with another identity").await?;

    let (before, query) = url.split_once('?').unwrap();
    let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("session_required")).collect();
    scene.browser.goto(&format!("{before}?{}", kept.join("&"))).await?;
    scene.choose("ada").await?;
    scene.browser.shows("This account has no access").await?;
    scene.browser.shows("A login with an account of lab.example.").await?;

    scene.goto("/login?account=other").await?;
    scene.choose("lab").await?;
    scene.browser.shows("Hello Rosalind Franklin!").await?;
    scene.close().await
}
