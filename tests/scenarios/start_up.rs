//! What a cold start costs: what the binaries are made of, what they open, and how much they do before the first event.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use kit::{
    release,
    runtime::{Runtime, Waiting},
    tools::{self, println_step},
};
use serde_json::Value;

const FUNCTIONS: [&str; 6] = ["home", "home-cookie", "login", "login-cookie", "logout", "logout-cookie"];

/// The settings of a function that has all it needs.
const COMPLETE: [(&str, &str); 3] = [
    ("GLOBUS_CLIENT_ID", "id"),
    ("GLOBUS_CLIENT_SECRET", "secret"),
    ("SESSION_KEYS", "a-session-key-of-at-least-32-characters"),
];

/// The settings of one that has a table besides.
const TABLE: [(&str, &str); 3] =
    [("TOKEN_TABLE", "sessions"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];

/// The release build of a function.
fn release(function: &str) -> PathBuf {
    release::build().unwrap().join(function)
}

/// Every crate in a function, as `name vX.Y.Z`.
fn crates(function: &str) -> Vec<String> {
    let arguments = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", function];
    let tree = tools::cargo(&arguments).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).unwrap();
    lines.lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect()
}

/// The settings under which a function starts as it should.
fn settings(function: &str) -> Vec<(&'static str, &'static str)> {
    let table = if function.ends_with("-cookie") { &[] } else { TABLE.as_slice() };
    COMPLETE.iter().chain(table).copied().collect()
}

/// A function that has asked for its first event.
fn start(program: &str, arguments: &[&Path], settings: &[(&str, &str)]) -> (Child, Waiting) {
    start_with_log(program, arguments, settings, Path::new("/dev/null"))
}

