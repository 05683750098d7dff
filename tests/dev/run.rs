//! The app on this machine, for a person in front of a browser.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::fs::OpenOptionsExt as _,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, StandIn};
use kit::{
    Result,
    dynamodb::DynamoDb,
    local::Watch,
    process::Output,
    tools::{self, println_step},
};
use tokio::signal::unix::{SignalKind, signal};

pub(crate) const PORT: u16 = 9000;
pub(crate) const STAND_IN_PORT: u16 = 9010;
/// Where a browser finds the app, and what Globus is told. Not 127.0.0.1, where the stand-in is: on one host the two
/// would share cookies, as they never do in life.
const URL: &str = "http://localhost:9000";
const REDIRECT_URL: &str = "http://localhost:9000/login";

/// Runs the app until Ctrl-C, with sessions in cookies or in a table.
pub(crate) async fn run(with_table: bool) -> Result<()> {
    let settings = dot_env()?;
    let own_application = own_application(&settings)?;
    free(PORT)?;
    if !own_application {
        free(STAND_IN_PORT)?;
    }
    tools::cargo_lambda()?;
    tools::run(&mut tools::cargo(&["build", "--locked"]), "The build fails; what the compiler says is above")?;

    let stand_in = if own_application { None } else { Some(stand_in().await?) };
    let database = if with_table { Some(DynamoDb::start()?) } else { None };
    let mut variables = variables(settings, stand_in.as_ref())?;
    if let Some(database) = &database {
        variables.extend(database.table()?.variables());
    }
    let mut watch = Watch::start(PORT, &variables, Output::Shown)?;

    println_step(&greeting(own_application, with_table));
    until_stopped(&mut watch).await?;
    drop(watch);
    println_step("\nStopped.");
    Ok(())
}

/// The settings in `.env`, where there is one.
pub(crate) fn dot_env() -> Result<BTreeMap<String, String>> {
    let lines = match dotenvy::from_path_iter(tools::root().join(".env")) {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!(".env cannot be read: {error}.")),
    };
    let settings: std::result::Result<BTreeMap<_, _>, _> = lines.collect();
    // The error would repeat the line, and with it perhaps a secret.
    let mut settings = settings.map_err(|_| "A line of .env is not NAME='value'.".to_owned())?;
    settings.retain(|_, value| !value.is_empty());
    Ok(settings)
}

/// Whether an application of one's own at Globus is to be used, and not the stand-in.
pub(crate) fn own_application(settings: &BTreeMap<String, String>) -> Result<bool> {
    match (settings.contains_key("GLOBUS_CLIENT_ID"), settings.contains_key("GLOBUS_CLIENT_SECRET")) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        _ => Err(".env needs both GLOBUS_CLIENT_ID and GLOBUS_CLIENT_SECRET, or neither.".to_owned()),
    }
}

/// The variables of the functions: what suits a local run, the settings, and where the stand-in is, each overruling what
/// comes before.
pub(crate) fn variables(
    settings: BTreeMap<String, String>,
    stand_in: Option<&StandIn>,
) -> Result<Vec<(String, String)>> {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let key = session_key()?;
    let mut variables = BTreeMap::from([("BASE_URL", URL), ("SESSION_KEYS", &key), ("SHOW_TOKENS", "true")].map(owned));
    variables.extend(settings);
    if let Some(stand_in) = stand_in {
        let (id, secret) = (("GLOBUS_CLIENT_ID", CLIENT_ID), ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET));
        // Its tokens go to nowhere else.
        let addresses = [("GLOBUS_AUTH_URL", stand_in.url()), ("TRANSFER_URL", stand_in.url())];
        variables.extend(addresses.into_iter().chain([id, secret]).map(owned));
    }
    Ok(variables.into_iter().collect())
}

/// Checks that a port is free on both addresses of localhost.
pub(crate) fn free(port: u16) -> Result<()> {
    let in_use = format!("Port {port} is in use. Stop what uses it (perhaps another `cargo dev`), then try again.");
    let localhost: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    if TcpStream::connect(&localhost[..]).is_ok() { Err(in_use) } else { Ok(()) }
}

async fn stand_in() -> Result<StandIn> {
    let started = StandIn::start(STAND_IN_PORT, &[REDIRECT_URL]).await;
    started.map_err(|error| format!("The stand-in for Globus Auth does not start: {error}."))
}

/// A key of this clone's own, kept, so that a restart logs no user out.
fn session_key() -> Result<String> {
    let path = tools::tool("session-key")?;
    if let Ok(key) = fs::read_to_string(&path) {
        return Ok(key);
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("The system gives no random numbers: {error}."))?;
    let key = URL_SAFE_NO_PAD.encode(bytes);
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| io::Write::write_all(&mut file, key.as_bytes()));
    written.map_err(|error| format!("{} cannot be written: {error}.", path.display()))?;
    Ok(key)
}

fn greeting(own_application: bool, with_table: bool) -> String {
    let globus = if own_application {
        format!(
            "Sign-in is at Globus, with the application in .env.
  It needs this redirect URL at https://app.globus.org/settings/developers:
  {REDIRECT_URL}"
        )
    } else {
        "Sign-in is at a local stand-in for Globus Auth: choose any person, no password is asked for.
  To use your own application at Globus, put its id and secret into .env (see .env.example)."
            .to_owned()
    };
    let storage = if with_table { "a table of DynamoDB Local, in memory" } else { "cookies" };
    format!(
        "
  The app is running:  {URL}

  {globus}
  Sessions are in {storage}.
  A page of your own could be as {URL}/tasks, the sample in functions/tasks.
  A change in the code builds and restarts the functions. Ctrl-C stops everything.
"
    )
}

/// Waits for Ctrl-C, or for the functions to end by themselves.
async fn until_stopped(watch: &mut Watch) -> Result<()> {
    let cannot = |error: io::Error| format!("Ctrl-C cannot be heard: {error}.");
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt()).map_err(cannot)?, signal(SignalKind::terminate()).map_err(cannot)?);
    let mut look = tokio::time::interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = look.tick() => if let Some(sentence) = watch.ended() { return Err(sentence) },
        }
    }
}
