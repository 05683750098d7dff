//! The functions in `examples/` on this machine, and API Gateway's part in front of them: it asks the authorizer, and calls
//! a function only if that says so.
//!
//! For each request the authorizer and the function are started anew. So a change counts from the next request on.

mod answer;
mod authorizer;
mod function;

use std::{os::fd::OwnedFd, process::Stdio};

use http::StatusCode;
use serde_json::{Value, json};

use crate::{Result, gateway, http::Request};

pub use answer::Answer;

/// The path below which the examples are, as `Path` in their template says.
pub const BASE_PATH: &str = "/examples";

/// The routes of their template.
pub const ROUTES: [Route; 4] = [
    Route { path: "/report", file: "python/report.py", authorizer: Authorizer::Visitor },
    Route { path: "/notebook", file: "node/notebook.mjs", authorizer: Authorizer::Visitor },
    Route { path: "/api", file: "python/api.py", authorizer: Authorizer::SignedIn },
    Route { path: "/transfers", file: "python/transfers.py", authorizer: Authorizer::Visitor },
];

/// The name of the function that gives tokens, under `cargo lambda watch`.
const TOKEN_FUNCTION: &str = "token";

/// Where Globus Transfer is, unless a setting says so.
const TRANSFER_URL: &str = "https://transfer.api.globus.org";

/// One of the two authorizers, which are one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorizer {
    /// For API clients.
    SignedIn,
    /// For pages.
    Visitor,
}

impl Authorizer {
    /// Its name in the template.
    pub fn name(self) -> &'static str {
        match self {
            Self::SignedIn => "SignedIn",
            Self::Visitor => "Visitor",
        }
    }
}

/// An example: a path of GET requests, and what responds to them.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Below [`BASE_PATH`].
    pub path: &'static str,
    /// In `examples/`. The function in it has the name `handler`.
    pub file: &'static str,
    /// What decides about a request.
    pub authorizer: Authorizer,
}

/// What the examples run with.
#[derive(Debug)]
pub struct Examples {
    /// The variables of the site's functions, of which the authorizer is one.
    site: Vec<(String, String)>,
    log: OwnedFd,
}

impl Examples {
    /// For a site with these variables. Everything is logged there.
    pub fn new(site: &[(String, String)], log: impl Into<OwnedFd>) -> Self {
        Self { site: site.to_vec(), log: log.into() }
    }

    /// Whether a path is theirs.
    pub fn have(path: &str) -> bool {
        path.strip_prefix(BASE_PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// What API Gateway responds, while the site's other functions are at this port of 127.0.0.1. An error is one of this
    /// machine.
    pub fn respond(&self, functions: u16, request: &Request) -> Result<Answer> {
        let mut event = gateway::event(request);
        event["stageVariables"] = json!({ "BASE_PATH": BASE_PATH });
        let Some(route) = route(&request.method, event["rawPath"].as_str().unwrap_or_default()) else {
            return Ok(Answer::refusal(StatusCode::NOT_FOUND, "Not Found"));
        };
        event["routeKey"] = format!("GET {}", route.path).into();
        if route.authorizer == Authorizer::SignedIn && request.header("cookie").is_empty() {
            return Ok(Answer::refusal(StatusCode::UNAUTHORIZED, "Unauthorized"));
        }
        let verdict = authorizer::ask(route.authorizer, &event, &self.site, self.log()?)?;
        if verdict["isAuthorized"].is_null() {
            return Ok(Answer::failure());
        }
        if verdict["isAuthorized"] != true {
            return Ok(Answer::refusal(StatusCode::FORBIDDEN, "Forbidden"));
        }
        event["requestContext"]["authorizer"] = json!({ "lambda": verdict["context"] });
        let result = function::run(route, &event, &self.variables(functions), self.log()?)?;
        Ok(result.as_ref().and_then(Answer::read).unwrap_or_else(Answer::failure))
    }

    /// What the template gives the examples, and Lambda itself. No key of the site is among it.
    fn variables(&self, functions: u16) -> Vec<(String, String)> {
        let transfer = self.site.iter().rfind(|(name, _)| name == "TRANSFER_URL");
        let transfer = transfer.map_or(TRANSFER_URL, |(_, url)| url.as_str());
        let variables = [
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_LAMBDA", &format!("http://127.0.0.1:{functions}")),
            ("TOKEN_FUNCTION", TOKEN_FUNCTION),
            ("TRANSFER_URL", transfer),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    fn log(&self) -> Result<Stdio> {
        self.log.try_clone().map(Stdio::from).map_err(|error| format!("The log cannot be written: {error}."))
    }
}

fn route(method: &str, path: &str) -> Option<&'static Route> {
    let path = path.strip_prefix(BASE_PATH)?;
    ROUTES.iter().find(|route| method == "GET" && path == route.path)
}

/// The result of an example for an event, without any authorizer; none if it fails.
pub fn run(route: &Route, event: &Value, variables: &[(String, String)]) -> Result<Option<Value>> {
    function::run(route, event, variables, Stdio::null())
}

#[cfg(test)]
mod tests;
