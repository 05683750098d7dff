//! What a cold start costs: what the binaries are made of, what they open, and how much they do before the first event.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use kit::{
    process::wait_for,
    tools::{self, println_step},
};

/// How long a function may take to ask for its first event under a tool that slows it down.
const STARTS_WITHIN: Duration = Duration::from_mins(1);

/// The release builds of the functions, and of one that only says hello.
fn release() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let packages = ["home", "login", "logout", "bare"].map(|name| ["--package", name]);
        let built = tools::cargo(&["build", "--release", "--locked"]).args(packages.concat()).status();
        assert!(built.unwrap().success(), "the release build fails");
        let test = std::env::current_exe().unwrap();
        test.ancestors().nth(3).unwrap().join("release")
    })
}

/// Every crate in a function, as `name vX.Y.Z`.
fn crates(function: &str) -> Vec<String> {
    let arguments = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", function];
    let tree = tools::cargo(&arguments).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).unwrap();
    lines.lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect()
}

/// A function that runs under a tool until it asks for its first event; what the tool has to say of it.
fn until_the_first_event(tool: &[&str], function: &str) -> String {
    let runtime = TcpListener::bind("127.0.0.1:0").unwrap();
    runtime.set_nonblocking(true).unwrap();
    let mut running = Command::new(tool[0])
        .args(&tool[1..])
        .arg(release().join(function))
        .env("AWS_LAMBDA_RUNTIME_API", runtime.local_addr().unwrap().to_string())
        .envs([("AWS_LAMBDA_FUNCTION_NAME", function), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("AWS_REGION", "us-east-1")])
        .envs([("GLOBUS_CLIENT_ID", "id"), ("GLOBUS_CLIENT_SECRET", "secret")])
        .env("SESSION_KEYS", "a-session-key-of-at-least-32-characters")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", tool[0]));
    let connection = wait_for(STARTS_WITHIN, || runtime.accept().ok().or_else(|| panic_if_ended(&mut running)));
    let (connection, _) = connection.unwrap_or_else(|| panic!("{function} asks for no event"));
    connection.set_nonblocking(false).unwrap();
    asks_for_an_event(&connection);
    stop(running)
}

fn asks_for_an_event(mut connection: &TcpStream) {
    let mut request = [0; 1024];
    let length = connection.read(&mut request).unwrap();
    let request = String::from_utf8_lossy(&request[..length]);
    assert!(request.starts_with("GET /2018-06-01/runtime/invocation/next "), "{request}");
}

fn panic_if_ended<T>(running: &mut Child) -> Option<T> {
    let ended = running.try_wait().unwrap();
    assert!(ended.is_none(), "the function has ended: {ended:?}");
    None
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

#[test]
fn home_links_no_tls_and_no_http_client() {
    let home = crates("home");
    assert!(home.iter().any(|line| line.starts_with("lambda_http ")), "{home:?}");
    for unwanted in ["rustls", "ring", "reqwest", "oauth2", "webpki-roots", "native-tls", "openssl", "aws-lc-rs"] {
        let found = home.iter().find(|line| line.starts_with(&format!("{unwanted} ")));
        assert_eq!(found, None);
    }
}

#[test]
fn there_is_one_http_stack_and_one_tls_stack() {
    for function in ["login", "logout"] {
        let all = crates(function);
        for one in ["http", "hyper", "reqwest", "ring", "rustls", "tokio"] {
            let mut versions: Vec<_> = all.iter().filter(|line| line.starts_with(&format!("{one} "))).collect();
            versions.dedup();
            versions.sort();
            versions.dedup();
            assert_eq!(versions.len(), 1, "{versions:?}");
        }
        for other in ["native-tls", "openssl", "aws-lc-rs", "h2"] {
            let found = all.iter().find(|line| line.starts_with(&format!("{other} ")));
            assert_eq!(found, None);
        }
    }
}

#[test]
fn no_function_reads_a_file_when_it_starts() {
    for function in ["home", "login", "logout"] {
        assert_eq!(files(function), Vec::<String>::new(), "{function}");
    }
}

/// Scanning the system's certificates alone would be twenty times a bare function's whole start.
#[test]
fn each_function_starts_with_at_most_three_times_the_instructions_of_a_bare_one() {
    let bare = instructions("bare");
    for function in ["home", "login", "logout"] {
        let count = instructions(function);
        println_step(&format!("{function} starts with {count} instructions, a bare function with {bare}"));
        assert!(count <= 3 * bare, "{function}: {count}, bare: {bare}");
    }
}
