//! What a cold start costs: what the binaries are made of, what they open, and how much they do before the first event.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use globus_stand_in::CLIENT_ID;
use kit::{
    Result,
    local::Storage,
    packages::Package,
    processor::Processor,
    programs::{self, PAGES, Way, functions},
    runtime::{Runtime, Waiting},
    tools::{self, println_step},
};
use serde_json::Value;
use shared::{
    App,
    testing::{Event, configure, now, session},
};

/// The settings of a function that has all it needs.
const COMPLETE: [(&str, &str); 3] = [
    ("GLOBUS_CLIENT_ID", CLIENT_ID),
    ("GLOBUS_CLIENT_SECRET", "secret"),
    ("SESSION_KEYS", "a-session-key-of-at-least-32-characters"),
];

/// The settings of one that has a table besides.
const TABLE: [(&str, &str); 3] =
    [("TOKEN_TABLE", "sessions"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];

/// Every crate in a function, as `name vX.Y.Z`.
fn crates(function: &str) -> Vec<String> {
    let arguments = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", function];
    let tree = tools::cargo(&arguments).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).unwrap();
    lines.lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect()
}

/// A program as it is deployed, and the settings under which it starts as it should.
struct Program {
    name: String,
    file: PathBuf,
    settings: Vec<(&'static str, &'static str)>,
}

/// The functions as they are packaged for this machine, with sessions kept there.
fn packaged(storage: Storage) -> Vec<Program> {
    let (end, table): (_, &[_]) = if storage == Storage::Table { ("", &TABLE) } else { ("-cookie", &[]) };
    let program = |function: &&str| Program {
        name: format!("{function}{end}"),
        file: Package::here(storage).program(function).unwrap(),
        settings: [&COMPLETE, table].concat(),
    };
    functions().iter().map(program).collect()
}

/// A function that says hello and does nothing else, built beside those for the same storage.
fn bare(storage: Storage) -> Program {
    let file = Package::here(storage).bare().unwrap();
    Program { name: "bare".to_owned(), file, settings: COMPLETE.into() }
}

/// A function that has asked for its first event.
fn start(program: &str, arguments: &[&Path], settings: &[(&str, &str)]) -> (Child, Waiting) {
    start_with_log(program, arguments, settings, Path::new("/dev/null"))
}

fn start_with_log(program: &str, arguments: &[&Path], settings: &[(&str, &str)], log: &Path) -> (Child, Waiting) {
    let runtime = Runtime::start().unwrap();
    let mut running = Command::new(program)
        .args(arguments)
        // Each variable costs instructions, of which a bare function has the fewest: the ratio would depend on the shell.
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(runtime.variables().unwrap())
        .envs(settings.iter().copied())
        .stdout(fs::File::create(log).unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let waiting = runtime.first(&mut running).unwrap();
    (running, waiting)
}

/// What a tool has to say of a function that runs under it until it asks for its first event.
fn until_the_first_event(tool: &[&str], program: &Program) -> String {
    let (running, _waiting) = start_under(tool, program);
    stop(running)
}

fn start_under(tool: &[&str], program: &Program) -> (Child, Waiting) {
    let arguments: Vec<_> = tool[1..].iter().map(Path::new).chain([program.file.as_path()]).collect();
    start(tool[0], &arguments, &program.settings)
}

fn stop(running: Child) -> String {
    let stopped = Command::new("kill").arg(running.id().to_string()).status().unwrap();
    assert!(stopped.success());
    String::from_utf8_lossy(&running.wait_with_output().unwrap().stderr).into_owned()
}

/// Counts instructions.
const CALLGRIND: [&str; 3] = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];

/// How many instructions run from the start of the program to its first event.
fn instructions(program: &Program) -> u64 {
    collected(&until_the_first_event(&CALLGRIND, program))
}

fn collected(said: &str) -> u64 {
    let (_, count) = said.rsplit_once("Collected : ").unwrap_or_else(|| panic!("no count in {said}"));
    count.lines().next().unwrap().trim().parse().unwrap()
}

/// How many instructions a function runs for each further event like this one, once it is warm.
fn instructions_for(program: &Program, event: &str) -> u64 {
    const MORE: u64 = 10;
    let [few, many] = [2, 2 + MORE].map(|events| {
        let (running, mut waiting) = start_under(&CALLGRIND, program);
        for _ in 0..events {
            waiting.response_to(event).unwrap();
        }
        collected(&stop(running))
    });
    (many - few) / MORE
}

/// The files a function opens on its own account, beyond what every program needs to be loaded.
fn files(program: &Program) -> Vec<String> {
    let trace = until_the_first_event(&["strace", "-f", "-e", "trace=open,openat"], program);
    let opened = trace.lines().filter(|line| line.contains("open")).filter_map(|line| line.split('"').nth(1));
    let loading = |path: &&str| path.contains(".so") || *path == "/proc/self/maps";
    opened.filter(|path| !loading(path)).map(ToOwned::to_owned).collect()
}

/// Whether a program has this text anywhere in it. Names are stripped, but messages and paths stay.
fn mentions(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).unwrap();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn size(program: &Program) -> u64 {
    fs::metadata(&program.file).unwrap().len()
}

