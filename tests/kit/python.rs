//! Programs in SAM's Python. To import what they need takes longer than most of them run: one process has done so, and forks.

use std::{
    io::{self, Read as _, Write as _},
    net::Shutdown,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    Result,
    process::{Output, Process, wait_for},
    sam, tools,
};

/// How long it may take to import everything.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Whether it succeeded.
    pub succeeded: bool,
    /// All that it printed.
    pub said: String,
}

/// A program that is running. Its input ends when this is dropped.
#[derive(Debug)]
pub struct Running(UnixStream);

impl Running {
    /// Types these lines, and waits until it has ended.
    pub fn to_its_end(self, typed: &str) -> Result<Ended> {
        let said = |error: io::Error| format!("A program in Python gives no answer: {error}.");
        let Self(mut connection) = self;
        // A program that asks nothing may have ended.
        drop(connection.write_all(typed.as_bytes()).and_then(|()| connection.shutdown(Shutdown::Write)));
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).map_err(said)?;
        let code = answer.pop().ok_or("A program in Python gives no answer.")?;
        Ok(Ended { succeeded: code == 0, said: String::from_utf8_lossy(&answer).into_owned() })
    }
}

/// A program to be started: a file in Python, or a directory with a `__main__.py`.
#[derive(Debug)]
pub struct Program(Value);

impl Program {
    /// With these arguments, in the project's directory, and with the variables of this process.
    pub fn new(program: &Path, arguments: &[&str]) -> Self {
        let program = program.to_string_lossy();
        let arguments = [&[&*program], arguments].concat();
        Self(json!({ "arguments": arguments, "directory": tools::root(), "variables": {} }))
    }

    /// In another directory.
    #[must_use]
    pub fn within(mut self, directory: &Path) -> Self {
        self.0["directory"] = json!(directory);
        self
    }

    /// With another value of this variable; without it, if that is `None`.
    #[must_use]
    pub fn variable(mut self, name: &str, value: Option<&str>) -> Self {
        self.0["variables"][name] = json!(value);
        self
    }

    /// With its output in a file.
    #[must_use]
    pub fn log(mut self, file: &Path) -> Self {
        self.0["log"] = json!(file);
        self
    }

    /// Starts it.
    pub fn start(&self) -> Result<Running> {
        let order = self.0.to_string();
        let size = u32::try_from(order.len()).map_err(|error| error.to_string())?;
        let connection = UnixStream::connect(&Server::shared()?.socket).and_then(|mut connection| {
            connection.write_all(&[&size.to_be_bytes(), order.as_bytes()].concat())?;
            Ok(connection)
        });
        connection.map(Running).map_err(|error| format!("A program in Python does not start: {error}."))
    }
}

/// What forks for each program.
#[derive(Debug)]
struct Server {
    _process: Process,
    socket: PathBuf,
}

impl Server {
    fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Server>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    fn start() -> Result<Self> {
        // Others of this machine must not reach the socket: it runs what it is told to.
        let (socket, log) = (tools::private_directory()?.join("socket"), tools::log("python-server.log")?);
        let arguments = ["tests/kit/python_server.py", &socket.to_string_lossy()];
        let variables = sam::VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let process = Process::start(&tools::sam()?.join("python"), &arguments, &variables, Output::File(log.clone()))?;
        wait_for(READY_WITHIN, || socket.exists().then_some(()))
            .ok_or_else(|| format!("The Python that forks does not start; {} says why.", log.display()))?;
        Ok(Self { _process: process, socket })
    }
}
