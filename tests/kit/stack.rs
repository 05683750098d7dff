//! What CloudFormation would make of the template: AWS's own translator, and a script that resolves the references.

mod change_set;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use crate::{
    Result,
    packages::resource,
    programs::functions,
    python::Program,
    sam::{ACCOUNT, REGION},
};

pub use change_set::ChangeSet;

/// The value that the stack's own session key has here.
pub const SESSION_KEY: &str = "a-session-key-for-packaged-functions-and-nothing-else";

/// The template, as seen from the project's directory.
pub const TEMPLATE: &str = "template.yaml";

/// Where a stack is: its region, and of the partition of AWS that the region is in, the name and the domain.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    region: &'static str,
    partition: &'static str,
    suffix: &'static str,
}

impl Place {
    /// Where all stacks are that need not be elsewhere.
    pub const USUAL: Self = Self { region: REGION, partition: "aws", suffix: "amazonaws.com" };
    /// The European Sovereign Cloud.
    pub const SOVEREIGN: Self = Self { region: "eusc-de-east-1", partition: "aws-eusc", suffix: "amazonaws.eu" };
}

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
    /// The authorizers that are asked first.
    pub authorizers: Vec<String>,
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
    /// The authorizers of its API, by the names that routes use.
    pub authorizers: BTreeMap<String, Value>,
    /// Its managed policies, as CloudFormation would make them.
    pub policies: BTreeMap<String, Value>,
    /// The roles of its functions, as CloudFormation would make them.
    pub roles: BTreeMap<String, Value>,
    /// Its alarms, as CloudFormation would make them.
    pub alarms: BTreeMap<String, Value>,
    /// All its resources, as CloudFormation would make them, with their types.
    pub resources: BTreeMap<String, Value>,
    /// The parameters of the template.
    pub parameters: BTreeMap<String, Value>,
    /// What it tells its operator.
    pub outputs: BTreeMap<String, String>,
    /// The names of the metrics that are counted in the log.
    pub counted: BTreeSet<String>,
    /// The dashboard.
    pub dashboard: Value,
}

impl Stack {
    /// The stack with these parameters, where the others have their defaults, and a table of that name.
    pub fn with(parameters: &[(&str, &str)], table: &str) -> Result<Self> {
        Self::at(Place::USUAL, parameters, table)
    }

    /// The same in another place.
    pub fn at(place: Place, parameters: &[(&str, &str)], table: &str) -> Result<Self> {
        let said = run("tests/stack.py", &given(TEMPLATE, parameters, table, place))?;
        Ok(Self::read(&said, table))
    }

    /// The same of another template than the project's own.
    pub fn of(template: &str, parameters: &[(&str, &str)]) -> Result<Self> {
        let table = "sessions";
        let said = run("tests/stack.py", &given(template, parameters, table, Place::USUAL))?;
        Ok(Self::read(&said, table))
    }

    fn read(said: &Value, table: &str) -> Self {
        let functions = said["functions"].as_object().into_iter().flatten();
        let functions = functions.map(|(name, function)| (name.clone(), Function::read(name, function, table)));
        let pair = |permission: &Value| (text(&permission["function"]), text(&permission["path"]));
        let throttles = said["throttles"].as_object().into_iter().flatten();
        let outputs = said["outputs"].as_object().into_iter().flatten();
        Self {
            functions: functions.collect(),
            routes: list(&said["routes"]).iter().map(Route::read).collect(),
            invokable: list(&said["invokable"]).iter().map(pair).collect(),
            throttles: throttles.filter_map(|(route, rate)| Some((route.clone(), rate.as_u64()?))).collect(),
            tables: object(&said["tables"]),
            authorizers: object(&said["authorizers"]),
            policies: object(&said["policies"]),
            roles: object(&said["roles"]),
            alarms: object(&said["alarms"]),
            resources: object(&said["resources"]),
            parameters: object(&said["processed"]["Parameters"]),
            outputs: outputs.map(|(name, value)| (name.clone(), text(value))).collect(),
            counted: list(&said["metrics"]["counted"]).iter().map(text).collect(),
            dashboard: said["metrics"]["dashboard"].clone(),
        }
    }

    /// The stack without what an owner has added to the template: functions in other languages, their routes and roles.
    #[must_use]
    pub fn of_this_project(mut self) -> Self {
        let mut ours: BTreeSet<_> = functions().iter().map(|function| resource(function)).collect();
        // The authorizer's program once more.
        ours.insert("VisitorAuthorizerFunction".to_owned());
        self.functions.retain(|name, _| ours.contains(name));
        self.routes.retain(|route| ours.contains(&route.function));
        self.roles.retain(|name, _| ours.iter().any(|function| *name == format!("{function}Role")));
        self
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
        let authorizers = list(&said["authorizers"]).iter().map(text).collect();
        Self {
            method: text(&said["method"]),
            path: text(&said["path"]),
            function: text(&said["function"]),
            authorizers,
        }
    }
}

/// The API in front of the examples as it would be deployed, as `tests/examples.py` prints it.
pub fn examples(parameters: &[(&str, &str)]) -> Result<Value> {
    run("tests/examples.py", &given("examples/template.yaml", parameters, "", Place::USUAL))
}

/// The resources of a template without SAM, as CloudFormation would make them, with their types.
pub fn plain(template: &str, parameters: &[(&str, &str)]) -> Result<BTreeMap<String, Value>> {
    Ok(object(&run("tests/plain_stack.py", &given(template, parameters, "", Place::USUAL))?))
}

/// What the scripts are told of a stack.
fn given(template: &str, parameters: &[(&str, &str)], table: &str, place: Place) -> Value {
    let parameters: BTreeMap<_, _> = parameters.iter().copied().collect();
    json!({
        "template": template,
        "parameters": parameters,
        "names": {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": place.partition,
            "AWS::Region": place.region,
            "AWS::StackName": "globus-sign-in",
            "AWS::URLSuffix": place.suffix,
            "TokenTable": table,
        },
        "secrets": { "SessionKeys": SESSION_KEY, "ClientSecret": { "Ref": "GlobusClientSecret" } },
    })
}

/// What a script prints that is given this. Many tests ask for the same.
fn run(script: &str, given: &Value) -> Result<Value> {
    static PRINTED: Mutex<BTreeMap<[String; 2], Value>> = Mutex::new(BTreeMap::new());
    let question = [script.to_owned(), given.to_string()];
    let printed = || PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = printed().get(&question) {
        return Ok(known.clone());
    }
    let ended = Program::new(script.as_ref(), &[&question[1]]).start()?.to_its_end("")?;
    if !ended.succeeded {
        return Err(format!("The template cannot be transformed: {}", ended.said));
    }
    // What is logged of the libraries comes before.
    let value = serde_json::from_str(ended.said.lines().last().unwrap_or_default());
    let value: Value = value.map_err(|error| format!("{script} does not speak JSON: {error} in {}.", ended.said))?;
    printed().insert(question, value.clone());
    Ok(value)
}

fn object(value: &Value) -> BTreeMap<String, Value> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
