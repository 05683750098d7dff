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
    packages::Package,
    recorder::Recorder,
    sam,
    stack::{Route, Stack},
    tools,
};
use serde_json::{Value, json};
use shared::testing::{Event, Received};

use crate::visitor::{FORM, Site, from_lambda};

/// The API's own name, as in the sample events.
pub(crate) const SITE: &str = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";

/// The stack, running.
pub(crate) struct Deployment {
    pub(crate) stack: Stack,
    pub(crate) stand_in: StandIn,
    pub(crate) table: Option<Table<'static>>,
    functions: BTreeMap<String, (Emulator, Option<Recorder>)>,
    sample: Value,
}

impl Deployment {
    /// Packages the functions if need be, and starts them with an application at the stand-in for Globus.
    pub(crate) async fn start(package: Package) -> Result<Self> {
        Self::with(package, &[("GlobusClientId", CLIENT_ID), ("GlobusClientSecret", CLIENT_SECRET)]).await
    }

    /// The same with these parameters beside those that `sam build` needs.
    pub(crate) async fn with(package: Package, parameters: &[(&str, &str)]) -> Result<Self> {
        let stand_in = StandIn::start(0, &[&format!("{SITE}/login")]).await.map_err(|error| error.to_string())?;
        let table = if package.storage == Storage::Table { Some(DynamoDb::shared()?.table()?) } else { None };
        let built = package.parameters();
        let stack = Stack::with(&[&built, parameters].concat(), table.as_ref().map_or("no-table", Table::name))?
            .of_this_project();

        let mut functions = BTreeMap::new();
        for (name, function) in &stack.functions {
            let mut variables = function.variables.clone();
            // Globus is elsewhere, and the table too; all else is as it would be deployed.
            variables.insert("GLOBUS_AUTH_URL".to_owned(), stand_in.url().to_owned());
            for (_, url) in
                variables.iter_mut().filter(|(name, _)| matches!(name.as_str(), "TRANSFER_URL" | "GROUPS_URL"))
            {
                stand_in.url().clone_into(url);
            }
            let recorder = if table.is_some() { Some(Recorder::start(DynamoDb::shared()?.port())?) } else { None };
            if let Some(recorder) = &recorder {
                variables.insert("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), recorder.url());
            }
            let emulator = Emulator::start(package, function, &variables)?;
            functions.insert(name.clone(), (emulator, recorder));
        }
        let sample = fs::read_to_string(tools::root().join("events/home-signed-out.json")).unwrap();
        Ok(Self { stack, stand_in, table, functions, sample: serde_json::from_str(&sample).unwrap() })
    }

    /// The sample event, changed into one that says what `sent` does.
    fn complete(&self, sent: &Value, route: &Route) -> Value {
        let key =
            if route.path == "$default" { "$default".to_owned() } else { format!("{} {}", route.method, route.path) };
        let mut event = self.sample.clone();
        event["routeKey"] = json!(key);
        event["requestContext"]["routeKey"] = json!(key);
        for (name, value) in sent["requestContext"]["http"].as_object().into_iter().flatten() {
            event["requestContext"]["http"][name] = value.clone();
        }
        for (name, value) in sent["headers"].as_object().into_iter().flatten() {
            event["headers"][name] = value.clone();
        }
        for name in ["rawPath", "rawQueryString", "isBase64Encoded"] {
            event[name] = sent[name].clone();
        }
        // Without cookies there is no such field.
        if sent["cookies"] != json!([]) {
            event["cookies"] = sent["cookies"].clone();
        }
        event
    }

    /// What the login function is given here, beside what is only for logs.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let table = self.table.as_ref().map(Table::variables).unwrap_or_default();
        let function = self.stack.functions["LoginFunction"].variables.clone();
        let here = [("GLOBUS_AUTH_URL", self.stand_in.url()), ("AWS_REGION", sam::REGION)];
        let here = here.map(|(name, value)| (name.to_owned(), value.to_owned()));
        // The first of a name counts.
        here.into_iter().chain(table).chain(function).collect()
    }

    /// The result of a function, by its name in the template, of an event that no visitor has sent.
    pub(crate) fn invoke(&self, function: &str, event: &Value) -> Result<Value> {
        let (function, _) = self.functions.get(function).ok_or("There is no such function.")?;
        function.invoke(event)
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

impl Site for Deployment {
    fn url(&self) -> &str {
        SITE
    }

    /// Sends an event as API Gateway does: to the function of its route, and with all that the sample event has.
    async fn send(&self, event: &Event, form: &str) -> Result<Received> {
        let sent: Value = serde_json::from_str(&event.json()).map_err(|error| error.to_string())?;
        let method = sent["requestContext"]["http"]["method"].as_str().unwrap_or_default();
        let path = sent["rawPath"].as_str().unwrap_or_default();
        let route = self.stack.route(method, path).ok_or_else(|| format!("There is no route for {path}."))?;
        let (function, _) = self.functions.get(&route.function).ok_or("The route leads to no function.")?;
        let mut event = self.complete(&sent, route);
        if !form.is_empty() {
            event["headers"]["content-type"] = json!(FORM);
            event["body"] = json!(STANDARD.encode(form));
            event["isBase64Encoded"] = json!(true);
        }
        let response = from_lambda(&function.invoke(&event)?);
        for cookie in &response.cookies {
            assert!(cookie.starts_with("__Host-"), "{cookie}");
        }
        Ok(response)
    }
}
