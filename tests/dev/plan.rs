//! What is to be run, and with which settings: all of it is checked before anything starts.

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET};
use kit::{
    Result,
    settings::{self, Settings},
    tools::{self, eprintln_step},
};
use shared::config::Address;

use crate::session_key::session_key;

/// The port of the app unless another is chosen.
pub(crate) const PORT: u16 = 9000;

/// How far the stand-in's port is from the app's.
const BESIDE: u16 = 10;

/// Stands for the table of DynamoDB Local, which is made later.
const TABLE: [(&str, &str); 4] = [
    ("TOKEN_TABLE", "sessions"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "local"),
    ("AWS_SECRET_ACCESS_KEY", "local"),
];

/// What stands behind `cargo dev`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    pub(crate) dynamodb: bool,
    pub(crate) port: Option<u16>,
}

impl Options {
    /// The options at the beginning of these arguments, and what comes after them.
    pub(crate) fn read<'a>(mut arguments: &'a [&'a str]) -> Result<(Self, &'a [&'a str])> {
        let mut options = Self::default();
        loop {
            arguments = match arguments {
                ["--dynamodb", rest @ ..] => {
                    options.dynamodb = true;
                    rest
                }
                ["--port", rest @ ..] => {
                    let port = rest.first().and_then(|port| port.parse().ok()).filter(|port| usable(*port));
                    options.port =
                        Some(port.ok_or_else(|| format!("--port needs a number from 1 to {}.", u16::MAX - BESIDE))?);
                    rest.get(1..).unwrap_or_default()
                }
                rest => return Ok((options, rest)),
            };
        }
    }
}

fn usable(port: u16) -> bool {
    port > 0 && port <= u16::MAX - BESIDE
}

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The port of the app.
    pub(crate) port: u16,
    /// The address of the app in the browser, and of its log-in, where Globus sends the browser back to.
    pub(crate) url: String,
    pub(crate) redirect_url: String,
    /// Whether users log in at Globus, with the user's own application, and not at the stand-in.
    pub(crate) own_application: bool,
    /// Whether sessions are in a table of DynamoDB Local.
    pub(crate) dynamodb: bool,
    /// The variables of the functions.
    pub(crate) variables: Settings,
}

impl Plan {
    /// Reads the settings in `.env`, where there is one, and checks them as the functions do.
    pub(crate) fn make(options: Options) -> Result<Self> {
        let mut settings = settings::read(&tools::root().join(".env"))?;
        for name in settings::unknown(&settings) {
            if let Some(rule) = settings::rule_like(name) {
                return Err(format!(
                    "{name} in .env is not a setting of this app. Is it {rule}? Without it, more users may come in."
                ));
            }
            eprintln_step(&format!("Note: {name} in .env is not a setting of this app."));
        }
        let own_application = own_application(&settings)?;
        if let Some(port) = options.port {
            settings.insert("BASE_URL".to_owned(), format!("http://localhost:{port}"));
        }
        let port = settings.get("BASE_URL").and_then(|url| local_port(url)).unwrap_or(PORT);
        if !usable(port) {
            return Err(format!("BASE_URL in .env needs a port from 1 to {}.", u16::MAX - BESIDE));
        }
        let variables = variables(settings, port, own_application)?;
        let table = TABLE.iter().filter(|_| options.dynamodb).map(owned);
        settings::check(&variables.clone().into_iter().chain(table).collect())?;
        let address = variables.get("BASE_URL").and_then(|url| Address::parse(url.trim()));
        let address = address.ok_or("BASE_URL is not an address.")?;
        Ok(Self {
            port,
            url: address.url(""),
            redirect_url: address.url("/login"),
            own_application,
            dynamodb: options.dynamodb,
            variables,
        })
    }

    /// Whether a browser may have a session cookie of another site beside one of this: both are below one origin.
    pub(crate) fn shares_cookies(&self) -> bool {
        let below_a_path = Address::parse(&self.url).is_some_and(|address| !address.base().is_empty());
        below_a_path && !self.dynamodb && !self.variables.contains_key("TOKEN_TABLE")
    }

    /// The port of the stand-in.
    pub(crate) fn stand_in_port(&self) -> u16 {
        self.port + BESIDE
    }
}

/// Whether an application of one's own at Globus is to be used, and not the stand-in.
fn own_application(settings: &Settings) -> Result<bool> {
    match (settings.contains_key("GLOBUS_CLIENT_ID"), settings.contains_key("GLOBUS_CLIENT_SECRET")) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        _ => Err(".env needs both GLOBUS_CLIENT_ID and GLOBUS_CLIENT_SECRET, or neither.".to_owned()),
    }
}

/// The port of an address of this machine: that is where the browser goes. Behind any other address is a tunnel.
fn local_port(url: &str) -> Option<u16> {
    let address = Address::parse(url.trim()).filter(|address| !address.origin().is_https())?;
    let port = address.origin().authority().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    Some(port.unwrap_or(80))
}

/// The variables of the functions: what suits a local run, the settings, and where the stand-in is, each overruling what
/// comes before.
fn variables(settings: Settings, port: u16, own_application: bool) -> Result<Settings> {
    let (url, key) = (format!("http://localhost:{port}"), session_key()?);
    let usual = [
        // Not 127.0.0.1, where the stand-in is: on one host the two would share cookies, as they never do in life.
        ("BASE_URL", url.as_str()),
        ("SESSION_KEYS", &key),
        ("SHOW_TOKENS", "true"),
        // So that one line can be made of each request.
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ];
    let mut variables: Settings = usual.iter().map(owned).collect();
    variables.extend(settings);
    if !own_application {
        let stand_in = format!("http://127.0.0.1:{}", port + BESIDE);
        let (id, secret) = (("GLOBUS_CLIENT_ID", CLIENT_ID), ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET));
        // Its tokens go to nowhere else.
        let addresses = ["GLOBUS_AUTH_URL", "TRANSFER_URL", "GROUPS_URL"].map(|name| (name, stand_in.as_str()));
        variables.extend(addresses.iter().chain(&[id, secret]).map(owned));
    }
    Ok(variables)
}

fn owned((name, value): &(&str, &str)) -> (String, String) {
    ((*name).to_owned(), (*value).to_owned())
}
