//! Everything that is checked, one step after the other, the quickest first.

use std::process::Command;

use kit::{
    Result,
    local::Storage,
    release, sam,
    tools::{self, cargo, println_step, run},
};

/// Checks everything.
pub(crate) fn everything() -> Result<()> {
    step("Format", cargo(&["fmt", "--all", "--check"]), "The code is not formatted: run `cargo fmt --all`")?;
    step("Lints", cargo(&["lint"]), "The lints have something to say")?;
    let mut documentation =
        cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    step("Documentation", documentation, "The documentation has broken parts")?;
    let units = cargo(&["test", "--workspace", "--exclude", "e2e", "--locked", "--quiet"]);
    step("Tests of the parts", units, "A test fails")?;
    end_to_end("")
}

/// The end-to-end tests whose name contains `name`.
pub(crate) fn end_to_end(name: &str) -> Result<()> {
    tools::for_tests()?;
    tools::cargo_lambda()?;
    tools::python_with_globus_sdk()?;
    tools::axe()?;
    tools::dynamodb_local()?;
    tools::sam()?;
    // What `cargo lambda watch` will run, so that no test waits for the compiler.
    step("Build", cargo(&["build", "--locked"]), "The build fails")?;
    if name.is_empty() {
        // These take minutes, and beside them the tests would run out of time.
        println_step("\n== Release build, and packages as for a deployment");
        both(release::build, || sam::build(Storage::Cookies))?;
    }
    let tests = cargo(&["test", "--package", "e2e", "--locked", "--", name]);
    step("Tests from end to end", tests, "An end-to-end test fails; target/ has logs and screenshots")?;
    println_step("\nAll is well.");
    Ok(())
}

/// Does two things at once: each is mostly a linker that uses one processor.
fn both<T: Send>(one: impl FnOnce() -> Result<T>, other: impl FnOnce() -> Result<T> + Send) -> Result<()> {
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(other);
        (one(), other.join())
    });
    one?;
    other.unwrap_or_else(|_| Err("A build ended in a panic.".to_owned()))?;
    Ok(())
}

fn step(headline: &str, mut command: Command, failure: &str) -> Result<()> {
    println_step(&format!("\n== {headline}"));
    run(&mut command, failure)
}
