//! When Globus or the configuration is at fault: the page that says so, and the way on.

use globus_stand_in::{Endpoint, Fault};
use kit::{Result, dynamodb::Table, local::Storage};

use crate::scene::Scene;

on_each_storage! {
    while_globus_does_not_respond_a_page_says_so_and_a_later_try_succeeds
    an_incomplete_configuration_is_a_page_and_a_line_for_the_operator
}

async fn while_globus_does_not_respond_a_page_says_so_and_a_later_try_succeeds(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.begin().await?;
    scene.app.stand_in().fault(Endpoint::Token, Fault::Hold);
    scene.choose("ada").await?;
    scene.browser.shows("Globus is not responding").await?;
    scene.is_in_order("globus-unavailable").await?;
    assert!(scene.cookies().await?.is_empty());
    assert_eq!(scene.app.log().matches("globus_timeout").count(), 1);

    scene.app.stand_in().clear_faults();
    // Globus knows the browser by now.
    scene.browser.press("main a[href^='/login']").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.close().await
}

async fn an_incomplete_configuration_is_a_page_and_a_line_for_the_operator(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[("SESSION_KEYS", "short"), ("GLOBUS_CLIENT_SECRET", "")]).await?;
    scene.browser.shows("This site is not ready yet").await?;
    scene.is_in_order("not-ready").await?;
    for path in ["/", "/login", "/logout", "/nothing"] {
        scene.goto(path).await?;
        scene.browser.shows("This site is not ready yet").await?;
    }
    let log = scene.app.log();
    assert!(log.contains("SESSION_KEYS must be secrets of at least 32 characters"), "{log}");
    assert!(log.contains("GLOBUS_CLIENT_SECRET is missing"), "{log}");
    assert!(!log.contains("short"), "{log}");
    scene.close().await
}

#[tokio::test]
async fn a_new_deployment_says_what_to_register_and_what_comes_next() -> Result<()> {
    let scene = Scene::open(Storage::Cookies, &[("GLOBUS_CLIENT_ID", ""), ("GLOBUS_CLIENT_SECRET", "")]).await?;
    scene.browser.shows("As its redirect URL, enter exactly").await?;
    scene.browser.shows(&scene.url("/login")).await?;
    scene.is_in_order("set-up").await?;
    for path in ["/login", "/logout"] {
        scene.goto(path).await?;
        scene.browser.shows("sam build && sam deploy").await?;
    }
    scene.close().await
}

#[tokio::test]
async fn while_the_table_is_down_a_page_says_so_and_sessions_stay() -> Result<()> {
    let scene = Scene::open(Storage::Table, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    scene.app.table().map_or(Ok(()), Table::delete)?;

    scene.browser.reload().await?;
    scene.browser.shows("We cannot look up your session").await?;
    scene.is_in_order("store-unavailable").await?;
    assert_eq!(scene.cookies().await?, ["session"]);
    assert!(scene.app.log().contains("store_table_missing"));
    // The table is gone, and with it what the end of every scenario looks at.
    scene.browser.close().await
}

/// On a shared computer the next person must not be the user who has just logged out.
#[tokio::test]
async fn a_logout_while_the_table_is_down_leaves_no_session_in_the_browser() -> Result<()> {
    let scene = Scene::open(Storage::Table, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    scene.app.table().map_or(Ok(()), Table::delete)?;

    scene.browser.reload().await?;
    scene.browser.press("main a[href='/logout']").await?;
    scene.browser.press("main button").await?;
    scene.browser.shows("You are logged out").await?;
    scene.is_in_order("logged-out-table-down").await?;
    assert_eq!(scene.cookies().await?, ["logout"]);
    let log = scene.app.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("event=\"logout\"")).collect();
    assert!(
        matches!(lines.as_slice(), [line] if line.contains("store_table_missing") && line.contains("sub=\"ada10ace-")),
        "{log}"
    );

    scene.browser.press("main a[href*='/v2/web/consents']").await?;
    scene.browser.shows("Your consents").await?;
    // The table is gone, and with it what the end of every scenario looks at.
    scene.browser.close().await
}

/// Thirty services, whose tokens fill a cookie several times over.
#[tokio::test]
async fn a_sign_in_too_large_for_a_cookie_says_so_and_with_a_table_works() -> Result<()> {
    let scopes: Vec<_> = (0..30).map(|number| format!("urn:globus:auth:scope:service-{number}:all")).collect();
    let settings = [("GLOBUS_SCOPES", format!("openid profile email {}", scopes.join(" ")))];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));

    let scene = Scene::open(Storage::Cookies, &settings).await?;
    scene.begin().await?;
    scene.choose("ada").await?;
    scene.browser.shows("more permissions than it can store").await?;
    scene.is_in_order("too-large").await?;
    assert!(scene.cookies().await?.is_empty());
    scene.close().await?;

    let scene = Scene::open(Storage::Table, &settings).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    assert_eq!(scene.browser.text().await?.matches("Show tokens").count(), 31);
    scene.close().await
}
