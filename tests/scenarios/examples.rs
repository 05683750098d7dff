//! Functions in Python and Node behind the login, in a browser and for API clients: with the real authorizer.

mod alone;

use globus_stand_in::{CLIENT_ID, Endpoint};
use kit::{
    Result,
    http::{self, Response},
    local::{App, Storage},
};
use serde_json::{Value, json};

use crate::scene::Scene;

on_each_storage! {
    a_page_in_python_is_for_users_who_are_logged_in
    an_api_route_in_python_is_for_clients_with_a_session
}

/// Sends a GET request as a client with these cookies.
fn get(app: &App, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let port = app.url().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap();
    http::send(port, "GET", path, headers, "").map_err(|error| format!("{path} gets no response: {error}."))
}

/// The cookies of the browser, as in a header.
async fn cookies(scene: &Scene) -> Result<String> {
    let cookies = scene.browser.cookies_for(scene.app.url()).await?;
    Ok(cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; "))
}

/// From a page for users to its login and back, then out, then to the login again. That one is silent, since the browser
/// is still logged in at Globus.
async fn is_for_users(scene: &Scene, path: &str, greeting: &str) -> Result<()> {
    scene.goto(path).await?;
    scene.browser.shows("Who is logging in?").await?;
    scene.choose("ada").await?;
    scene.browser.shows(greeting).await?;
    scene.is_at(path).await?;

    scene.browser.press("a[href='/logout']").await?;
    scene.browser.shows("Log out?").await?;
    scene.browser.press("main button").await?;
    scene.browser.shows("You are logged out").await?;
    let response = get(&scene.app, path, &[("accept", "text/html"), ("cookie", &cookies(scene).await?)])?;
    let login = format!("/login?refresh&next={}", path.replace('/', "%2F"));
    assert_eq!((response.status, response.header("location"), response.body.as_str()), (302, login.as_str(), ""));

    assert_eq!(scene.app.stand_in().requests(Endpoint::Authorize), 1);
    scene.goto(path).await?;
    scene.browser.shows(greeting).await?;
    scene.is_at(path).await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Authorize), 2);
    Ok(())
}

async fn a_page_in_python_is_for_users_who_are_logged_in(storage: Storage) -> Result<()> {
    let scene = Scene::open_with_examples(storage).await?;
    is_for_users(&scene, "/examples/report", "Report for Ada Lovelace").await?;
    scene.browser.shows("Your UUID at Globus: ada10ace-1815-4d60-8bdb-eeecaba85bd9.").await?;
    scene.is_in_order("example-report").await?;
    let log = scene.app.log();
    for line in
        ["Z  GET     /examples/report        302  sign_in_required\n", "Z  GET     /examples/report        200\n"]
    {
        assert!(log.contains(line), "no {line:?} in {log}");
    }
    scene.close().await
}

#[tokio::test]
async fn a_page_in_javascript_is_for_users_who_are_logged_in() -> Result<()> {
    let scene = Scene::open_with_examples(Storage::Cookies).await?;
    is_for_users(&scene, "/examples/notebook", "Notebook of Ada Lovelace").await?;
    scene.is_in_order("example-notebook").await?;
    scene.close().await
}

async fn an_api_route_in_python_is_for_clients_with_a_session(storage: Storage) -> Result<()> {
    let scene = Scene::open_with_examples(storage).await?;
    let refused = |response: &Response| (response.status, response.body.clone());
    let response = get(&scene.app, "/examples/api", &[])?;
    assert_eq!(refused(&response), (401, r#"{"message":"Unauthorized"}"#.to_owned()));
    // Also one that could be led to the login: this route is for no browser.
    for headers in [&[("cookie", "a=1")][..], &[("cookie", "a=1"), ("accept", "text/html")]] {
        let response = get(&scene.app, "/examples/api", headers)?;
        assert_eq!(refused(&response), (403, r#"{"message":"Forbidden"}"#.to_owned()));
    }

    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    let response = get(&scene.app, "/examples/api", &[("cookie", &cookies(&scene).await?)])?;
    let user = json!({
        "sub": "ada10ace-1815-4d60-8bdb-eeecaba85bd9",
        "username": "ada@uchicago.example",
        "name": "Ada Lovelace",
    });
    assert_eq!((response.status, serde_json::from_str(&response.body).ok()), (200, Some(user)));
    assert_eq!(response.header("cache-control"), "no-store");
    scene.close().await
}

#[tokio::test]
async fn a_page_lists_the_transfers_of_its_user_with_a_token_that_no_browser_sees() -> Result<()> {
    let scene = Scene::open_with_examples(Storage::Cookies).await?;
    scene.goto("/examples/transfers").await?;
    scene.choose("ada").await?;
    scene.browser.shows("Your transfers").await?;
    scene.is_at("/examples/transfers").await?;
    scene.is_in_order("example-transfers").await?;
    let shown = scene.browser.text().await?;
    for said in ["Detector images, run 42, ACTIVE", "Results <final> & ", "-, INACTIVE, 2025-02-02T08:15:00+00:00"] {
        assert!(shown.contains(said), "no {said:?} in {shown}");
    }
    assert_eq!(scene.app.stand_in().requests(Endpoint::TaskList), 1);
    let source = scene.browser.source().await?;
    for token in scene.app.stand_in().issued_tokens() {
        assert!(!source.contains(&token), "{source}");
    }
    scene.close().await
}

/// The session itself is good for hours.
#[tokio::test]
async fn a_token_for_transfers_that_ends_soon_is_renewed_on_the_way() -> Result<()> {
    let scene = Scene::open_with_examples(Storage::Cookies).await?;
    // Not of the tokens for other services, which are inside.
    scene.app.stand_in().edit_token_response(|response| response["expires_in"] = json!(7200));
    scene.sign_in_a_minute_ago().await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Token), 1);

    scene.goto("/examples/transfers").await?;
    scene.browser.shows("Detector images, run 42").await?;
    scene.is_at("/examples/transfers").await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Token), 2);
    assert_eq!(scene.app.stand_in().requests(Endpoint::Authorize), 0);
    scene.close().await
}

/// No request passes, not even to the login, which would not work either.
#[tokio::test]
async fn while_the_authorizer_fails_no_example_is_reached() -> Result<()> {
    let settings = [("GLOBUS_CLIENT_ID", CLIENT_ID), ("SESSION_KEYS", "too short")];
    let app = App::start_with_examples(Storage::Cookies, &settings).await?;
    for path in ["/examples/report", "/examples/api"] {
        let response = get(&app, path, &[("accept", "text/html"), ("cookie", "a=1")])?;
        assert_eq!((response.status, response.body.as_str()), (500, r#"{"message":"Internal Server Error"}"#));
    }
    Ok(())
}

/// A user may choose any name at Globus.
#[tokio::test]
async fn a_name_that_is_a_script_is_shown_and_not_run() -> Result<()> {
    let scene = Scene::open_with_examples(Storage::Cookies).await?;
    scene.goto("/examples/report").await?;
    scene.choose("markup").await?;
    for path in ["/examples/report", "/examples/notebook"] {
        scene.goto(path).await?;
        scene.browser.shows("<script>alert(1)</script> & \"quotes\" 'too'").await?;
        let scripts = scene.browser.run("return document.scripts.length").await?;
        assert_eq!(scripts, Value::from(0), "{path}");
    }
    scene.close().await
}
