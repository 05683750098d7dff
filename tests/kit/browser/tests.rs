use tokio::time::sleep;

use super::*;

#[tokio::test]
async fn hears_what_the_console_says() -> Result<()> {
    let browser = Browser::open().await?;
    browser.goto("data:text/html,<script>console.error('oh no')</script>").await?;
    // On a loaded machine, it says so a moment later.
    let mut said = Vec::new();
    for _ in 0..200 {
        said.extend(browser.console().await?);
        if !said.is_empty() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(matches!(said.as_slice(), [line] if line.contains("oh no")), "{said:?}");
    assert!(browser.console().await?.is_empty());
    browser.close().await
}

#[tokio::test]
async fn finds_a_picture_that_not_everybody_can_see() -> Result<()> {
    let browser = Browser::open().await?;
    browser.goto("data:text/html,<main><img src='data:,'></main>").await?;
    let violations = browser.accessibility_violations().await?.to_string();
    assert!(violations.contains("image-alt"), "{violations}");
    browser.close().await
}

#[tokio::test]
async fn shows_pages_in_the_dark_and_on_a_small_screen() -> Result<()> {
    let browser = Browser::open().await?;
    let seen = "return [matchMedia('(prefers-color-scheme: dark)').matches, innerWidth]";
    browser.screen(390, 800, true).await?;
    assert_eq!(browser.run(seen).await?, json!([true, 390]));
    browser.screen(1280, 1000, false).await?;
    assert_eq!(browser.run(seen).await?, json!([false, 1280]));
    browser.close().await
}
