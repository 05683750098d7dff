//! `cargo dev doctor`: what this machine and the settings in `.env` lack, and for what.

use std::process::Command;

use kit::{
    Result,
    processor::Processor,
    tools::{self, println_step},
};

use crate::{
    plan::{Options, PORT, Plan},
    run,
};

/// A thing that is looked at: what it is for, and what was found.
struct Finding {
    purpose: &'static str,
    found: Result<String>,
}

/// Looks at everything, and says what it found. An error is what keeps `cargo dev` from running.
pub(crate) fn doctor() -> Result<()> {
    let plan = Plan::make(Options::default());
    let (port, stand_in_port) = plan.as_ref().map_or((PORT, PORT + 10), |plan| (plan.port, plan.stand_in_port()));
    let to_run = [
        python(),
        tools::writable().map(|()| "Tools can be put into .tools/.".to_owned()),
        free(port),
        free(stand_in_port),
        plan.map(|plan| settings(&plan)),
    ];
    let to_run = to_run.map(|found| finding("to run the app", found));
    let for_tests = tools::needed_for_tests().iter();
    let for_tests = for_tests.map(|needed| finding("for cargo dev test", program(*needed)));
    let beyond = [
        finding("for cargo dev --dynamodb", program(tools::JAVA)),
        finding("to deploy", program(("sam", "the AWS SAM CLI"))),
        finding("to deploy", program(("cargo-lambda", "cargo-lambda"))),
    ];
    let elsewhere = Processor::ELSEWHERE.runs_with_packages().iter();
    let for_packages = elsewhere.map(|needed| finding("for cargo dev test-packages", program(*needed)));
    let can_run = to_run.iter().all(|finding| finding.found.is_ok());
    for Finding { purpose, found } in to_run.into_iter().chain(for_tests).chain(for_packages).chain(beyond) {
        let (mark, text) = match found {
            Ok(text) => ("ok ", text),
            Err(text) => ("-- ", text),
        };
        println_step(&format!("{mark} {purpose:<29}{text}"));
    }
    if can_run {
        println_step("\n`cargo dev` can run. `cargo ops check` looks at the settings of a deployment and the account.");
        Ok(())
    } else {
        Err("`cargo dev` does not run like this; the lines above that begin with -- say why.".to_owned())
    }
}

fn finding(purpose: &'static str, found: Result<String>) -> Finding {
    Finding { purpose, found }
}

fn python() -> Result<String> {
    let script = "import ensurepip, sys, venv; print('Python', sys.version.split()[0], 'with venv.')";
    output(Command::new("python3").args(["-c", script]))
        .ok_or_else(|| "Python 3 with its venv module is missing (on Debian and Ubuntu python3-venv).".to_owned())
}

/// A program on the `PATH`, or what to install for it.
fn program((name, package): (&str, &str)) -> Result<String> {
    if tools::has(name) {
        Ok(format!("{name} is there."))
    } else {
        Err(format!("{name} is missing: install {package}."))
    }
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.current_dir(tools::root()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn free(port: u16) -> Result<String> {
    run::free(port).map(|()| format!("Port {port} is free."))
}

fn settings(plan: &Plan) -> String {
    let place = if plan.own_application {
        "The settings in .env are complete: users log in at Globus."
    } else {
        "No application of your own in .env: users log in at the stand-in."
    };
    if plan.shares_cookies() {
        format!("{place} Of all sites at this host, at most one may keep its sessions in cookies (docs/operations.md).")
    } else {
        place.to_owned()
    }
}
