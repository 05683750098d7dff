//! The functions' programs without optimisation, built in both ways: what one does must not depend on what is built
//! beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::{Result, tools};

/// The functions that respond to a visitor's request. Each has a path of its name, but home.
pub const PAGES: &[&str] = &["home", "login", "logout", "tasks"];

/// Every function, also those that no visitor's request reaches. Each has a program of its name and one with `-cookie`
/// behind it.
pub fn functions() -> Vec<&'static str> {
    [PAGES, &["authorizer", "token"]].concat()
}

/// How a program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Alone: `--package home --bin home`.
    Alone,
    /// Beside everything else in the workspace, of which it gets every feature.
    Together,
}

/// Builds each program in both ways, and keeps both. Those that are built alone come last: they stay where
/// `cargo lambda watch` looks for them.
pub fn build() -> Result<()> {
    let mut together = tools::cargo(&["build", "--workspace", "--locked"]);
    together.args(all().iter().flat_map(|(_, program)| ["--bin", program]));
    tools::run(&mut together, "The build fails; what the compiler says is above")?;
    for (_, program) in all() {
        keep(Way::Together, &program)?;
    }
    all().iter().try_for_each(|(function, program)| build_alone(function, program))
}

/// Builds the programs that serve both storages, each alone, once in this process: a test that is run by itself must not
/// look at those of yesterday.
pub fn build_once() -> Result<()> {
    static BUILT: OnceLock<Result<()>> = OnceLock::new();
    let build = || functions().iter().try_for_each(|function| build_alone(function, function));
    BUILT.get_or_init(build).clone()
}

fn build_alone(function: &str, program: &str) -> Result<()> {
    let mut alone = tools::cargo(&["build", "--package", function, "--bin", program, "--locked", "--quiet"]);
    tools::run(&mut alone, "The build fails; what the compiler says is above")?;
    keep(Way::Alone, program)
}

/// Every program, with the function whose it is.
pub fn all() -> Vec<(&'static str, String)> {
    functions().iter().flat_map(|function| ["", "-cookie"].map(|end| (*function, format!("{function}{end}")))).collect()
}

/// Where a program is that [`build`] has kept.
pub fn kept(way: Way, program: &str) -> Result<PathBuf> {
    let way = if way == Way::Alone { "alone" } else { "together" };
    tools::artifact(&format!("programs-{way}/{program}"))
}

fn keep(way: Way, program: &str) -> Result<()> {
    let (built, kept) = (tools::target().join("debug").join(program), kept(way, program)?);
    let said = |error: io::Error| format!("{} cannot be kept: {error}.", built.display());
    if kept.exists() {
        fs::remove_file(&kept).map_err(said)?;
    }
    link_or_copy(&built, &kept).map_err(said)
}

/// They are large, and cargo never writes into one that is there.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}
