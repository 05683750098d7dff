//! The sample events, sent as the README says.

use std::fs;

use kit::{
    Result,
    local::{App, Storage},
    tools,
};
use serde_json::Value;

#[tokio::test]
async fn each_sample_event_gets_a_response_when_it_is_sent_with_cargo_lambda_invoke() -> Result<()> {
    let app = App::start(Storage::Cookies, &[]).await?;
    let mut sent = 0;
    for entry in fs::read_dir(tools::root().join("events")).map_err(|error| error.to_string())? {
        let file = entry.map_err(|error| error.to_string())?.path();
        let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let function = name.split('-').next().unwrap_or_default();

        let response = app.invoke(function, &file)?;
        let response: Value =
            serde_json::from_str(&response).map_err(|error| format!("{name}: {error} in {response}"))?;
        let status = response["statusCode"].as_u64().unwrap_or_default();
        assert!((200..500).contains(&status), "{name}: {response}");
        assert!(response["headers"]["content-security-policy"].is_string(), "{name}: {response}");
        sent += 1;
    }
    assert!(sent > 10, "{sent}");
    Ok(())
}