fn start_with_log(program: &str, arguments: &[&Path], settings: &[(&str, &str)], log: &Path) -> (Child, Waiting) {
    let runtime = Runtime::start().unwrap();
    let mut running = Command::new(program)
        .args(arguments)
        .envs(runtime.variables().unwrap())
        .envs(settings.iter().copied())
        .stdout(fs::File::create(log).unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let waiting = runtime.first(&mut running).unwrap();
    (running, waiting)
}

/// A function runs under a tool until it asks for its first event; what the tool has to say of it.
fn until_the_first_event(tool: &[&str], function: &str) -> String {
    let binary = release(function);
    let arguments: Vec<_> = tool[1..].iter().map(Path::new).chain([binary.as_path()]).collect();
    let (running, _waiting) = start(tool[0], &arguments, &settings(function));
    stop(running)
}

/// What a function with these settings answers to an event.
fn answer(function: &str, settings: &[(&str, &str)], event: &str) -> Value {
    let (running, mut waiting) = start(release(function).to_str().unwrap(), &[], settings);
    let answer = waiting.answer_to(event).unwrap();
    stop(running);
    serde_json::from_str(&answer).unwrap()
}

fn stop(running: Child) -> String {
    let stopped = Command::new("kill").arg(running.id().to_string()).status().unwrap();
    assert!(stopped.success());
    String::from_utf8_lossy(&running.wait_with_output().unwrap().stderr).into_owned()
}

/// How many instructions run from the start of the program to its first event.
fn instructions(function: &str) -> u64 {
    let said = until_the_first_event(&["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"], function);
    let (_, count) = said.rsplit_once("Collected : ").unwrap_or_else(|| panic!("no count in {said}"));
    count.lines().next().unwrap().trim().parse().unwrap()
}

/// The files a function opens on its own account, beyond what every program needs to be loaded.
fn files(function: &str) -> Vec<String> {
    let trace = until_the_first_event(&["strace", "-f", "-e", "trace=open,openat"], function);
    let opened = trace.lines().filter(|line| line.contains("open")).filter_map(|line| line.split('"').nth(1));
    let loading = |path: &&str| path.contains(".so") || *path == "/proc/self/maps";
    opened.filter(|path| !loading(path)).map(ToOwned::to_owned).collect()
}

/// Whether the binary has this text anywhere in it. Names are stripped, but messages and paths stay.
fn mentions(function: &str, text: &str) -> bool {
    let bytes = fs::read(release(function)).unwrap();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn what_home_does_not_link_is_not_in_its_binary() {
    for text in ["rustls", "DynamoDB_20120810", "aws-sdk"] {
        assert!(mentions("home", text), "{text} would not be noticed");
        assert!(!mentions("home-cookie", text), "{text} is in home-cookie");
    }
    for function in ["login-cookie", "logout-cookie"] {
        assert!(!mentions(function, "DynamoDB_20120810"), "{function}");
    }
    let size = |function| fs::metadata(release(function)).unwrap().len();
    for function in FUNCTIONS {
        println_step(&format!("{function} has {} bytes, a bare function {}", size(function), size("bare")));
    }
    for (function, most) in [("home-cookie", 2_600_000), ("login-cookie", 4_750_000), ("logout-cookie", 4_600_000)] {
        assert!(size(function) <= most, "{function}: {}", size(function));
    }
    assert!(size("home") < 5 * size("bare"));
}

#[test]
fn there_is_one_http_stack_and_one_tls_stack() {
    for function in ["home", "login", "logout"] {
        let all = crates(function);
        for one in ["http", "hyper", "reqwest", "ring", "rustls", "tokio"] {
            let mut versions: Vec<_> = all.iter().filter(|line| line.starts_with(&format!("{one} "))).collect();
            versions.sort();
            versions.dedup();
            assert_eq!(versions.len(), 1, "{versions:?}");
        }
        for other in ["native-tls", "openssl", "aws-lc-rs", "h2", "aws-config"] {
            let found = all.iter().find(|line| line.starts_with(&format!("{other} ")));
            assert_eq!(found, None);
        }
    }
}

#[test]
fn no_function_reads_a_file_when_it_starts() {
    for function in FUNCTIONS {
        assert_eq!(files(function), Vec::<String>::new(), "{function}");
    }
}

/// Scanning the system's certificates alone would be twenty times a bare function's whole start.
#[test]
fn each_function_starts_with_a_small_multiple_of_the_instructions_of_a_bare_one() {
    let bare = instructions("bare");
    for (function, most) in [("home-cookie", 3), ("login-cookie", 3), ("logout-cookie", 3), ("home", 4)] {
        let count = instructions(function);
        println_step(&format!("{function} starts with {count} instructions, a bare function with {bare}"));
        assert!(count <= most * bare, "{function}: {count}, bare: {bare}");
    }
}

#[test]
fn the_log_of_a_deployment_is_one_json_line_for_each_event() {
    let event = fs::read_to_string(tools::root().join("events/home-unreadable-cookie.json")).unwrap();
    let settings = [&COMPLETE[..], &[("AWS_LAMBDA_LOG_FORMAT", "JSON")]].concat();
    let log = tools::artifact("json.log").unwrap();
    let (running, mut waiting) = start_with_log(release("home-cookie").to_str().unwrap(), &[], &settings, &log);
    waiting.answer_to(&event).unwrap();
    stop(running);

    let log = fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [line] = lines.as_slice() else { panic!("{log}") };
    for (field, value) in
        [("level", "INFO"), ("event", "request"), ("outcome", "refused"), ("reason", "cookie_unreadable")]
    {
        assert_eq!(line[field], value, "{line}");
    }
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    assert_eq!(line["span"]["request_id"], "8476a536-e9f4-11e8-9739-2dfe598c3fcd", "{line}");
}

/// The binary is chosen when the app is built and the table when it is deployed: they may differ.
#[test]
fn a_binary_that_does_not_fit_the_storage_says_so_and_shows_nobody_anything_else() {
    let event = fs::read_to_string(tools::root().join("events/home-signed-out.json")).unwrap();
    for (function, with_table) in [("home", 200), ("home-cookie", 503)] {
        let status = |table: &[(&str, &str)]| {
            let answer = answer(function, &[&COMPLETE, table].concat(), &event);
            assert!(answer["body"].as_str().unwrap().trim_end().ends_with("</html>"), "{answer}");
            answer["statusCode"].as_u64()
        };
        assert_eq!(status(&[]), Some(200), "{function}");
        assert_eq!(status(&TABLE), Some(with_table), "{function}");
    }
}
