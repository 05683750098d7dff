//! An operator at a terminal: a copy of the project, the real `sam`, and a server in the place of AWS that records what
//! it is asked to do.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;

use crate::{
    Result, http,
    local::free_port,
    process::wait_for,
    python::{Ended, Program, Running},
    tools::{self, artifact},
};

const READY_WITHIN: Duration = Duration::from_mins(1);

/// What a deployment and `cargo ops` read of the project, beside the functions.
const FILES: [&str; 4] = [".gitignore", "samconfig.toml", "template.yaml", "tests/stack.py"];
/// Directories of which all Python files are.
const SCRIPTS: [&str; 2] = ["tests/kit", "tests/ops"];

/// Runs a command that the permissions of files bind, also if root runs the tests.
const BOUND_BY_PERMISSIONS: &str = r#"
[ "$(id -u)" = 0 ] || exec "$@"
exec setpriv --bounding-set -dac_override --inh-caps -dac_override "$@""#;

/// An operator with a clone of the project.
#[derive(Debug)]
pub struct Operator {
    _aws: Running,
    port: u16,
    clone: PathBuf,
    /// What the operator's commands have in their environment beside the credentials.
    pub variables: Vec<(String, String)>,
}

impl Operator {
    /// An operator with a fresh clone, named for its log, and an account that is in this state: `outputs` of the stack,
    /// `concurrency` of functions.
    pub fn start(name: &str, state: &Value) -> Result<Self> {
        let clone = artifact(&format!("clones/{name}/template.yaml"))?;
        let clone = clone.parent().unwrap_or(&clone).to_owned();
        copy_to(&clone).map_err(|error| format!("{} cannot be made: {error}.", clone.display()))?;
        tools::run(tools::command("git").args(["init", "--quiet"]).arg(&clone), "git does not start")?;
        let port = free_port()?;
        let file = clone.join("state.json");
        fs::write(&file, state.to_string()).map_err(|error| format!("{} is not written: {error}.", file.display()))?;
        let server = clone.join("tests/kit/fake_aws.py");
        let log = artifact(&format!("clones/{name}-aws.log"))?;
        let arguments = [&*port.to_string(), &*file.to_string_lossy()];
        let aws = Program::new(&server, &arguments).log(&log).start()?;
        let operator = Self { _aws: aws, port, clone, variables: Vec::new() };
        let ready = wait_for(READY_WITHIN, || operator.recorded().ok());
        ready.ok_or("The server in the place of AWS does not respond.")?;
        Ok(operator)
    }

    /// Runs `sam` with these arguments; every question is answered with yes.
    pub fn sam(&self, arguments: &[&str]) -> Result<Ended> {
        let sam = Program::new(&tools::sam()?.join("sam"), arguments).variable("SAM_CLI_POLL_DELAY", Some("0.1"));
        self.run(sam, "y\ny\ny\n")
    }

    /// Runs `cargo ops` with these arguments, separated by blanks, and types these lines.
    pub fn ops(&self, command: &str, typed: &str) -> Result<Ended> {
        let arguments: Vec<_> = command.split(' ').collect();
        self.run(Program::new("tests/ops".as_ref(), &arguments), typed)
    }

    /// The same, where the operator may not write into the clone. It asks nothing.
    pub fn ops_in_a_read_only_clone(&self, command: &str) -> Result<Ended> {
        let mode =
            |mode| fs::set_permissions(&self.clone, Permissions::from_mode(mode)).map_err(|error| error.to_string());
        let mut bound = tools::command("sh");
        bound.args(["-c", BOUND_BY_PERMISSIONS, "sh"]).arg(tools::sam()?.join("python"));
        bound.arg("tests/ops").args(command.split(' ')).current_dir(&self.clone).stdin(Stdio::null());
        mode(0o555)?;
        let output = bound.output();
        mode(0o755)?;
        let output = output.map_err(|error| format!("A command does not start: {error}."))?;
        let said = [output.stdout, output.stderr].concat();
        Ok(Ended { succeeded: output.status.success(), said: String::from_utf8_lossy(&said).into_owned() })
    }

