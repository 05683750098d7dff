use kit::{Result, browser::Browser, local::App};

#[tokio::test]
async fn a_person_signs_in_sees_who_they_are_and_logs_out() -> Result<()> {
    let app = App::start(&[]).await?;
    let browser = Browser::open().await?;
    browser.goto(app.url()).await?;
    browser.press("main a").await?;
    browser.press("[data-person=ada]").await?;
    browser.shows("Hello Ada Lovelace!").await?;
    println!(
        "{} {:?} {:?}",
        browser.accessibility_violations().await?,
        browser.console().await?,
        browser.cookies().await?
    );
    browser.screen(390, 1400, true).await?;
    browser.screenshot("home-signed-in").await?;
    browser.press("main button").await?;
    browser.shows("You are logged out").await?;
    browser.close().await
}
