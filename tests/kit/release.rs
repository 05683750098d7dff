//! The functions as they are built for a deployment, but for this machine.

use std::{path::PathBuf, sync::OnceLock};

use crate::{Result, tools};

/// Each of these is built by itself, as it is for a deployment: in one build together they would share their features,
/// and `home` would get what the others need. `bare` only says hello.
const ALONE: [&[&str]; 3] = [&["bare"], &["home"], &["home-dynamodb", "login", "logout"]];

/// Builds them, once in this process; gives the directory of the binaries.
pub fn build() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<()>> = OnceLock::new();
    BUILT.get_or_init(|| ALONE.into_iter().try_for_each(build_alone)).clone()?;
    tools::artifact("release")
}

fn build_alone(packages: &[&str]) -> Result<()> {
    let mut build = tools::cargo(&["build", "--release", "--locked"]);
    build.args(packages.iter().flat_map(|name| ["--package", name]));
    tools::run(&mut build, "The release build fails")
}
