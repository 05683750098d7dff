//! The sample of a page of one's own, in a browser.

use globus_stand_in::{Endpoint, Fault};
use kit::{Result, local::Storage};

use crate::scene::Scene;

on_each_storage! {
    a_link_to_the_sample_page_leads_through_the_login_to_what_globus_transfer_says
    long_texts_of_globus_transfer_stay_in_place
    a_permission_that_is_missing_is_named_and_a_new_login_leads_back
}

/// The stand-in is Globus Transfer as well: it counts the request, so the token has not left this machine.
async fn a_link_to_the_sample_page_leads_through_the_login_to_what_globus_transfer_says(
    storage: Storage,
) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.goto("/tasks").await?;
    scene.browser.shows("Who is logging in?").await?;
    scene.choose("ada").await?;

    scene.browser.shows("Your transfers").await?;
    scene.is_at("/tasks").await?;
    scene.is_in_order("tasks").await?;
    let shown = scene.browser.text().await?;
    for said in ["Detector images, run 42", "In progress", "Requested\n2025-02-03 14:30 UTC", "Results <final> & "] {
        assert!(shown.contains(said), "no {said:?} in {shown}");
    }
    assert_eq!(scene.app.stand_in().requests(Endpoint::TaskList), 1);
    scene.close().await
}

async fn long_texts_of_globus_transfer_stay_in_place(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    let long = "W".repeat(200);
    let body = format!(
        r#"{{"DATA":[{{"label":"{long}","status":"{long}","type":"{long}","source_endpoint_display_name":"{long}"}}]}}"#
    );
    scene
        .app
        .stand_in()
        .fault(Endpoint::TaskList, Fault::Respond { status: 200, content_type: "application/json", body: body.into() });
    scene.goto("/tasks").await?;
    scene.choose("ada").await?;

    scene.browser.shows("Your transfers").await?;
    scene.is_in_order("tasks-long").await?;
    scene.close().await
}

/// As for a user who has not agreed to every scope.
async fn a_permission_that_is_missing_is_named_and_a_new_login_leads_back(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    let body = r#"{"code":"ConsentRequired","message":"Missing required data_access consent"}"#.into();
    let fault = Fault::Respond { status: 403, content_type: "application/json", body };
    scene.app.stand_in().fault(Endpoint::TaskList, fault);

    scene.goto("/tasks").await?;
    scene.browser.shows("A permission is missing").await?;
    scene.browser.shows("urn:globus:auth:scope:transfer.api.globus.org:all").await?;
    scene.is_in_order("permission-missing").await?;
    assert!(scene.app.log().contains("service_consent_missing"));

    scene.app.stand_in().clear_faults();
    // Globus knows the browser.
    scene.browser.press("main a[href^='/login']").await?;
    scene.browser.shows("Your transfers").await?;
    scene.is_at("/tasks").await?;
    scene.close().await
}
