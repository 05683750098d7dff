//! The instances of all functions, with the services that they need.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, StandIn};
use serde_json::{Value, json};

use crate::{
    Result,
    dynamodb::{DynamoDb, Table},
    http::Response,
    local::{SESSION_KEY, Storage},
    packages::Package,
    tools,
};

use super::{
    call::Call,
    fault::Service,
    instance::{Answer, Instance},
    ledger::Ledger,
    locked,
    path::{self, Processes},
};

/// The address of the site.
pub(super) const SITE: &str = "https://load.gateway.example";

/// How long tokens live that a renewal gives, as the functions are told, in seconds.
const RENEWED_LIVE_FOR: u64 = 2 * 3600;

/// How far the clocks of a function's instances are from the true time, in seconds.
const CLOCKS: [i32; 3] = [0, 15, -15];

/// Every function, its program, and how many instances of it there are.
const FUNCTIONS: [(&str, &str, usize); 5] = [
    ("home", "home", 3),
    ("login", "login", 3),
    ("logout", "logout", 3),
    ("guard", "authorizer", 3),
    ("visitor", "authorizer", 3),
];

/// What came of a call, as API Gateway tells it.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The response of a page.
    Page(Response),
    /// The verdict of an authorizer.
    Verdict(Value),
    /// No response, for this reason: of a function, or that its process has ended.
    Nothing(String),
}

/// All instances.
#[derive(Debug)]
pub(super) struct Fleet {
    instances: BTreeMap<&'static str, Vec<Mutex<Instance>>>,
    variables: Vec<(String, String)>,
    storage: Storage,
    processes: Arc<Processes>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) globus: StandIn,
    pub(super) globus_url: String,
    table: Option<Table<'static>>,
    seed: u64,
    with_faults: AtomicBool,
    killed: AtomicUsize,
    problems: Mutex<Vec<String>>,
}

