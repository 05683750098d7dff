//! The app on this machine: its functions under `cargo lambda watch`, with a stand-in for Globus Auth.

use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, StandIn};

use crate::{
    Result,
    dynamodb::{DynamoDb, Table},
    examples::Examples,
    gateway::Gateway,
    http::{self, Response},
    process::{Output, Process, wait_for},
    programs::{self, Way, functions},
    proxy::{Functions, Proxy},
    tools,
};

/// How long the functions may take to respond for the first time. They have been built before.
const READY_WITHIN: Duration = Duration::from_mins(3);

/// So that nothing drowns the functions' own log: cargo waits for its locks in many lines, and `cargo lambda watch`
/// complains of every stop and repeats what a function has logged.
const QUIET: [(&str, &str); 2] =
    [("CARGO_TERM_QUIET", "true"), ("RUST_LOG", "warn,cargo_lambda_watch::watcher=off,tower_http=off,watchexec=off")];

/// Starts the programs of functions as `cargo lambda watch` does, but for cargo.
const PROGRAMS: &str = r#"
directory=$1 api=$2; shift 2
export AWS_LAMBDA_FUNCTION_VERSION=1 AWS_LAMBDA_FUNCTION_MEMORY_SIZE=4096
for function; do
  AWS_LAMBDA_FUNCTION_NAME=$function AWS_LAMBDA_RUNTIME_API=$api/$function "$directory/$function" &
done
wait"#;

/// The functions as they have been built, under `cargo lambda watch`. It does not build them again when the code changes:
/// while the code has an error, it would give no response.
#[derive(Debug)]
pub struct Watch {
    /// The functions, where it does not start them. They end first: it waits for a second for those that have not.
    programs: Option<Process>,
    process: Process,
    port: u16,
    gateway: Option<Gateway>,
    proxy: Option<Proxied>,
}

/// The proxy of `cargo dev`, and all that it has shown.
#[derive(Debug)]
struct Proxied {
    _proxy: Proxy,
    shown: Arc<Mutex<String>>,
}

impl Watch {
    /// Starts them with these variables on that port of this machine, and waits until they respond.
    pub fn start(port: u16, variables: &[(String, String)], output: Output) -> Result<Self> {
        let mut watch = Self::launch(port, variables, output)?;
        watch.wait_until(Self::responds)?;
        Ok(watch)
    }

    /// The same with the programs that [`programs::build_once`] builds, and this log. Without cargo for each function, and
    /// without an eye on every file of the project, it takes a small part of the time.
    fn start_kept(port: u16, variables: &[(String, String)], log: PathBuf) -> Result<Self> {
        programs::build_once()?;
        let mut watch = Self::serve(port, &["--only-lambda-apis"], variables, Output::File(log.clone()))?;
        let directory = programs::kept(Way::Alone, "")?.display().to_string();
        let api = format!("http://127.0.0.1:{port}/.rt");
        let arguments = [&["-c", PROGRAMS, "sh", &directory, &api], functions().as_slice()].concat();
        watch.programs = Some(Process::start("sh".as_ref(), &arguments, variables, Output::EndOfFile(log))?);
        watch.wait_until(Self::responds)?;
        Ok(watch)
    }

    /// The same behind a gateway on that port, over TLS.
    fn start_https(port: u16, variables: &[(String, String)], log: PathBuf) -> Result<Self> {
        let mut watch = Self::start_kept(free_port()?, variables, log)?;
        watch.gateway = Some(Gateway::start(port, watch.port)?);
        Ok(watch)
    }

    /// All of `cargo dev`: cargo starts the functions, behind a proxy on that port, with the examples.
    fn start_with_examples(port: u16, variables: &[(String, String)], log: PathBuf) -> Result<Self> {
        let mut watch = Self::start(free_port()?, variables, Output::File(log))?;
        let (log, writer) = io::pipe().map_err(|error| format!("The system has no pipe: {error}."))?;
        let shown = Arc::new(Mutex::new(String::new()));
        let lines = Arc::clone(&shown);
        let show = move |line: &str| {
            lines.lock().unwrap_or_else(PoisonError::into_inner).extend([line, "\n"]);
        };
        let (functions, examples) = (Functions::Running(watch.port), Examples::new(variables, writer));
        watch.proxy = Some(Proxied { _proxy: Proxy::start(port, functions, examples, log, show)?, shown });
        Ok(watch)
    }

