//! Programs that end when whoever started them does, however that comes about.

use std::{
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use crate::Result;

/// Runs the program beside a reader of standard input. Nobody ever writes there: the read ends when the owner's end of
/// the pipe closes, which the system sees to even if the owner is killed. Then the program is interrupted. Once it has
/// ended, whatever is left of its group is too.
const GUARD: &str = r#"
exec 3<&0 </dev/null
"$@" & program=$!
{ read -r _ <&3; kill -INT "$program"; sleep 5; kill -KILL "$program"; } &
wait "$program"; status=$?
trap '' TERM
kill -TERM 0
exit "$status"
"#;

/// A program in a process group of its own.
#[derive(Debug)]
pub struct Process {
    guard: Child,
}

impl Process {
    /// Starts a program with these variables beside the usual ones. Both its outputs go to `output`.
    pub fn start(program: &Path, arguments: &[&str], variables: &[(String, String)], output: Output) -> Result<Self> {
        let said = |error: io::Error| format!("{} does not start: {error}.", program.display());
        let (stdout, stderr) = output.open().map_err(said)?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(program)
            .args(arguments)
            .envs(variables.iter().cloned())
            .current_dir(crate::tools::root())
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            // So that Ctrl-C at the terminal reaches the owner alone, which then ends things in order.
            .process_group(0)
            .spawn()
            .map_err(said)?;
        Ok(Self { guard })
    }

    /// How the program ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.guard.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    /// Ends the program, and waits until it has ended.
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        drop(self.guard.wait());
    }
}

/// Where a program's output goes.
#[derive(Debug)]
pub enum Output {
    /// To the terminal.
    Shown,
    /// Into a file.
    File(std::path::PathBuf),
}

impl Output {
    fn open(self) -> io::Result<(Stdio, Stdio)> {
        match self {
            Self::Shown => Ok((Stdio::inherit(), Stdio::inherit())),
            Self::File(path) => {
                let file = std::fs::File::create(path)?;
                Ok((file.try_clone()?.into(), file.into()))
            }
        }
    }
}

/// Tries again and again until it succeeds; `None` after `limit`.
pub fn wait_for<T>(limit: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    const PAUSE: Duration = Duration::from_millis(50);
    let attempts = limit.as_millis() / PAUSE.as_millis();
    (0..attempts).find_map(|_| {
        let found = attempt();
        if found.is_none() {
            thread::sleep(PAUSE);
        }
        found
    })
}
