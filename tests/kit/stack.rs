//! What CloudFormation would make of the template: AWS's own translator, and a script that resolves the references.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    Result,
    sam::{ACCOUNT, REGION},
    tools,
};

/// The value that the stack's own session key has here.
pub const SESSION_KEY: &str = "a-session-key-for-packaged-functions-and-nothing-else";

/// A function of the stack.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name in the template.
    pub name: String,
    /// The variables that the template gives it.
    pub variables: BTreeMap<String, String>,
    /// What its role may do with the table, such as `dynamodb:GetItem`.
    pub actions: BTreeSet<String>,
    /// After how many seconds Lambda gives it up.
    pub timeout: u64,
    /// Its memory in megabytes.
    pub memory: u64,
    /// How Lambda collects its log.
    pub log_format: String,
}

/// A route of the API.
#[derive(Clone, Debug)]
pub struct Route {
    /// A method, or `ANY`.
    pub method: String,
    /// A path, or `$default` for any that no other route has.
    pub path: String,
    /// The function it leads to.
    pub function: String,
}

/// The stack as it would be deployed.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Its functions, by their names in the template.
    pub functions: BTreeMap<String, Function>,
    /// The routes of its API.
    pub routes: Vec<Route>,
    /// Which function the API may call for which paths, as patterns of method and path such as `*/login`.
    pub invokable: Vec<(String, String)>,
    /// How many requests a second each route takes, by its key such as `ANY /login`; `*` is for all others.
    pub throttles: BTreeMap<String, u64>,
    /// Its tables, as CloudFormation would make them.
    pub tables: BTreeMap<String, Value>,
    /// The names of the metrics that are counted in the log.
    pub counted: BTreeSet<String>,
    /// The dashboard.
    pub dashboard: Value,
}

impl Stack {
    /// The stack with these parameters, where the others have their defaults, and a table of that name.
    pub fn with(parameters: &[(&str, &str)], table: &str) -> Result<Self> {
        let parameters: BTreeMap<_, _> = parameters.iter().copied().collect();
        let given = json!({
            "template": "template.yaml",
            "parameters": parameters,
            "names": {
                "AWS::AccountId": ACCOUNT,
                "AWS::Partition": "aws",
                "AWS::Region": REGION,
                "AWS::StackName": "globus-sign-in",
                "AWS::URLSuffix": "amazonaws.com",
                "TokenTable": table,
            },
            "secrets": { "SessionKeys": SESSION_KEY, "ClientSecret": { "Ref": "GlobusClientSecret" } },
        });
        let mut describe = tools::command(tools::sam()?.join("python"));
        let output = describe.arg("tests/stack.py").arg(given.to_string()).output();
        let output = output.map_err(|error| format!("The template cannot be transformed: {error}."))?;
        if !output.status.success() {
            return Err(format!("The template cannot be transformed: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let said = serde_json::from_slice(&output.stdout);
        let said: Value = said.map_err(|error| format!("tests/stack.py does not speak JSON: {error}."))?;
        Ok(Self::read(&said, table))
    }

    fn read(said: &Value, table: &str) -> Self {
        let functions = said["functions"].as_object().into_iter().flatten();
        let functions = functions.map(|(name, function)| (name.clone(), Function::read(name, function, table)));
        let pair = |permission: &Value| (text(&permission["function"]), text(&permission["path"]));
        let throttles = said["throttles"].as_object().into_iter().flatten();
        let tables = said["tables"].as_object().into_iter().flatten();
        Self {
            functions: functions.collect(),
            routes: list(&said["routes"]).iter().map(Route::read).collect(),
            invokable: list(&said["invokable"]).iter().map(pair).collect(),
            throttles: throttles.filter_map(|(route, rate)| Some((route.clone(), rate.as_u64()?))).collect(),
            tables: tables.map(|(name, table)| (name.clone(), table.clone())).collect(),
            counted: list(&said["metrics"]["counted"]).iter().map(text).collect(),
            dashboard: said["metrics"]["dashboard"].clone(),
        }
    }

    /// The route that API Gateway chooses: of those that fit, the one that says most.
    ///
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>
    pub fn route(&self, method: &str, path: &str) -> Option<&Route> {
        let fits = self.routes.iter().filter(|route| {
            (route.method == "ANY" || route.method == method) && (route.path == path || route.path == "$default")
        });
        fits.max_by_key(|route| (route.path == path, route.method == method))
    }
}

impl Function {
    fn read(name: &str, said: &Value, table: &str) -> Self {
        let variables = said["variables"].as_object().into_iter().flatten();
        // The script writes a resource's attribute after a dot.
        let actions = list(&said["actions"][format!("{table}.Arn")]);
        Self {
            name: name.to_owned(),
            variables: variables.map(|(name, value)| (name.clone(), text(value))).collect(),
            actions: actions.iter().map(text).collect(),
            timeout: said["timeout"].as_u64().unwrap_or_default(),
            memory: said["memory"].as_u64().unwrap_or_default(),
            log_format: text(&said["log_format"]),
        }
    }
}

impl Route {
    fn read(said: &Value) -> Self {
        Self { method: text(&said["method"]), path: text(&said["path"]), function: text(&said["function"]) }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
