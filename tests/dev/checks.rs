//! Everything that is checked, one part after the other, the quickest first.

use std::{
    process::{Command, Stdio},
    thread,
};

use kit::{
    Result,
    local::Storage,
    packages::{self, Package},
    processor::Processor,
    programs,
    tools::{self, cargo, println_step, run},
};

use crate::{record::Record, times::Times};

/// What the names of the tests contain that are left to [`packages()`].
const MORE_PACKAGES: &str = "more_packages";

/// Checks everything, with the functions packaged as a deployment with the template's defaults has them, but for the
/// processor of this machine.
pub(crate) fn everything() -> Result<()> {
    tools::system_for_tests()?;
    let mut record = Record::default();
    Times::of(|times| {
        // The tools come over the network, and the first parts need none of them.
        thread::scope(|scope| {
            let tools = scope.spawn(tools::for_tests);
            source(times)?;
            times.part("Tools", || tools.join().unwrap_or_else(|_| Err("The tools cannot be fetched.".to_owned())))
        })?;
        times.part("Supply chain", supply_chain)?;
        times.part("Unit tests", || unit_tests(&mut record))?;
        times.part("Fuzzing", fuzzing)?;
        times.part("Debug builds", programs::build)?;
        times.part("Packages", || Package::here(Storage::Cookies).build().map(drop))?;
        times.part("End-to-end tests", || run_scenarios(&["--skip", MORE_PACKAGES], &mut record))?;
        times.part("Requirements", || record.has_what_the_requirements_name())
    })
}

/// Checks what the others package: for the processor that this machine does not have, and for sessions in a table.
pub(crate) fn packages() -> Result<()> {
    tools::system_for_packages()?;
    Times::of(|times| {
        times.part("Tools", tools::for_tests)?;
        times.part("Packages for the other processor", || {
            // All at once, since each program takes the linker a minute.
            packages::compile(Processor::ELSEWHERE, &[Storage::Cookies, Storage::Table])?;
            Package::elsewhere(Storage::Cookies).build()?;
            Package::elsewhere(Storage::Table).build().map(drop)
        })?;
        times.part("Packages for the table", || Package::here(Storage::Table).build().map(drop))?;
        times.part("Tests of these packages", || run_scenarios(&[MORE_PACKAGES], &mut Record::default()))
    })
}

/// The end-to-end tests whose name contains `name`: those that [`packages()`] runs only where it names their module.
pub(crate) fn end_to_end(name: &str) -> Result<()> {
    let with_more_packages = name.contains(MORE_PACKAGES);
    let choice = if with_more_packages { vec![name] } else { vec![name, "--skip", MORE_PACKAGES] };
    if !has_any(scenarios(&choice))? {
        return Err(format!("No end-to-end test's name contains {name:?}."));
    }
    if with_more_packages {
        tools::system_for_packages()?;
    } else {
        tools::system_for_tests()?;
    }
    tools::for_tests()?;
    programs::build()?;
    run_scenarios(&choice, &mut Record::default())?;
    println_step("\nAll is well.");
    Ok(())
}

/// What can be said of the source as it stands.
fn source(times: &mut Times) -> Result<()> {
    let format = "The code is not formatted: run `cargo fmt --all`";
    times.part("Format", || run(&mut cargo(&["fmt", "--all", "--check"]), format))?;
    times.part("Lints", || run(&mut cargo(&["lint"]), "The lints have something to say"))?;
    times.part("Documentation", || {
        let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"];
        run(cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings"), "The documentation has broken parts")
    })
}

/// What the code depends on, as `deny.toml` says, and GitHub's workflows. Without the advisories: they change every day,
/// and what was good yesterday would fail.
fn supply_chain() -> Result<()> {
    let programs = tools::supply_chain()?;
    let mut dependencies = tools::command(programs.join("cargo-deny"));
    dependencies.args(["--locked", "check", "bans", "licenses", "sources"]);
    run(&mut dependencies, "deny.toml does not allow this dependency")?;
    let mut workflows = tools::command(programs.join("zizmor"));
    workflows.args(["--offline", "--quiet", ".github"]);
    run(&mut workflows, "The workflows in .github have something to say")
}

/// The tests beside the code, those of the kit and of this program included, and the examples in the documentation. `--workspace` and no less:
/// with fewer packages, cargo would choose other features for what they depend on, and compile all of it once more.
fn unit_tests(record: &mut Record) -> Result<()> {
    let is_shown = |line: &str| !line.ends_with(" ... ok");
    for which in [&["--lib", "--bin", "dev"][..], &["--doc"]] {
        let arguments = [&["test", "--workspace", "--locked"], which].concat();
        record.run(cargo(&arguments), "A test fails", is_shown)?;
    }
    Ok(())
}

/// The same inputs for each target in each run, for about a minute.
fn fuzzing() -> Result<()> {
    let arguments = ["test", "--workspace", "--test", "fuzz", "--locked", "--quiet"];
    run(&mut cargo(&arguments), "An input breaks a rule; it is kept in tests/fuzz/corpus")
}

/// The scenarios, as these arguments choose among them. Twice as many at once as there are processors, since many wait for
/// a browser, or for a time to go by. Of the whole workspace, like the unit tests, so that what they
/// depend on is compiled once.
fn scenarios(choice: &[&str]) -> Command {
    let mut scenarios = cargo(&["test", "--workspace", "--test", "scenarios", "--locked", "--"]);
    let threads = 2 * thread::available_parallelism().map_or(1, usize::from);
    scenarios.args(choice).args(["--test-threads", &threads.to_string()]);
    scenarios
}

fn run_scenarios(choice: &[&str], record: &mut Record) -> Result<()> {
    tools::clear_logs()?;
    let failure = format!("An end-to-end test fails; {} has logs and screenshots", tools::target().display());
    record.run(scenarios(choice), &failure, |_| true)
}

/// Whether this command would run any test at all.
pub(crate) fn has_any(mut tests: Command) -> Result<bool> {
    let list = tests.arg("--list").stderr(Stdio::inherit()).output();
    let list = list.map_err(|error| format!("cargo does not start: {error}."))?;
    if !list.status.success() {
        return Err("The tests cannot be built.".to_owned());
    }
    Ok(String::from_utf8_lossy(&list.stdout).lines().any(|line| line.ends_with(": test")))
}
