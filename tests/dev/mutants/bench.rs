//! The copy of the project to which one mutant after the other is applied, and what came of each.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher as _},
    io::{self, BufRead as _, BufReader, PipeReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use kit::{
    Result,
    mutants::{Mutant, Tests},
    process::{Output, Process, wait_for},
    tools,
};
use serde_json::Value;

use super::copy;

/// How long tests may go on without a result of any of them. A mutant that makes one wait for ever is caught by it.
const PATIENCE: Duration = Duration::from_mins(3);

/// How often tests are run of which one fails that then succeeds alone. Such a failure says nothing of a mutant.
const ATTEMPTS: usize = 3;

/// Scenarios that take long and look at the style of the template, or at what an update would do.
const LEFT_OUT: [&str; 2] = ["the_linters_", "upgrade::"];

/// What came of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// This test has failed.
    Caught(String),
    /// No test has failed.
    Lived,
    /// It cannot be said, for this reason.
    Worthless(String),
}

/// The words with which an outcome is kept.
const CAUGHT: &str = "caught by ";
const LIVED: &str = "lived";

impl Outcome {
    fn read(kept: &str) -> Self {
        match kept.strip_prefix(CAUGHT) {
            Some(test) => Self::Caught(test.to_owned()),
            None if kept == LIVED => Self::Lived,
            None => Self::Worthless(kept.to_owned()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Caught(test) => format!("{CAUGHT}{test}"),
            Self::Lived => LIVED.to_owned(),
            Self::Worthless(problem) => problem.clone(),
        }
    }
}

/// The copy, and the outcomes that are known.
#[derive(Debug)]
pub(super) struct Bench {
    copy: PathBuf,
    build: PathBuf,
    outcomes: PathBuf,
    sources: u64,
    /// Held as long as the copy is used.
    _lock: File,
}

impl Bench {
    /// Makes the copy like the project.
    pub(super) fn prepare() -> Result<Self> {
        let place = |name: &str| tools::artifact(&format!("mutants/{name}"));
        let (copy, build, outcomes) = (place("copy")?, place("build")?, place("outcomes")?);
        let lock = File::create(place("lock")?).map_err(|error| format!("The copy is not locked: {error}."))?;
        lock.try_lock().map_err(|_| "Another `cargo dev mutants` is at work here.".to_owned())?;
        fs::create_dir_all(&outcomes).map_err(|error| format!("{} cannot be made: {error}.", outcomes.display()))?;
        copy::update(&copy)?;
        Ok(Self { copy, build, outcomes, sources: copy::hash()?, _lock: lock })
    }

    /// The outcome of an earlier run, with the same sources.
    pub(super) fn known(&self, trial: impl Hash) -> Option<Outcome> {
        fs::read_to_string(self.file_of(trial)).ok().map(|text| Outcome::read(&text))
    }

    /// What comes of a mutant.
    pub(super) fn outcome(&self, mutant: &Mutant) -> Result<Outcome> {
        if let Some(known) = self.known(mutant) {
            return Ok(known);
        }
        let file = self.copy.join(&mutant.file);
        let said = |error: io::Error| format!("{} is not changed: {error}.", file.display());
        let text = fs::read_to_string(&file).map_err(said)?;
        let changed = match mutant.applied_to(&text) {
            Ok(changed) => changed,
            Err(problem) => return Ok(Outcome::Worthless(problem)),
        };
        fs::write(&file, changed).map_err(said)?;
        let outcome = self.run_until_caught(&mutant.tests);
        fs::write(&file, text).map_err(said)?;
        let outcome = outcome?;
        self.keep(mutant, &outcome)?;
        Ok(outcome)
    }

    /// Checks that these tests succeed without any mutant: otherwise they would catch whatever comes.
    pub(super) fn check_without_mutant(&self, tests: &Tests) -> Result<()> {
        if self.known(tests) == Some(Outcome::Lived) {
            return Ok(());
        }
        match self.run(tests)? {
            Outcome::Lived => self.keep(tests, &Outcome::Lived),
            other => Err(format!("Without any mutant, the tests do not succeed: {}.", other.text())),
        }
    }

    fn keep(&self, trial: impl Hash, outcome: &Outcome) -> Result<()> {
        let file = self.file_of(trial);
        fs::write(&file, outcome.text()).map_err(|error| format!("{} is not written: {error}.", file.display()))
    }

    fn file_of(&self, trial: impl Hash) -> PathBuf {
        let mut hash = DefaultHasher::new();
        (self.sources, trial).hash(&mut hash);
        self.outcomes.join(format!("{:016x}.txt", hash.finish()))
    }

