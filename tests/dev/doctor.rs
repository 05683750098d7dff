//! `cargo dev doctor`: what this machine and the settings in `.env` lack, and for what.

use std::{collections::BTreeMap, process::Command};

use kit::{
    Result,
    tools::{self, println_step},
};
use shared::{App, config};

use crate::run;

/// A thing that is looked at: what it is for, and what was found.
struct Finding {
    purpose: &'static str,
    found: std::result::Result<String, String>,
}

/// Looks at everything, and says what it found. An error is what keeps `cargo dev` from running.
pub(crate) fn doctor() -> Result<()> {
    let to_run = [
        finding("to run the app", python()),
        finding("to run the app", run::free(run::PORT).map(|()| format!("Port {} is free.", run::PORT))),
        finding(
            "to run the app",
            run::free(run::STAND_IN_PORT).map(|()| format!("Port {} is free.", run::STAND_IN_PORT)),
        ),
        finding("to run the app", settings()),
    ];
    let beyond = [
        finding("for cargo dev --dynamodb and cargo dev test", program("java", "-version", "default-jre-headless")),
        finding("for cargo dev test", program("chromedriver", "--version", "chromium-driver")),
        finding("for cargo dev test", program("strace", "--version", "strace")),
        finding("for cargo dev test", program("valgrind", "--version", "valgrind")),
        finding("to deploy", program("sam", "--version", "the AWS SAM CLI")),
        finding("to deploy", program("cargo-lambda", "--version", "cargo-lambda")),
    ];
    for finding in to_run.iter().chain(&beyond) {
        let (mark, text) = match &finding.found {
            Ok(text) => ("ok ", text),
            Err(text) => ("-- ", text),
        };
        println_step(&format!("{mark} {:<46}{text}", finding.purpose));
    }
    if to_run.iter().any(|finding| finding.found.is_err()) {
        Err("`cargo dev` does not run like this; the lines above that begin with -- say why.".to_owned())
    } else {
        println_step("\n`cargo dev` can run.");
        Ok(())
    }
}

fn finding(purpose: &'static str, found: std::result::Result<String, String>) -> Finding {
    Finding { purpose, found }
}

fn python() -> Result<String> {
    let script = "import ensurepip, sys, venv; print('Python', sys.version.split()[0], 'with venv.')";
    output(Command::new("python3").args(["-c", script]))
        .ok_or_else(|| "Python 3 with its venv module is missing (on Debian and Ubuntu python3-venv).".to_owned())
}

/// A program on the `PATH`, or what to install for it.
fn program(name: &str, version: &str, package: &str) -> Result<String> {
    let missing = || format!("{name} is missing: install {package}.");
    output(Command::new(name).arg(version)).map(|_| format!("{name} is there.")).ok_or_else(missing)
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.current_dir(tools::root()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Reads the settings as the functions would.
fn settings() -> Result<String> {
    let settings = run::dot_env()?;
    if !run::own_application(&settings)? {
        return Ok("No application of your own in .env: sign-in is at the stand-in.".to_owned());
    }
    let variables: BTreeMap<_, _> = run::variables(settings, None)?.into_iter().collect();
    let read = config::from_lookup(|name| variables.get(name).cloned(), App::read_with_globus);
    match read {
        Ok(_) => Ok("The settings in .env are complete: sign-in is at Globus.".to_owned()),
        Err(problems) => Err(format!("In .env: {problems}.")),
    }
}