    /// The port that they take requests on, of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts them, and waits until requests can be sent: each function starts with its first one.
    pub fn launch(port: u16, variables: &[(String, String)], output: Output) -> Result<Self> {
        Self::serve(port, &["--ignore-changes"], variables, output)
    }

    fn serve(port: u16, options: &[&str], variables: &[(String, String)], output: Output) -> Result<Self> {
        let port_argument = port.to_string();
        let address = ["--invoke-address", "127.0.0.1", "--invoke-port", &port_argument];
        // By default it lets every site in the browser read the app's responses, which no deployment does.
        let arguments = [&["lambda", "watch", "--disable-cors"], options, &address[..]].concat();
        let quiet = QUIET.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let process = Process::start(&tools::cargo_lambda()?, &arguments, &[variables, &quiet].concat(), output)?;
        let mut watch = Self { process, programs: None, port, gateway: None, proxy: None };
        watch.wait_until(|watch| TcpStream::connect(("127.0.0.1", watch.port)).map(drop).ok())?;
        Ok(watch)
    }

    fn wait_until(&mut self, ready: impl Fn(&Self) -> Option<()>) -> Result<()> {
        let outcome = wait_for(READY_WITHIN, || ready(self).map(Ok).or_else(|| self.ended().map(Err)));
        outcome.unwrap_or_else(|| Err("The functions do not respond.".to_owned()))
    }

    /// Kills the functions in the middle of whatever they are doing.
    pub fn kill(&self) {
        self.programs.iter().chain([&self.process]).for_each(Process::kill);
    }

    /// Says so if it has ended by itself.
    pub fn ended(&mut self) -> Option<String> {
        let programs = self.programs.as_mut().and_then(Process::ended);
        let programs =
            programs.map(|status| format!("The programs that `cargo dev test` builds have ended ({status})."));
        programs.or_else(|| self.process.ended().map(|status| format!("`cargo lambda watch` has ended ({status}).")))
    }

    /// Whether home responds: any response of ours will do, since a configuration error has one too.
    fn responds(&self) -> Option<()> {
        let response = self.send("GET", "/", &[], "").ok()?;
        (!response.header("content-security-policy").is_empty()).then_some(())
    }

    /// Sends a request that no browser need have made.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Response> {
        let response = http::send(self.port, method, path, headers, body);
        response.map_err(|error| format!("{method} {path} gets no response: {error}."))
    }
}

/// Where a test's app keeps its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In cookies.
    Cookies,
    /// In a table of DynamoDB Local.
    Table,
}

/// The app for a test: everything on ports that are free, and the log in a file.
#[derive(Debug)]
pub struct App {
    watch: Watch,
    stand_in: StandIn,
    table: Option<Table<'static>>,
    variables: Vec<(String, String)>,
    url: String,
    log: PathBuf,
}

impl App {
    /// Starts the app with these settings beside the usual ones.
    pub async fn start(storage: Storage, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_with("http://localhost", Watch::start_kept, storage, settings).await
    }

    /// Starts it as a deployment is: on https, at a name beside which there may be others.
    pub async fn start_https(storage: Storage, settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_with("https://app.gateway.example", Watch::start_https, storage, settings).await
    }

    /// Starts it as `cargo dev` does, with the examples. Their log has one line for each request.
    pub async fn start_with_examples(storage: Storage, settings: &[(&str, &str)]) -> Result<Self> {
        let settings = [settings, &[("AWS_LAMBDA_LOG_FORMAT", "JSON")]].concat();
        Self::start_with("http://localhost", Watch::start_with_examples, storage, &settings).await
    }

