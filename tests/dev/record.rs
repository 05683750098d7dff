//! Which tests have succeeded, for the document that names them.

use std::{
    collections::BTreeSet,
    io::{self, BufRead as _, BufReader},
    process::Command,
};

use kit::{Result, requirements, tools::println_step};

/// The tests that have succeeded, each as `shared: cookies::tests::…`: the package or program, and the name that cargo prints.
#[derive(Debug, Default)]
pub(crate) struct Record(BTreeSet<String>);

impl Record {
    /// Runs tests with cargo, and notes them. `failure` says what it means if one fails. What `is_shown` does not choose is
    /// not printed.
    pub(crate) fn run(&mut self, mut cargo: Command, failure: &str, is_shown: fn(&str) -> bool) -> Result<()> {
        let said = |error: io::Error| format!("{failure} ({error}).");
        let (reader, writer) = io::pipe().map_err(said)?;
        cargo.stdout(writer.try_clone().map_err(said)?).stderr(writer);
        let mut running = cargo.spawn().map_err(said)?;
        // It holds ends of the pipe, which would never end.
        drop(cargo);
        let mut reading = Reading::default();
        for line in BufReader::new(reader).split(b'\n') {
            let line = line.map_err(said)?;
            let line = String::from_utf8_lossy(&line);
            reading.line(&line);
            if is_shown(&line) {
                println_step(&line);
            }
        }
        if !running.wait().map_err(said)?.success() {
            return Err(format!("{failure}."));
        }
        self.0.extend(reading.ran);
        Ok(())
    }

    /// Checks that each test which `docs/security.md` names is among them.
    pub(crate) fn has_what_the_requirements_name(&self) -> Result<()> {
        let named = requirements::tests()?;
        let missing: Vec<_> = named.iter().filter(|name| !self.0.contains(*name)).map(String::as_str).collect();
        if missing.is_empty() {
            println_step(&format!("{} tests that docs/security.md names have succeeded.", named.len()));
            return Ok(());
        }
        Err(format!("docs/security.md names tests that did not run:\n{}", missing.join("\n")))
    }
}

/// The output of cargo, as far as it was read.
#[derive(Debug, Default)]
struct Reading {
    package: String,
    ran: BTreeSet<String>,
}

impl Reading {
    /// `Running unittests src/lib.rs (target/debug/deps/shared-0123abcd)` says whose tests come next. A test has no `ok` here
    /// if another one writes between its name and that word; but all that ran succeeded if cargo has.
    fn line(&mut self, line: &str) {
        if let Some((_, program)) = line.trim_start().strip_prefix("Running ").and_then(|line| line.rsplit_once('/')) {
            let name = program.rsplit_once('-').map_or(program, |(name, _hash)| name);
            self.package = name.replace('_', "-");
        }
        if let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... "))
            && !result.starts_with("ignored")
        {
            self.ran.insert(format!("{}: {name}", self.package));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_noted_with_its_package_unless_it_is_ignored() {
        let mut reading = Reading::default();
        for line in [
            "     Running unittests src/lib.rs (target/debug/deps/globus_stand_in-0f3c)",
            "running 3 tests",
            "test cookies::tests::a_cookie_opens ... ok",
            "test cookies::tests::another ... ignored, takes hours",
            "     Running tests/scenarios/main.rs (/a-place/target/debug/deps/scenarios-99ab)",
            "test start_up::sizes ... home has 5 bytes",
            "ok",
            "test result: ok. 2 passed; 0 failed",
        ] {
            reading.line(line);
        }
        let expected = ["globus-stand-in: cookies::tests::a_cookie_opens", "scenarios: start_up::sizes"];
        assert_eq!(reading.ran.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_test_that_is_named_and_has_not_run_is_an_error() {
        let missing = Record::default().has_what_the_requirements_name().unwrap_err();
        assert!(missing.contains("\nshared: cookies::tests::a_changed_byte_anywhere_is_noticed"), "{missing}");
    }
}
