//! The stack as far as it can be deployed on one machine: what `sam build` makes, each function under AWS's emulator with
//! the variables that the template gives it, and events that are routed as the API would.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, StandIn};
use kit::{
    Result,
    dynamodb::{DynamoDb, Table},
    emulator::Emulator,
    local::Storage,
    recorder::Recorder,
    sam,
    stack::Stack,
    tools,
};
use serde_json::{Value, json};

/// The API's own name, as in the sample events.
pub(crate) const SITE: &str = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";

/// The stack, running.
pub(crate) struct Deployment {
    pub(crate) stack: Stack,
    pub(crate) stand_in: StandIn,
    pub(crate) table: Option<Table<'static>>,
    functions: BTreeMap<String, (Emulator, Option<Recorder>)>,
    event: Value,
}

impl Deployment {
    /// Builds the functions if need be, and starts them with an application at the stand-in for Globus.
    pub(crate) async fn start(storage: Storage) -> Result<Self> {
        Self::with(storage, &[("GlobusClientId", CLIENT_ID), ("GlobusClientSecret", CLIENT_SECRET)]).await
    }

    /// The same with these parameters beside the one that `sam build` needs.
    pub(crate) async fn with(storage: Storage, parameters: &[(&str, &str)]) -> Result<Self> {
        let built = sam::build(storage)?;
        let stand_in = StandIn::start(0, &[&format!("{SITE}/login")]).await.map_err(|error| error.to_string())?;
        let table = if storage == Storage::Table { Some(DynamoDb::shared()?.table()?) } else { None };
        let stored = ("TokenStorage", sam::token_storage(storage));
        let stack = Stack::with(&[&[stored], parameters].concat(), table.as_ref().map_or("no-table", Table::name))?;

        let mut functions = BTreeMap::new();
        for (name, function) in &stack.functions {
            let mut variables = function.variables.clone();
            // Globus is elsewhere, and the table too; all else is as it would be deployed.
            variables.insert("GLOBUS_AUTH_URL".to_owned(), stand_in.url().to_owned());
            let recorder = if table.is_some() { Some(Recorder::start(DynamoDb::shared()?.port())?) } else { None };
            if let Some(recorder) = &recorder {
                variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), recorder.url());
            }
            let emulator = Emulator::start(&built.join(name).join("bootstrap"), function, &variables)?;
            functions.insert(name.clone(), (emulator, recorder));
        }
        let event = fs::read_to_string(tools::root().join("events/home-signed-out.json")).unwrap();
        Ok(Self { stack, stand_in, table, functions, event: serde_json::from_str(&event).unwrap() })
    }

    /// Sends a request as API Gateway does, with these cookies and with a form where there is one.
    pub(crate) fn send(&self, method: &str, path: &str, cookies: &[String], form: Option<&str>) -> Result<Answer> {
        let (raw_path, query) = path.split_once('?').unwrap_or((path, ""));
        let route = self.stack.route(method, raw_path).ok_or_else(|| format!("There is no route for {path}."))?;
        let key =
            if route.path == "$default" { "$default".to_owned() } else { format!("{} {}", route.method, route.path) };
        let mut event = self.event.clone();
        event["routeKey"] = json!(key);
        event["rawPath"] = json!(raw_path);
        event["rawQueryString"] = json!(query);
        let context = &mut event["requestContext"];
        context["routeKey"] = json!(key);
        context["http"]["method"] = json!(method);
        context["http"]["path"] = json!(raw_path);
        event["headers"]["sec-fetch-site"] = json!("same-origin");
        if !cookies.is_empty() {
            event["cookies"] = json!(cookies);
        }
        if let Some(form) = form {
            event["headers"]["content-type"] = json!("application/x-www-form-urlencoded");
            event["body"] = json!(STANDARD.encode(form));
            event["isBase64Encoded"] = json!(true);
        }
        let (function, _) = self.functions.get(&route.function).ok_or("The route leads to no function.")?;
        function.invoke(&event).map(Answer)
    }

    /// The permissions that each function has made use of, such as `dynamodb:getitem`, beside those it has.
    pub(crate) fn permissions(&self) -> Vec<(&str, BTreeSet<String>, BTreeSet<String>)> {
        let functions = self.functions.iter().map(|(name, (_, recorder))| {
            let operations = recorder.as_ref().map(Recorder::operations).unwrap_or_default();
            let used = operations.iter().map(|operation| format!("dynamodb:{operation}")).collect();
            let granted = self.stack.functions[name].actions.iter().map(|action| action.to_ascii_lowercase());
            (name.as_str(), used, granted.collect())
        });
        functions.collect()
    }
}

/// What a function hands back to API Gateway.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Value);

impl Answer {
    pub(crate) fn status(&self) -> u64 {
        self.0["statusCode"].as_u64().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.0["headers"][name].as_str().unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &str {
        self.0["body"].as_str().unwrap_or_default()
    }

    /// What is in `cookies`, where API Gateway wants them. A header of that name would be a second place.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        assert!(self.0["headers"]["set-cookie"].is_null(), "{self:?}");
        assert!(self.0["multiValueHeaders"]["set-cookie"].is_null(), "{self:?}");
        self.0["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// A browser, as far as cookies go.
#[derive(Default)]
pub(crate) struct Browser(BTreeMap<String, String>);

impl Browser {
    pub(crate) fn cookies(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    pub(crate) fn get(&mut self, deployment: &Deployment, path: &str) -> Result<Answer> {
        self.send(deployment, "GET", path, None)
    }

    pub(crate) fn send(
        &mut self,
        deployment: &Deployment,
        method: &str,
        path: &str,
        form: Option<&str>,
    ) -> Result<Answer> {
        let answer = deployment.send(method, path, &self.cookies(), form)?;
        for cookie in answer.cookies() {
            let (name, rest) = cookie.split_once('=').unwrap_or_default();
            assert!(name.starts_with("__Host-"), "{cookie}");
            let value = rest.split(';').next().unwrap_or_default();
            if rest.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    /// Signs in as somebody, from the first press of the button to the page with their name.
    pub(crate) async fn sign_in(&mut self, deployment: &Deployment) -> Result<()> {
        let begun = self.get(deployment, "/login")?;
        assert_eq!(begun.status(), 302, "{begun:?}");
        let callback = deployment.stand_in.sign_in(begun.header("location"), "ada").await?;
        let path = callback.strip_prefix(SITE).unwrap_or_else(|| panic!("{callback}"));
        let signed_in = self.get(deployment, path)?;
        assert_eq!(signed_in.header("location"), format!("{SITE}/"), "{signed_in:?}");
        self.is_signed_in(deployment)
    }

    pub(crate) fn is_signed_in(&mut self, deployment: &Deployment) -> Result<()> {
        let home = self.get(deployment, "/")?;
        assert!(home.body().contains("Hello Ada Lovelace!"), "{home:?}");
        Ok(())
    }
}
