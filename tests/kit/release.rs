//! The functions as they are built for a deployment, but for this machine.

use std::{path::PathBuf, sync::OnceLock};

use crate::{Result, tools};

/// Builds them, once in this process; gives the directory of the binaries.
pub fn build() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<()>> = OnceLock::new();
    BUILT.get_or_init(build_all).clone()?;
    tools::artifact("release")
}

/// `bare` only says hello: what the others are measured against.
fn build_all() -> Result<()> {
    let mut build = tools::cargo(&["build", "--release", "--locked"]);
    build.args(["bare", "home", "login", "logout"].iter().flat_map(|name| ["--package", name]));
    tools::run(&mut build, "The release build fails")
}
