//! AWS's own SAM: the template checked, the functions built, and the emulator that comes with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{Result, local::Storage, tools};

/// The region of every stack here.
pub const REGION: &str = "us-east-1";
/// The account of every stack here.
pub const ACCOUNT: &str = "123456789012";

/// Runs a program of SAM's environment with the rest of that environment on the path, where `sam build` looks for
/// cargo-lambda, and cargo-lambda for its compiler.
const WITH_PATH: &str = r#"PATH="$0:$PATH" exec "$0/$@""#;

/// A program of SAM's environment. It neither asks for a newer version nor tells AWS that it was used.
fn command(program: &str) -> Result<Command> {
    let mut command = tools::command("sh");
    command.args(["-c", WITH_PATH]).arg(tools::sam()?).arg(program);
    command.envs([("SAM_CLI_TELEMETRY", "0"), ("SAM_CLI_CHECK_LATEST", "0"), ("AWS_DEFAULT_REGION", REGION)]);
    Ok(command)
}

/// Has both of AWS's linters look at a template: `sam validate --lint`, and `cfn-lint` by itself, which knows more rules.
pub fn lint(template: &Path) -> Result<()> {
    let mut validate = command("sam")?;
    validate.args(["validate", "--lint", "--region", REGION, "--template-file"]).arg(template);
    said(&mut validate, "sam validate --lint")?;
    said(command("cfn-lint")?.arg(template), "cfn-lint")
}

/// A copy of the template in which these parameters have other defaults: linters take no parameters.
pub fn template_with(name: &str, parameters: &[(&str, &str)]) -> Result<PathBuf> {
    let source = tools::root().join("template.yaml");
    let mut text =
        fs::read_to_string(&source).map_err(|error| format!("{} is not read: {error}.", source.display()))?;
    for (parameter, value) in parameters {
        text = with_default(&text, parameter, value).ok_or_else(|| format!("The template has no {parameter}."))?;
    }
    let copy = tools::artifact(&format!("{name}.yaml"))?;
    fs::write(&copy, text).map_err(|error| format!("{} is not written: {error}.", copy.display()))?;
    Ok(copy)
}

fn with_default(template: &str, parameter: &str, value: &str) -> Option<String> {
    const DEFAULT: &str = "\n    Default: ";
    let at = template.find(&format!("\n  {parameter}:\n    Type: "))?;
    let begin = at + template.get(at..)?.find(DEFAULT)? + DEFAULT.len();
    let end = begin + template.get(begin..)?.find('\n')?;
    Some(format!("{}\"{value}\"{}", template.get(..begin)?, template.get(end..)?))
}

/// Builds the functions for both storages, once in this process, for the processors they are deployed to unless somebody
/// says otherwise; gives the directory of those for `storage`, where each has one named as in the template.
pub fn build(storage: Storage) -> Result<PathBuf> {
    static BUILT: OnceLock<Result<()>> = OnceLock::new();
    BUILT.get_or_init(|| [Storage::Cookies, Storage::Table].into_iter().try_for_each(build_for)).clone()?;
    directory(storage)
}

/// What `TokenStorage` is for a storage.
pub fn token_storage(storage: Storage) -> &'static str {
    if storage == Storage::Table { "dynamodb" } else { "cookie" }
}

fn directory(storage: Storage) -> Result<PathBuf> {
    tools::artifact(&format!("stack-{}", token_storage(storage)))
}

/// With sessions in cookies it is the very command that the README gives.
fn build_for(storage: Storage) -> Result<()> {
    let mut build = command("sam")?;
    build.args(["build", "--build-dir"]).arg(directory(storage)?);
    if storage == Storage::Table {
        build.args(["--parameter-overrides", &format!("TokenStorage={}", token_storage(storage))]);
    }
    // One for both, so that the second build has next to nothing to do, and not the one of other builds, which are
    // linked otherwise and would wait for this.
    build.env("CARGO_TARGET_DIR", tools::artifact("packaged")?);
    said(&mut build, "sam build")
}

/// AWS's Runtime Interface Emulator, as `sam local invoke` uses it.
pub fn emulator() -> Result<PathBuf> {
    const WHERE: &str = "import pathlib, samcli; print(pathlib.Path(samcli.__file__).parent / 'local' / 'rapid')";
    let output = tools::command(tools::sam()?.join("python")).args(["-c", WHERE]).output();
    let output = output.map_err(|error| format!("The Python of SAM does not start: {error}."))?;
    let directory = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let processor = if tools::is_arm64() { "arm64" } else { "x86_64" };
    let emulator = directory.join(format!("aws-lambda-rie-{processor}"));
    if emulator.exists() { Ok(emulator) } else { Err(format!("SAM does not bring {}.", emulator.display())) }
}

/// Runs a command to its end; what it said is the error if it failed.
fn said(command: &mut Command, name: &str) -> Result<()> {
    let output = command.output().map_err(|error| format!("{name} does not start: {error}."))?;
    if output.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{name} has something to say:\n{out}\n{err}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_changed_for_the_parameter_that_is_meant_and_no_other() {
        let template = "Parameters:\n  One:\n    Type: String\n    Default: a\n  Two:\n    Type: String\n    \
            NoEcho: true\n    Default: \"\"\n";
        let changed = with_default(template, "Two", "b").unwrap();
        assert_eq!(changed, template.replace("\"\"", "\"b\""));
        assert_eq!(with_default(template, "Three", "b"), None);
    }
}
