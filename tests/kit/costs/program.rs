//! A packaged program that runs under a tool, with nothing of this process's own environment.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    Result,
    costs::figures::Row,
    local::Storage,
    packages::Package,
    programs::functions,
    runtime::{Runtime, Waiting},
};

/// Counts instructions.
const CALLGRIND: &[&str] = &["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];

/// How many events a count for one of them is the mean of, after those that warm the program up.
const EVENTS: u64 = 10;
const WARM_UP: u64 = 2;

/// The settings of a function that has all it needs.
const SETTINGS: [(&str, &str); 3] = [
    ("GLOBUS_CLIENT_ID", globus_stand_in::CLIENT_ID),
    ("GLOBUS_CLIENT_SECRET", "secret"),
    ("SESSION_KEYS", "a-session-key-of-at-least-32-characters"),
];

/// The settings of one that has a table besides.
const TABLE: [(&str, &str); 3] =
    [("TOKEN_TABLE", "sessions"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];

/// A program as it is deployed, and the settings under which it starts as it should.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name, such as `home-cookie`.
    pub name: String,
    /// Where it is.
    pub file: PathBuf,
    settings: Vec<(String, String)>,
}

impl Program {
    /// The program of a function with sessions kept there, packaged for this machine.
    pub fn packaged(storage: Storage, function: &str) -> Result<Self> {
        let (end, table): (_, &[_]) = if storage == Storage::Table { ("", &TABLE) } else { ("-cookie", &[]) };
        let file = Package::here(storage).program(function)?;
        Ok(Self::new(format!("{function}{end}"), file).with(table.iter().map(owned)))
    }

    /// Every function's.
    pub fn all(storage: Storage) -> Result<Vec<Self>> {
        functions().iter().map(|function| Self::packaged(storage, function)).collect()
    }

    /// A function that says hello and does nothing else, built beside those for the same storage.
    pub fn bare(storage: Storage) -> Result<Self> {
        Ok(Self::new("bare".to_owned(), Package::here(storage).bare()?))
    }

    fn new(name: String, file: PathBuf) -> Self {
        Self { name, file, settings: SETTINGS.iter().map(owned).collect() }
    }

    /// With these settings besides, each in place of one of its name.
    #[must_use]
    pub fn with(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.settings.extend(settings);
        self
    }

    /// Starts it under a tool, and waits until it asks for its first event.
    pub fn start(&self, tool: &[&str]) -> Result<Running> {
        self.start_with_log(tool, Path::new("/dev/null"))
    }

    /// The same with its standard output in a file.
    pub fn start_with_log(&self, tool: &[&str], log: &Path) -> Result<Running> {
        let said = |error: io::Error| format!("{} does not start: {error}.", self.name);
        let runtime = Runtime::start()?;
        let mut words = tool.iter().map(Path::new).chain([self.file.as_path()]);
        let mut child = Command::new(words.next().unwrap_or(&self.file))
            .args(words)
            // Each variable costs instructions, of which a bare function has the fewest: the ratio would depend on the shell.
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(runtime.variables()?)
            .envs(self.settings.iter().cloned())
            .stdout(File::create(log).map_err(said)?)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(said)?;
        match runtime.first(&mut child) {
            Ok(waiting) => Ok(Running { child, waiting }),
            Err(error) => {
                drop(child.kill().and_then(|()| child.wait()));
                Err(format!("{}: {error}", self.name))
            }
        }
    }

    /// What it costs: its size, the instructions up to its first event, and those for each further event like this one.
    pub(super) fn row(&self, event: &str) -> Result<Row> {
        let size = fs::metadata(&self.file).map_err(|error| format!("{}: {error}.", self.name))?.len();
        let figures = [size, self.instructions(event, 0)?, self.instructions_for(event)?];
        Ok(Row { name: self.name.clone(), figures: figures.into() })
    }

    fn instructions_for(&self, event: &str) -> Result<u64> {
        let (few, many) = (self.instructions(event, WARM_UP)?, self.instructions(event, WARM_UP + EVENTS)?);
        Ok(many.saturating_sub(few) / EVENTS)
    }

    fn instructions(&self, event: &str, times: u64) -> Result<u64> {
        let mut running = self.start_to_count()?;
        for _ in 0..times {
            running.response_to(event)?;
        }
        running.instructions()
    }

    /// Starts it so that its instructions are counted.
    pub(super) fn start_to_count(&self) -> Result<Running> {
        self.start(CALLGRIND)
    }
}

fn owned((name, value): &(&str, &str)) -> (String, String) {
    ((*name).to_owned(), (*value).to_owned())
}

/// A program that waits for an event. It ends with this value.
#[derive(Debug)]
pub struct Running {
    child: Child,
    waiting: Waiting,
}

impl Running {
    /// Gives it an event; what it responds.
    pub fn response_to(&mut self, event: &str) -> Result<String> {
        self.waiting.response_to(event)
    }

    /// Ends it; what it and its tool have written to standard error.
    pub fn stop(mut self) -> Result<String> {
        let ended = Command::new("kill").arg(self.child.id().to_string()).status();
        let said = |error: io::Error| format!("The function cannot be ended: {error}.");
        ended.map_err(said)?;
        let mut written = Vec::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_end(&mut written).map_err(said)?;
        }
        Ok(String::from_utf8_lossy(&written).into_owned())
    }

    /// Ends it; the instructions since its start.
    pub(super) fn instructions(self) -> Result<u64> {
        let said = self.stop()?;
        let count = said.rsplit_once("Collected : ").and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
        count.ok_or_else(|| format!("valgrind says no number of instructions: {said}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
