//! Programs that end when their owner ends, for whatever reason.

use std::{
    fs::File,
    io::{self, PipeWriter},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use crate::{Result, tools};

/// Runs the program beside a reader of standard input. Nothing is ever written there: the read ends when the owner's end of
/// the pipe closes, which the system sees to even if the owner is killed. Then the program is asked to end, and after
/// some seconds made to. Once it has ended, whatever is left of its group is too. Not by SIGINT: a shell has what it
/// starts in the background ignore that.
const GUARD: &str = r#"
exec 3<&0 </dev/null
"$@" & program=$!
{ read -r _ <&3; kill -TERM "$program"; sleep 5; kill -KILL "$program"; } &
wait "$program" 2>/dev/null; status=$?
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
    /// Starts a program with these variables beside the usual ones.
    pub fn start(program: &Path, arguments: &[&str], variables: &[(String, String)], output: Output) -> Result<Self> {
        let said = |error: io::Error| format!("{} does not start: {error}.", program.display());
        let (stdout, stderr) = output.open().map_err(said)?;
        let guard = tools::command("sh")
            .args(["-c", GUARD, "sh"])
            .arg(program)
            .args(arguments)
            .envs(variables.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            // So that Ctrl-C at the terminal reaches the owner alone, which then ends things in order.
            .process_group(0)
            .spawn()
            .map_err(said)?;
        Ok(Self { guard })
    }

    /// Kills the program and all it started, in whatever group that is, at once: nothing of it gets to finish.
    pub fn kill(&self) {
        let mut family = vec![self.guard.id()];
        let all = tools::command("ps").args(["-A", "-o", "pid=,ppid="]).output().map(|output| output.stdout);
        let all = String::from_utf8_lossy(&all.unwrap_or_default()).into_owned();
        let pairs: Vec<(u32, u32)> = all.lines().filter_map(pair).collect();
        let mut known = 0;
        while known < family.len() {
            known = family.len();
            let children = pairs.iter().filter(|(id, parent)| family.contains(parent) && !family.contains(id));
            family.extend(children.map(|(id, _)| *id).collect::<Vec<_>>());
        }
        let ids = family.iter().map(u32::to_string);
        // One may have ended since, of which `kill` would speak.
        drop(tools::command("kill").arg("-KILL").args(ids).stderr(Stdio::null()).status());
    }

    /// How the program ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.guard.try_wait().ok().flatten()
    }
}

/// Two numbers on a line.
fn pair(line: &str) -> Option<(u32, u32)> {
    let (one, other) = line.trim().split_once(char::is_whitespace)?;
    Some((one.parse().ok()?, other.trim().parse().ok()?))
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
    /// Into a file of its own.
    File(PathBuf),
    /// Into a file behind what is there, and what others write there.
    EndOfFile(PathBuf),
    /// What it writes to standard output into a pipe, and what it writes to standard error to the terminal.
    Pipe(PipeWriter),
}

impl Output {
    fn open(self) -> io::Result<(Stdio, Stdio)> {
        match self {
            Self::Shown => Ok((Stdio::inherit(), Stdio::inherit())),
            Self::File(path) => {
                File::create(&path)?;
                Self::EndOfFile(path).open()
            }
            Self::EndOfFile(path) => {
                let file = File::options().append(true).open(path)?;
                Ok((file.try_clone()?.into(), file.into()))
            }
            Self::Pipe(writer) => Ok((writer.into(), Stdio::inherit())),
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

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// Starts a script, and waits for the process id that it writes first.
    fn start(name: &str, script: &str) -> (Process, u32) {
        let log = tools::log(&format!("{name}.log")).unwrap();
        let process = Process::start("sh".as_ref(), &["-c", script], &[], Output::File(log.clone())).unwrap();
        let said = wait_for(SOON, || fs::read_to_string(&log).ok()?.strip_suffix('\n')?.parse().ok());
        (process, said.unwrap())
    }

    fn runs(id: u32) -> bool {
        Command::new("kill").args(["-0", &id.to_string()]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let (mut process, child) = start("program-with-a-child", "sleep 1000 & echo $!; wait");
        assert_eq!(process.ended(), None);
        assert!(runs(child));
        drop(process);
        assert_eq!(wait_for(SOON, || (!runs(child)).then_some(())), Some(()));
    }

    #[test]
    fn a_program_that_does_not_want_to_end_is_made_to() {
        let (process, program) = start("program-that-stays", "trap '' TERM; echo $$; while :; do sleep 1; done");
        drop(process);
        assert!(!runs(program));
    }

    #[test]
    fn a_program_that_ends_by_itself_says_how() {
        let (mut process, _) = start("program-that-fails", "echo $$; exit 7");
        let status = wait_for(SOON, || process.ended()).unwrap();
        assert_eq!(status.code(), Some(7));
    }
}
