//! A function in Python or Node, run once.

use std::{
    io::{self, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;

use super::Route;
use crate::{Result, process::wait_for, proxy::RESPONDS_WITHIN, tools};

/// Its result for this event; none if it fails. Then its log says why.
pub(super) fn run(route: &Route, event: &Value, variables: &[(String, String)], log: Stdio) -> Result<Option<Value>> {
    let mut function = interpreter(route.file)?;
    function.arg(tools::root().join("examples").join(route.file));
    // A profile of the user would be looked for, and is not needed.
    function.env_remove("AWS_PROFILE").envs(variables.iter().cloned());
    let started = function.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn();
    let started = started.map_err(|error| format!("{} does not start: {error}.", route.file))?;
    Ok(outcome(started, &event.to_string()).and_then(|result| serde_json::from_str(&result).ok()))
}

/// What runs a file, with the script that makes a function of it.
fn interpreter(file: &str) -> Result<Command> {
    let scripts = tools::root().join("tests/kit/examples");
    let mut interpreter = if Path::new(file).extension().is_some_and(|extension| extension == "mjs") {
        let mut node = tools::command(tools::node()?);
        node.arg(scripts.join("run.mjs"));
        node
    } else {
        let mut python = tools::command(tools::python_with_boto3()?);
        // It leaves nothing behind beside the examples.
        python.args(["-B", "-X", "utf8"]).arg(scripts.join("run.py"));
        python
    };
    interpreter.env("NO_PROXY", "127.0.0.1");
    Ok(interpreter)
}

/// What it writes, if it ends well and in time.
fn outcome(mut function: Child, event: &str) -> Option<String> {
    let (input, output) = (function.stdin.take(), function.stdout.take());
    thread::scope(|scope| {
        // It may end without having read it.
        scope.spawn(|| input.map(|mut input| input.write_all(event.as_bytes())));
        let result = scope.spawn(|| io::read_to_string(output?).ok());
        let status = wait_for(RESPONDS_WITHIN, || function.try_wait().ok().flatten());
        drop(function.kill());
        drop(function.wait());
        status.filter(std::process::ExitStatus::success)?;
        result.join().ok()?
    })
}