    async fn start_with(
        host: &str,
        start: impl Fn(u16, &[(String, String)], PathBuf) -> Result<Watch>,
        storage: Storage,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let port = free_port()?;
        let url = format!("{host}:{port}");
        let stand_in = StandIn::start(0, &[&format!("{url}/login")]).await;
        let stand_in = stand_in.map_err(|error| format!("The stand-in for Globus Auth does not start: {error}."))?;
        let table = if storage == Storage::Table { Some(DynamoDb::shared()?.table()?) } else { None };
        let usual = [
            ("BASE_URL", url.as_str()),
            ("GLOBUS_AUTH_URL", stand_in.url()),
            ("GLOBUS_CLIENT_ID", CLIENT_ID),
            ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET),
            ("SESSION_KEYS", SESSION_KEY),
            ("SHOW_TOKENS", "true"),
            ("TRANSFER_URL", stand_in.url()),
            ("GROUPS_URL", stand_in.url()),
        ];
        let mut variables: Vec<_> = usual.iter().chain(settings).map(owned).collect();
        variables.extend(table.iter().flat_map(Table::variables));
        let log = log()?;
        let watch = start(port, &variables, log.clone())?;
        Ok(Self { watch, stand_in, table, variables, url, log })
    }

    /// Starts the functions once more, on another port: as when Lambda has more than one instance of each.
    pub fn another(&self) -> Result<Watch> {
        Watch::start_kept(free_port()?, &self.variables, log()?)
    }

    /// The table of sessions, if there is one.
    pub fn table(&self) -> Option<&Table<'static>> {
        self.table.as_ref()
    }

    /// The gateway in front of it, if it is on https.
    pub fn gateway(&self) -> Option<&Gateway> {
        self.watch.gateway.as_ref()
    }

    /// Its address, such as `http://localhost:9000`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Globus, as the app knows it.
    pub fn stand_in(&self) -> &StandIn {
        &self.stand_in
    }

    /// The variables of its functions.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// The functions themselves.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Sends the event in a file to a function with `cargo lambda invoke`; gives what it prints.
    pub fn invoke(&self, function: &str, event: &Path) -> Result<String> {
        let port = self.watch.port.to_string();
        let mut invoke = tools::command(tools::cargo_lambda()?);
        invoke
            .args([
                "lambda",
                "invoke",
                function,
                "--invoke-address",
                "127.0.0.1",
                "--invoke-port",
                &port,
                "--data-file",
            ])
            .arg(event);
        let output = invoke.output().map_err(|error| format!("cargo lambda invoke does not start: {error}."))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!("{function} is not invoked: {}", String::from_utf8_lossy(&output.stderr)))
        }
    }

    /// Everything that was logged so far.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let shown = self.watch.proxy.as_ref().map(|proxy| proxy.shown.lock().unwrap_or_else(PoisonError::into_inner));
        shown.map_or_else(|| log.clone(), |shown| format!("{log}{shown}"))
    }
}

/// The session key of every [`App`], so that a log can be searched for it.
pub const SESSION_KEY: &str = "a-session-key-for-tests-and-nothing-else";

/// A file for the log of the next app.
fn log() -> Result<PathBuf> {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    tools::log(&format!("watch-{}.log", STARTED.fetch_add(1, Ordering::Relaxed)))
}

fn owned((name, value): &(&str, &str)) -> (String, String) {
    ((*name).to_owned(), (*value).to_owned())
}

/// A port for a program that is about to be started. Each is handed out once, and none is of those that the system takes
/// for connections, or it could be gone by the time the program asks for it.
pub fn free_port() -> Result<u16> {
    const FIRST: u16 = 10_000;
    const COUNT: u32 = 20_000;
    static HANDED_OUT: AtomicU32 = AtomicU32::new(0);
    let next = || {
        let number = std::process::id().wrapping_add(HANDED_OUT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        FIRST + u16::try_from(number).unwrap_or_default()
    };
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let free = (0..COUNT).map(|_| next()).find(|port| is_free(*port));
    free.ok_or_else(|| "No port is free.".to_owned())
}