impl Fleet {
    /// Starts them. The tokens of a sign-in live for so many seconds, as the functions are told: Globus itself keeps them for
    /// longer, so that one that is not revoked is found.
    pub(super) async fn start(storage: Storage, seed: u64, tokens_live_for: u64) -> Result<Self> {
        let globus = StandIn::start(0, &[&format!("{SITE}/login")]).await.map_err(|error| error.to_string())?;
        let table = if storage == Storage::Table { Some(DynamoDb::shared()?.table()?) } else { None };
        let (processes, ledger) = <(Arc<Processes>, Arc<Ledger>)>::default();
        let port = globus.url().rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default();
        let globus_url = format!("http://127.0.0.1:{}", path::open(Service::Globus, port, &processes, &ledger)?);
        let issuer = globus_url.clone();
        globus.edit_id_token(move |claims| claims["iss"] = json!(issuer));
        globus.edit_token_response(move |response| {
            let tokens_live_for = if response["id_token"].is_null() { RENEWED_LIVE_FOR } else { tokens_live_for };
            response["expires_in"] = json!(tokens_live_for);
            for other in response["other_tokens"].as_array_mut().into_iter().flatten() {
                other["expires_in"] = json!(tokens_live_for);
            }
        });
        let usual = [
            ("BASE_URL", SITE),
            ("GLOBUS_AUTH_URL", &globus_url),
            ("GLOBUS_CLIENT_ID", CLIENT_ID),
            ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET),
            ("SESSION_KEYS", SESSION_KEY),
        ];
        let mut variables: Vec<_> =
            usual.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        variables.extend(table.iter().flat_map(Table::variables));
        if storage == Storage::Table {
            let port = path::open(Service::DynamoDb, DynamoDb::shared()?.port(), &processes, &ledger)?;
            variables.retain(|(name, _)| name != "AWS_ENDPOINT_URL_DYNAMODB");
            variables.push(("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), format!("http://127.0.0.1:{port}")));
        }
        let mut fleet = Self {
            instances: BTreeMap::new(),
            variables,
            storage,
            processes,
            ledger,
            globus,
            globus_url,
            table,
            seed,
            with_faults: AtomicBool::new(false),
            killed: AtomicUsize::new(0),
            problems: Mutex::default(),
        };
        for (function, _, count) in FUNCTIONS {
            let instances = (0..count).map(|number| fleet.instance(function, number).map(Mutex::new));
            let instances = instances.collect::<Result<Vec<_>>>()?;
            fleet.instances.insert(function, instances);
        }
        Ok(fleet)
    }

    fn instance(&self, function: &'static str, number: usize) -> Result<Instance> {
        let program = FUNCTIONS.iter().find(|(name, ..)| *name == function).map_or(function, |(_, program, _)| program);
        let mut variables = self.variables.clone();
        if function == "visitor" {
            variables.push(("AUTHORIZER_MODE".to_owned(), "visitor".to_owned()));
        }
        variables.extend(clock(CLOCKS[number % CLOCKS.len()])?);
        let program: PathBuf = Package::here(self.storage).program(program)?;
        let [(_, storage), _] = Package::here(self.storage).parameters();
        let log = tools::log(&format!("load-{storage}-{}-{function}-{number}.log", process::id()))?;
        let instance = Instance::start(&program, &variables, &log)?;
        self.processes.add(instance.id(), instance.process());
        Ok(instance)
    }

    /// The variables of functions whose requests go straight to the services.
    pub(super) fn direct_variables(&self) -> Vec<(String, String)> {
        let table = self.table.as_ref().map(Table::variables).unwrap_or_default();
        let others = self.variables.iter().filter(|(name, _)| table.iter().all(|(other, _)| other != name));
        others.cloned().chain(table.clone()).collect()
    }

    /// Whether sessions are in a table.
    pub(super) fn has_table(&self) -> bool {
        self.storage == Storage::Table
    }

    /// From now on things go wrong, or not any more.
    pub(super) fn set_faults(&self, with_faults: bool) {
        self.with_faults.store(with_faults, Ordering::Relaxed);
    }

    /// The call of a function with this number of a user, of this instance or of any.
    pub(super) fn call(&self, user: usize, number: u64, function: &'static str, instance: Option<usize>) -> Call {
        let instances = self.instances.get(function).map_or(1, Vec::len);
        let words = [self.seed, u64::try_from(user).unwrap_or_default(), number];
        Call::new(words, function, (instance, instances), self.with_faults.load(Ordering::Relaxed))
    }

    /// Carries a call out.
    pub(super) fn carry_out(&self, call: &Arc<Call>, event: &Value) -> Outcome {
        let Some(instance) = self.instances.get(call.function).and_then(|all| all.get(call.instance)) else {
            return Outcome::Nothing("there is no such function".to_owned());
        };
        let mut instance = locked(instance);
        self.processes.set(instance.id(), Some(Arc::clone(call)));
        let begun = Instant::now();
        let answer = instance.invoke(&call.id, event.to_string(), call.killed_after);
        self.processes.set(instance.id(), None);
        call.set_took(begun.elapsed());
        let logged = instance.logged();
        if has_secret(&logged) {
            self.problem(format!("The log has what looks like a secret: {logged}"));
        }
        for line in call.note_log(&logged) {
            self.problem(format!("A line of the log belongs to no call: {line}"));
        }
        if matches!(answer, Answer::Died | Answer::TooLate) {
            call.set_died();
        }
        if call.died() || call.was_killed() {
            self.killed.fetch_add(1, Ordering::Relaxed);
            self.processes.remove(instance.id());
            match self.instance(call.function, call.instance) {
                Ok(another) => *instance = another,
                Err(sentence) => self.problem(sentence),
            }
        }
        drop(instance);
        outcome(answer)
    }

    /// Notes something that must not be.
    pub(super) fn problem(&self, sentence: String) {
        locked(&self.problems).push(sentence);
    }

    /// All that was noted.
    pub(super) fn problems(&self) -> Vec<String> {
        locked(&self.problems).clone()
    }

    /// How many processes were killed.
    pub(super) fn killed(&self) -> usize {
        self.killed.load(Ordering::Relaxed)
    }

    /// How many kilobytes of memory the first instance of each function occupies. It is never killed.
    pub(super) fn memory(&self) -> Vec<(&'static str, u64)> {
        let first = |(name, all): (&&'static str, &Vec<Mutex<Instance>>)| Some((*name, locked(all.first()?).memory()));
        self.instances.iter().filter_map(first).collect()
    }
}

fn outcome(answer: Answer) -> Outcome {
    let (text, is_error) = match answer {
        Answer::Response(text) => (text, false),
        Answer::Error(text) => (text, true),
        Answer::Died => return Outcome::Nothing("its process has ended".to_owned()),
        Answer::TooLate => return Outcome::Nothing("it takes more than 30 seconds".to_owned()),
    };
    let said: Value = serde_json::from_str(&text).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if is_error {
        return Outcome::Nothing(text(&said["errorType"]));
    }
    let Some(status) = said["statusCode"].as_u64().and_then(|status| status.try_into().ok()) else {
        return Outcome::Verdict(said);
    };
    let headers = said["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| (name.clone(), text(value)));
    let cookies =
        said["cookies"].as_array().into_iter().flatten().map(|cookie| ("set-cookie".to_owned(), text(cookie)));
    Outcome::Page(Response { status, headers: headers.chain(cookies).collect(), body: text(&said["body"]) })
}

/// Whether a text has a word as long as a code, a verifier, a token or what is in a cookie: no id is that long.
fn has_secret(text: &str) -> bool {
    const LONGEST: usize = 27;
    let long = text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word.len() > LONGEST);
    long || [CLIENT_SECRET, SESSION_KEY].iter().any(|secret| text.contains(secret))
}

/// The variables with which a process takes the time to be later or earlier by so many seconds. Its timers go as usual.
fn clock(seconds: i32) -> Result<Vec<(String, String)>> {
    if seconds == 0 {
        return Ok(Vec::new());
    }
    let variables = [
        ("LD_PRELOAD", tools::faketime()?),
        ("FAKETIME", format!("{seconds:+}")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    Ok(variables.map(|(name, value)| (name.to_owned(), value)).into())
}