#[test]
fn no_function_for_cookies_has_the_aws_sdk_and_what_reads_sessions_has_no_tls() -> Result<()> {
    let with_table = programs::kept(Way::Together, "home")?;
    let all = packaged(Storage::Cookies);
    let [home, login, .., authorizer, token] = all.as_slice() else { panic!("not four") };
    for text in ["DynamoDB_20120810", "aws-sdk"] {
        assert!(mentions(&with_table, text), "{text} would not be noticed");
        for program in &all {
            assert!(!mentions(&program.file, text), "{text} is in {}", program.name);
        }
    }
    assert!(mentions(&login.file, "rustls"), "rustls would not be noticed");
    for program in [home, authorizer, token] {
        assert!(!mentions(&program.file, "rustls"), "{}", program.name);
    }
    Ok(())
}

/// The limits are for x86-64: a little above what was measured there.
#[test]
fn no_function_for_cookies_is_larger_than_it_need_be() {
    for program in packaged(Storage::Cookies) {
        let most = match program.name.as_str() {
            "home-cookie" => 2_600_000,
            "login-cookie" => 4_850_000,
            "authorizer-cookie" | "token-cookie" => 1_600_000,
            _ => 4_600_000,
        };
        let (name, size, bare) = (&program.name, size(&program), size(&bare(Storage::Cookies)));
        println_step(&format!("{name} has {size} bytes, a bare function {bare}"));
        assert!(Processor::HERE != Processor::X86 || size <= most, "{name}: {size}");
    }
}

#[test]
fn there_is_one_http_stack_and_one_tls_stack() {
    for function in functions() {
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
    read_no_file(Storage::Cookies);
}

fn read_no_file(storage: Storage) {
    for program in packaged(storage) {
        assert_eq!(files(&program), Vec::<String>::new(), "{}", program.name);
    }
}

/// Scanning the system's certificates alone would be twenty times a bare function's whole start.
#[test]
fn each_function_starts_with_few_instructions_beyond_a_bare_one() {
    start_with_at_most(330, Storage::Cookies);
}

fn has_pages(program: &Program) -> bool {
    PAGES.iter().any(|function| program.name.starts_with(*function))
}

/// An authorizer is called before each request to a route that it protects.
#[tokio::test]
async fn a_call_of_the_guard_costs_less_than_a_page() {
    let app = configure(&[&COMPLETE[..], &[("BASE_URL", "")]].concat(), App::read).unwrap();
    let session = app.storage.create(&Event::get("/").request(), &session(now()), now()).await.unwrap();
    let event = Event::get("/").cookie(&session.cookie.stripped().to_string()).json();
    let page = Event::get("/").json();

    let all = packaged(Storage::Cookies);
    let [home, .., authorizer, _] = all.as_slice() else { panic!("not three") };
    let bare = instructions_for(&bare(Storage::Cookies), &page);
    let [page, verdict] = [home, authorizer].map(|program| instructions_for(program, &event));

    println_step(&format!("a page runs {page} instructions, a verdict {verdict}, a bare function {bare}"));
    assert!(100 * verdict <= 65 * page, "{verdict} {page}");
}

fn start_with_at_most(percent: u64, storage: Storage) {
    let bare = instructions(&bare(storage));
    for program in packaged(storage) {
        let (name, count) = (&program.name, instructions(&program));
        println_step(&format!("{name} starts with {count} instructions, a bare function with {bare}"));
        // What shows no page compiles no template.
        let percent = if has_pages(&program) || storage == Storage::Table { percent } else { 130 };
        assert!(100 * count <= percent * bare, "{name}: {count}, bare: {bare}");
    }
}

/// The programs for sessions in a table, which `cargo dev test` does not build.
mod more_packages {
    use super::*;

    #[test]
    fn with_a_table_no_function_reads_a_file_when_it_starts() {
        read_no_file(Storage::Table);
    }

    #[test]
    fn with_a_table_each_function_starts_with_few_instructions_too() {
        // Four times were measured: login and logout make two clients, one for Globus and one for DynamoDB.
        start_with_at_most(500, Storage::Table);
    }

    #[test]
    fn with_a_table_each_function_has_the_aws_sdk() {
        for program in packaged(Storage::Table) {
            println_step(&format!("{} has {} bytes", program.name, size(&program)));
            for text in ["DynamoDB_20120810", "aws-sdk", "rustls"] {
                assert!(mentions(&program.file, text), "{text} is not in {}", program.name);
            }
        }
    }
}

#[test]
fn the_log_of_a_deployment_is_one_json_line_for_each_event() {
    let event = fs::read_to_string(tools::root().join("events/home-not-found.json")).unwrap();
    let settings = [&COMPLETE[..], &[("AWS_LAMBDA_LOG_FORMAT", "JSON")]].concat();
    let log = tools::log("json.log").unwrap();
    let home = Package::here(Storage::Cookies).program("home").unwrap();
    let (running, mut waiting) = start_with_log(home.to_str().unwrap(), &[], &settings, &log);
    waiting.response_to(&event).unwrap();
    stop(running);

    let log = fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [line] = lines.as_slice() else { panic!("{log}") };
    for (field, value) in [("level", "INFO"), ("event", "request"), ("outcome", "refused"), ("reason", "not_found")] {
        assert_eq!(line[field], value, "{line}");
    }
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    assert_eq!(line["span"]["request_id"], "8476a536-e9f4-11e8-9739-2dfe598c3fcd", "{line}");
}
