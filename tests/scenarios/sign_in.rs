//! A person signs in and logs out, in a browser.

use kit::{Result, browser::Browser, local::App};
use serde_json::json;

#[tokio::test]
async fn a_person_signs_in_sees_who_they_are_and_logs_out() -> Result<()> {
    let app = App::start(&[]).await?;
    let browser = Browser::open().await?;

    browser.goto(app.url()).await?;
    is_in_order(&browser, "home-signed-out").await?;

    browser.press("main a[href^='/login']").await?;
    browser.press("[data-person=ada]").await?;
    browser.shows("Hello Ada Lovelace!").await?;
    assert_eq!(browser.url().await?, format!("{}/", app.url()));
    is_in_order(&browser, "home-signed-in").await?;

    browser.press("main button").await?;
    browser.shows("You are logged out").await?;
    is_in_order(&browser, "logged-out").await?;
    browser.goto(app.url()).await?;
    assert!(!browser.text().await?.contains("Ada"));
    browser.close().await
}

/// Nothing for the console to complain of, nothing in the way of anybody, and a picture to look at.
async fn is_in_order(browser: &Browser, name: &str) -> Result<()> {
    browser.screenshot(name).await?;
    assert_eq!(browser.console().await?, Vec::<String>::new(), "{name}");
    assert_eq!(browser.accessibility_violations().await?, json!([]), "{name}");
    Ok(())
}
