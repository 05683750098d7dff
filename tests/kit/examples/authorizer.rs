//! The authorizer, asked as API Gateway asks it.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>

use std::process::Stdio;

use serde_json::{Value, json};

use super::Authorizer;
use crate::{
    Result,
    runtime::Runtime,
    sam::{ACCOUNT, REGION},
    tools,
};

impl Authorizer {
    /// What its variable `AUTHORIZER_MODE` says.
    fn mode(self) -> &'static str {
        match self {
            Self::SignedIn => "signed-in",
            Self::Visitor => "visitor",
        }
    }
}

/// The verdict on a request that leads to this event; null if the authorizer fails. It runs as it was built last, with these
/// variables.
pub(super) fn ask(authorizer: Authorizer, event: &Value, site: &[(String, String)], log: Stdio) -> Result<Value> {
    let event = asking(authorizer, event);
    let runtime = Runtime::start()?;
    let program = tools::target().join("debug/authorizer");
    let mut started = tools::command(&program)
        .envs(runtime.variables()?)
        .envs(site.iter().cloned())
        .env("AUTHORIZER_MODE", authorizer.mode())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(|error| format!("{} does not start: {error}.", program.display()))?;
    let mut waiting = runtime.first(&mut started);
    let verdict = waiting.as_mut().ok().and_then(|waiting| waiting.response_to(&event.to_string()).ok());
    // It waits for another event, and would complain if that connection ended.
    drop(started.kill());
    drop(started.wait());
    Ok(verdict.and_then(|verdict| serde_json::from_str(&verdict).ok()).unwrap_or_default())
}

/// The authorizer's own event. It has no body.
fn asking(authorizer: Authorizer, event: &Value) -> Value {
    let mut event = event.clone();
    let method_and_path = event["routeKey"].as_str().unwrap_or_default().replacen(' ', "", 1);
    event["type"] = "REQUEST".into();
    event["routeArn"] = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:local/$default/{method_and_path}").into();
    event["identitySource"] = match authorizer {
        Authorizer::SignedIn => json!([event["cookies"].as_array().map(|cookies| joined(cookies))]),
        Authorizer::Visitor => Value::Null,
    };
    for name in ["body", "isBase64Encoded"] {
        event.as_object_mut().and_then(|event| event.remove(name));
    }
    event
}

fn joined(cookies: &[Value]) -> String {
    cookies.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
}
