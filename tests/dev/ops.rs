//! `cargo ops`: the commands for a deployment, in Python, since SAM brings AWS's SDK for it.

use std::os::unix::process::CommandExt as _;

use kit::{Result, tools};

/// Becomes the program that runs such a command, so that Ctrl-C and the exit status are its own.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let error = tools::command(tools::sam()?.join("python")).arg("tests/ops").args(arguments).exec();
    Err(format!("The Python of SAM does not start: {error}."))
}
