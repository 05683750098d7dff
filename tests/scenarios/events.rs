//! The sample events, sent as the README says.

use std::{collections::BTreeMap, fs, path::Path};

use kit::{
    Result,
    local::{App, Storage},
    programs::PAGES,
    sample_event, tools,
};
use serde_json::{Value, json};

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn invoke(app: &App, function: &str, event: &Path) -> Result<Value> {
    let response = app.invoke(function, event)?;
    serde_json::from_str(&response).map_err(|error| format!("{}: {error} in {response}", event.display()))
}

/// The function that an event is for, by its name.
fn function(event: &str) -> &str {
    event.split('-').next().unwrap_or_default()
}

/// The status that the README names for each sample event: the rows of its table begin with the events' names.
fn statuses() -> Result<BTreeMap<String, u64>> {
    let readme = read(&tools::root().join("README.md"))?;
    let rows = readme.lines().filter_map(|line| {
        let (events, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
        let status: u64 = rest.split(' ').next()?.parse().ok()?;
        Some((events, status))
    });
    let names = rows.flat_map(|(events, status)| events.split(", ").map(move |name| (name.trim_matches('`'), status)));
    Ok(names.map(|(name, status)| (name.to_owned(), status)).collect())
}

#[tokio::test]
async fn each_sample_event_gets_the_status_that_the_readme_says() -> Result<()> {
    let app = App::start(Storage::Cookies, &[]).await?;
    let (mut sent, mut results) = (BTreeMap::new(), BTreeMap::new());
    for entry in fs::read_dir(tools::root().join("events")).map_err(|error| error.to_string())? {
        let file = entry.map_err(|error| error.to_string())?.path();
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let response = invoke(&app, function(&name), &file)?;
        if !PAGES.contains(&function(&name)) {
            results.insert(name, response);
            continue;
        }
        assert!(response["headers"]["content-security-policy"].is_string(), "{name}: {response}");
        sent.insert(name, response["statusCode"].as_u64().unwrap_or_default());
    }
    let expected = statuses()?;
    // A function that is not in the README is one of a grown app.
    sent.retain(|name, _| expected.keys().any(|known| function(known) == function(name)));
    assert_eq!(sent, expected);
    assert!(sent.len() > 10, "{sent:?}");
    let denied = json!({ "isAuthorized": false, "context": {} });
    let login = json!({ "login": "/login?next=%2Fexamples%2Ftransfers" });
    let expected = [("authorizer-navigation", &denied), ("authorizer-program", &denied), ("token-signed-out", &login)];
    let results: Vec<_> = results.iter().map(|(name, result)| (name.as_str(), result)).collect();
    assert_eq!(results, expected);
    Ok(())
}

#[tokio::test]
async fn the_sample_event_of_a_user_who_is_logged_in_gets_the_users_page() -> Result<()> {
    let app = App::start(Storage::Cookies, &[]).await?;
    let file = tools::artifact("home-signed-in.json")?;
    fs::write(&file, sample_event::signed_in(app.watch().port())?.to_string()).map_err(|error| error.to_string())?;

    let response = invoke(&app, "home", &file)?;

    assert_eq!(response["statusCode"], 200, "{response}");
    assert!(response["body"].as_str().unwrap_or_default().contains("Hello <bdi>Ada Lovelace</bdi>!"), "{response}");
    Ok(())
}
