//! AWS's own SAM: the template checked, the functions built, and the emulator that comes with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, processor::Processor, tools};

/// The region of every stack here.
pub const REGION: &str = "us-east-1";
/// The account of every stack here.
pub const ACCOUNT: &str = "123456789012";

/// Runs a program of SAM's environment with the rest of that environment on the path, where `sam build` looks for
/// cargo-lambda, and cargo-lambda for its compiler.
const WITH_PATH: &str = r#"PATH="$0:$PATH" exec "$0/$@""#;

/// So that SAM neither asks for a newer version nor tells AWS that it was used.
pub(crate) const VARIABLES: [(&str, &str); 3] =
    [("SAM_CLI_TELEMETRY", "0"), ("SAM_CLI_CHECK_LATEST", "0"), ("AWS_DEFAULT_REGION", REGION)];

/// A program of SAM's environment.
pub(crate) fn command(program: &str) -> Result<Command> {
    let mut command = tools::command("sh");
    command.args(["-c", WITH_PATH]).arg(tools::sam()?).arg(program);
    command.envs(VARIABLES);
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

/// Packages the functions of the stack with these parameters, compiled in a directory that is cargo's.
pub(crate) fn build(into: &Path, parameters: &[(&str, &str)], cargo_target: &Path) -> Result<()> {
    let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut build = command("sam")?;
    build.args(["build", "--build-dir"]).arg(into).args(["--parameter-overrides", &pairs.join(" ")]);
    build.env("CARGO_TARGET_DIR", cargo_target);
    said(&mut build, "sam build")
}

/// Packages the examples; gives the directory of what was built.
pub fn build_examples() -> Result<PathBuf> {
    let directory = tools::artifact("stack-examples/template.yaml")?.with_file_name("");
    let mut build = command("sam")?;
    build.args(["build", "--template", "examples/template.yaml", "--build-dir"]).arg(&directory);
    said(&mut build, "sam build")?;
    Ok(directory)
}

/// AWS's Runtime Interface Emulator, as `sam local invoke` uses it.
pub fn emulator() -> Result<PathBuf> {
    const WHERE: &str = "import pathlib, samcli; print(pathlib.Path(samcli.__file__).parent / 'local' / 'rapid')";
    let output = tools::command(tools::sam()?.join("python")).args(["-c", WHERE]).output();
    let output = output.map_err(|error| format!("The Python of SAM does not start: {error}."))?;
    let directory = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let emulator = directory.join(format!("aws-lambda-rie-{}", Processor::HERE.architecture()));
    if emulator.exists() { Ok(emulator) } else { Err(format!("SAM does not bring {}.", emulator.display())) }
}

/// Runs a command to its end; what it said is the error if it failed.
pub(crate) fn said(command: &mut Command, name: &str) -> Result<()> {
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
