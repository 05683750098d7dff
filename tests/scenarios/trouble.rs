//! When Globus or the configuration is at fault: the page that says so, and the way on.

use std::time::Duration;

use globus_stand_in::{Endpoint, Fault};
use kit::{Result, local::Storage};

use crate::scene::Scene;

on_each_storage! {
    while_globus_does_not_answer_a_page_says_so_and_a_later_try_succeeds
    an_incomplete_configuration_is_a_page_for_people_and_a_line_for_the_operator
}

async fn while_globus_does_not_answer_a_page_says_so_and_a_later_try_succeeds(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.begin().await?;
    scene.app.stand_in().fault(Endpoint::Token, Fault::Delay(Duration::from_secs(10)));
    scene.choose("ada").await?;
    scene.browser.shows("Globus is not answering").await?;
    scene.is_in_order("globus-unavailable").await?;
    assert!(scene.cookies().await?.is_empty());
    assert_eq!(scene.app.log().matches("globus_timeout").count(), 1);

    scene.app.stand_in().clear_faults();
    // Globus knows the browser by now.
    scene.browser.press("main a[href^='/login']").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.close().await
}

async fn an_incomplete_configuration_is_a_page_for_people_and_a_line_for_the_operator(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[("SESSION_KEYS", "short"), ("GLOBUS_CLIENT_SECRET", "")]).await?;
    scene.browser.shows("This site is not ready yet").await?;
    scene.is_in_order("not-ready").await?;
    for path in ["/", "/login", "/logout", "/nothing"] {
        scene.goto(path).await?;
        scene.browser.shows("This site is not ready yet").await?;
    }
    let log = scene.app.log();
    assert!(log.contains("SESSION_KEYS must be keys of at least 32 characters"), "{log}");
    assert!(log.contains("GLOBUS_CLIENT_SECRET is missing"), "{log}");
    assert!(!log.contains("short"), "{log}");
    scene.close().await
}
