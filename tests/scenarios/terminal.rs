//! What a user sees at the terminal: `cargo dev` itself, with wrong arguments, with programs that are missing, and with
//! functions whose requests it shows.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use globus_stand_in::CLIENT_ID;
use kit::{
    Result,
    examples::Examples,
    http,
    local::{SESSION_KEY, Watch, free_port},
    process,
    proxy::{Functions, Proxy},
    tools,
};

/// `cargo dev` with these arguments, without a terminal.
fn dev(arguments: &[&str]) -> Command {
    let mut dev = Command::new(env!("CARGO_BIN_EXE_dev"));
    dev.args(arguments).env_remove("CI").stdin(Stdio::null());
    dev
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_argument_that_asks_for_help_gets_help_and_starts_nothing() {
    for arguments in
        [&["help"][..], &["--help"], &["-h"], &["test", "--help"], &["test-packages", "-h"], &["doctor", "help"]]
    {
        let output = dev(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        assert!(output.stdout.starts_with(b"cargo dev  ") && output.stderr.is_empty(), "{}", text(&output));
    }
}

#[test]
fn an_argument_that_is_not_known_is_named_and_starts_nothing() {
    for (arguments, unknown) in [
        (&["tset"][..], "\"tset\""),
        (&["test", "-x"], "\"-x\""),
        (&["test", "sign_in", "late"], "\"late\""),
        (&["test-packages", "late"], "\"late\""),
        (&["doctor", "--port", "9100"], "\"--port\""),
        (&["--dynamodb", "--prot"], "\"--prot\""),
        (&["event", "--dynamo"], "\"--dynamo\""),
        (&["--port"], "--port needs a number from 1 to 65525"),
        (&["--port=0"], "--port needs a number from 1 to 65525"),
        (&["--port", "65526"], "--port needs a number from 1 to 65525"),
    ] {
        let output = dev(arguments).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(unknown), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn output_that_no_program_reads_any_more_is_no_panic() {
    for arguments in [&["help"][..], &["doctor"], &["unknown"]] {
        let closed = || io::pipe().unwrap().1;
        let output = dev(arguments).stdout(closed()).output().unwrap();
        assert!(!text(&output).contains("panicked"), "{}", text(&output));
        let status = dev(arguments).stdout(closed()).stderr(closed()).status().unwrap();
        assert_ne!(status.code(), Some(101), "a panic: {arguments:?}");
    }
}

/// A directory of programs that lacks Java, with an `apt-get` that only notes how it was called; and that note.
fn without_java(name: &str) -> (PathBuf, PathBuf) {
    let directory = tools::artifact(&format!("without-java/{name}/bin")).unwrap();
    let note = directory.with_file_name("called");
    drop(fs::remove_dir_all(&directory));
    drop(fs::remove_file(&note));
    fs::create_dir_all(&directory).unwrap();
    for program in ["/bin/sh", "/usr/bin/env", "/usr/bin/id"] {
        symlink(program, directory.join(Path::new(program).file_name().unwrap())).unwrap();
    }
    // An installation that fails, so that nothing is started after it.
    let apt = format!("echo \"$@\" >> '{}'\ntest \"$1\" = update\n", note.display());
    for (program, script) in [("apt-get", apt.as_str()), ("sudo", "test \"$1\" != -n || shift\nexec \"$@\"\n")] {
        let file = directory.join(program);
        fs::write(&file, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    (directory, note)
}

#[test]
fn without_a_users_yes_nothing_is_installed_and_the_command_is_shown() {
    let (programs, note) = without_java("asked");
    let port = free_port().unwrap().to_string();
    let output = dev(&["--dynamodb", "--port", &port]).env("PATH", programs).output().unwrap();
    let said = text(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("apt-get install -y -qq --no-install-recommends default-jre-headless\n"), "{said}");
    assert!(!note.exists(), "{said}");
}

#[test]
fn where_ci_is_set_programs_of_the_system_are_installed() {
    let (programs, note) = without_java("ci");
    let port = free_port().unwrap().to_string();
    let output = dev(&["--dynamodb", "--port", &port]).env("PATH", programs).env("CI", "true").output().unwrap();
    assert!(!output.status.success(), "{}", text(&output));
    let called = fs::read_to_string(note).unwrap();
    assert_eq!(called, "update -qq\ninstall -y -qq --no-install-recommends default-jre-headless\n");
}

#[test]
fn each_request_to_the_functions_is_one_line_with_the_reason_that_they_log() -> Result<()> {
    let (log, writer) = io::pipe().map_err(|error| error.to_string())?;
    let variables = [
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("BASE_URL", "http://localhost:9000"),
        ("GLOBUS_CLIENT_ID", CLIENT_ID),
        ("GLOBUS_CLIENT_SECRET", "secret"),
        ("SESSION_KEYS", SESSION_KEY),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let examples = Examples::new(&variables, writer.try_clone().map_err(|error| error.to_string())?);
    let watch = Watch::start(free_port()?, &variables, process::Output::Pipe(writer))?;
    let (port, shown) = (free_port()?, Arc::new(Mutex::new(Vec::new())));
    let lines = Arc::clone(&shown);
    let show = move |line: &str| lines.lock().unwrap().push(line.to_owned());
    let _proxy = Proxy::start(port, Functions::Running(watch.port()), examples, log, show)?;

    for (method, path) in [("GET", "/"), ("GET", "/no/such/page?secret"), ("POST", "/logout"), ("GET", "/login?code=a")]
    {
        http::send(port, method, path, &[("accept", "text/html")], "").map_err(|error| error.to_string())?;
    }

    let shown = shown.lock().unwrap().clone();
    let shown: Vec<_> =
        shown.iter().map(|line| line.split_once("Z  ").map_or(line.as_str(), |(_, line)| line)).collect();
    let expected = [
        "GET     /                       200",
        "GET     /no/such/page           404  not_found",
        "POST    /logout                 403  cross_site",
        "GET     /login                  400  no_login_cookie",
    ];
    assert_eq!(shown, expected);
    Ok(())
}