    fn run_until_caught(&self, tests: &[Tests]) -> Result<Outcome> {
        for tests in tests {
            let outcome = self.run(tests)?;
            if outcome != Outcome::Lived {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Lived)
    }

    /// Builds and runs some of the tests.
    fn run(&self, tests: &Tests) -> Result<Outcome> {
        let (package, directory) = match tests {
            Tests::Of(name) if name == "shared" => ("shared", self.copy.join("shared")),
            Tests::Of(name) => (name.as_str(), self.copy.join("functions").join(name)),
            Tests::Scenarios(_) => ("e2e", self.copy.join("tests")),
        };
        let kind: &[&str] = if package == "e2e" { &["--test", "scenarios"] } else { &["--lib"] };
        let program = match self.build(package, kind)? {
            Ok(program) => program,
            Err(problem) => return Ok(Outcome::Worthless(problem)),
        };
        let names = match tests {
            Tests::Of(_) => Vec::new(),
            Tests::Scenarios(module) => scenarios(&program, module)?,
        };
        let exactly = names.first().map(|_| "--exact");
        let arguments: Vec<_> = exactly.into_iter().chain(names.iter().map(String::as_str)).collect();
        for _ in 0..ATTEMPTS {
            match first_failure(&program, &directory, &arguments)? {
                Failure::None => return Ok(Outcome::Lived),
                Failure::Of(test) if first_failure(&program, &directory, &["--exact", &test])? == Failure::None => {}
                failure => return Ok(Outcome::Caught(format!("{package}: {}", failure.name()))),
            }
        }
        Ok(Outcome::Worthless(format!("the tests of {package} fail now and then")))
    }

    /// Builds a program of tests; or says why it does not build.
    fn build(&self, package: &str, kind: &[&str]) -> Result<Result<String>> {
        let mut cargo = tools::cargo(&["test", "--package", package, "--no-run", "--locked", "--quiet"]);
        cargo.args(kind).arg("--message-format=json").current_dir(&self.copy);
        cargo.env("CARGO_TARGET_DIR", &self.build).env("CARGO_PROFILE_DEV_DEBUG", "none");
        let output = cargo.stderr(Stdio::null()).output().map_err(|error| format!("cargo does not start: {error}."))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let messages = || text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        if !output.status.success() {
            let error = messages().find(|message| message["message"]["level"] == "error");
            let why = error.and_then(|error| Some(error["message"]["message"].as_str()?.to_owned()));
            return Ok(Err(format!("it does not build ({})", why.unwrap_or_default())));
        }
        // Cargo names `dev` too, which the scenarios use.
        let tests = messages().filter(|message| message["profile"]["test"] == true);
        let program = tests.filter_map(|message| Some(message["executable"].as_str()?.to_owned())).next_back();
        program.map(Ok).ok_or_else(|| format!("cargo names no program for the tests of {package}."))
    }
}

/// The names of the scenarios in a module.
fn scenarios(program: &str, module: &str) -> Result<Vec<String>> {
    let output = Command::new(program).arg("--list").output();
    let output = output.map_err(|error| format!("{program} does not start: {error}."))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    let of_it = names.filter(|name| name.starts_with(&format!("{module}::")));
    let of_it: Vec<_> = of_it.filter(|name| !LEFT_OUT.iter().any(|part| name.contains(part))).collect();
    // Without any name, all scenarios would run.
    if of_it.is_empty() {
        return Err(format!("There is no scenario in the module {module}."));
    }
    Ok(of_it.into_iter().map(ToOwned::to_owned).collect())
}

/// What has failed in a program of tests.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    None,
    /// This test.
    Of(String),
    /// All of it: no test has ended for long.
    Standstill,
    /// All of it: it has ended before its tests did.
    End,
}

impl Failure {
    fn name(&self) -> &str {
        match self {
            Self::None => "nothing",
            Self::Of(test) => test,
            Self::Standstill => "a test that does not end",
            Self::End => "the end of its whole program",
        }
    }
}

/// Runs a program of tests until one fails.
fn first_failure(program: &str, directory: &Path, arguments: &[&str]) -> Result<Failure> {
    let (reader, writer) = io::pipe().map_err(|error| format!("The system has no pipe: {error}."))?;
    let directory = directory.to_string_lossy();
    // What fails is looked for on standard output; what a program of a scenario says beside it is noise here.
    let script = ["-c", "cd \"$0\" && exec \"$@\" 2>/dev/null", &directory, program];
    let mut process = Process::start("sh".as_ref(), &[&script, arguments].concat(), &[], Output::Pipe(writer))?;
    let lines = lines(reader);
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                if let Some(test) = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED")) {
                    process.kill();
                    return Ok(Failure::Of(test.to_owned()));
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                process.kill();
                return Ok(Failure::Standstill);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = wait_for(PATIENCE, || process.ended());
    Ok(if status.is_some_and(|status| status.success()) { Failure::None } else { Failure::End })
}

/// The lines of a pipe as they come.
fn lines(reader: PipeReader) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(reader).lines().map_while(std::result::Result::ok);
        for line in lines {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