    fn run(&self, program: Program, typed: &str) -> Result<Ended> {
        let program = program.within(&self.clone);
        let program =
            self.environment().iter().fold(program, |program, (name, value)| program.variable(name, value.as_deref()));
        program.start()?.to_its_end(typed)
    }

    /// The variables of each command; `None` for one that it must not have.
    fn environment(&self) -> Vec<(String, Option<String>)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let of_aws = [
            ("AWS_ACCESS_KEY_ID", Some("any")),
            ("AWS_SECRET_ACCESS_KEY", Some("any")),
            ("AWS_ENDPOINT_URL", Some(&endpoint)),
            ("AWS_PROFILE", None),
        ];
        let of_aws = of_aws.map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)));
        of_aws.into_iter().chain(self.variables.iter().cloned().map(|(name, value)| (name, Some(value)))).collect()
    }

    /// Every call so far, of every service, each with its `Action`.
    pub fn recorded(&self) -> Result<Vec<Value>> {
        let response = http::send(self.port, "GET", "/recorded", &[], "").map_err(|error| error.to_string())?;
        serde_json::from_str(&response.body).map_err(|error| error.to_string())
    }

    /// The calls of one kind so far.
    pub fn calls(&self, action: &str) -> Result<Vec<Value>> {
        Ok(self.recorded()?.into_iter().filter(|call| call["Action"] == action).collect())
    }

    /// Has as many updates of the stack fail.
    pub fn fail_updates(&self, count: u32) -> Result<()> {
        http::send(self.port, "PUT", "/fail", &[], &count.to_string()).map(drop).map_err(|error| error.to_string())
    }

    /// Has the versions of secrets that are written from now on be that old; an empty text ends this.
    pub fn write_secrets_at(&self, time: &str) -> Result<()> {
        http::send(self.port, "PUT", "/written", &[], time).map(drop).map_err(|error| error.to_string())
    }

    /// Has updates of the stack go on for ever.
    pub fn let_updates_run_on(&self) -> Result<()> {
        http::send(self.port, "PUT", "/running", &[], "").map(drop).map_err(|error| error.to_string())
    }

    /// Changes variables of a function by hand; null removes one.
    pub fn change_variables(&self, function: &str, variables: &Value) -> Result<()> {
        let path = format!("/variables/{function}");
        http::send(self.port, "PUT", &path, &[], &variables.to_string()).map(drop).map_err(|error| error.to_string())
    }

    /// A file of the clone.
    pub fn path(&self, file: &str) -> PathBuf {
        self.clone.join(file)
    }

    /// The text of a file of the clone; empty if there is none.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_default()
    }

    /// Edits a file of the clone: the text must be there exactly once.
    pub fn edit(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let text = self.read(file);
        if text.matches(from).count() != 1 {
            return Err(format!("{file} does not have {from:?} once:\n{text}"));
        }
        fs::write(self.path(file), text.replace(from, to)).map_err(|error| error.to_string())
    }
}

/// A clone in which each function is a file that says nothing: it is deployed, not run.
fn copy_to(clone: &Path) -> std::io::Result<()> {
    if clone.exists() {
        fs::remove_dir_all(clone)?;
    }
    let mut files: Vec<_> = FILES.iter().map(PathBuf::from).collect();
    for directory in SCRIPTS {
        let entries = fs::read_dir(tools::root().join(directory))?.flatten();
        let names = entries.map(|entry| Path::new(directory).join(entry.file_name()));
        files.extend(names.filter(|name| name.extension().is_some_and(|extension| extension == "py")));
    }
    for file in files {
        let copy = clone.join(&file);
        fs::create_dir_all(copy.parent().unwrap_or(clone))?;
        fs::copy(tools::root().join(&file), copy)?;
    }
    for function in crate::programs::functions() {
        let directory = clone.join("functions").join(function);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("bootstrap"), function)?;
    }
    Ok(())
}
