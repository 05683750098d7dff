//! The programs of the functions, each built alone and beside the rest of the workspace: what is built beside a program must change
//! nothing that it does.

use std::{
    env, fs,
    process::{Command, Stdio},
};

use globus_stand_in::CLIENT_ID;
use kit::{
    Result,
    programs::{self, PAGES, Way, functions},
    runtime::Runtime,
    tools,
};
use serde_json::{Value, json};
use shared::testing::Event;

/// The settings of a function that has all it needs.
const COMPLETE: [(&str, &str); 3] = [
    ("GLOBUS_CLIENT_ID", CLIENT_ID),
    ("GLOBUS_CLIENT_SECRET", "secret"),
    ("SESSION_KEYS", "a-session-key-that-programs-are-compared-with"),
];

/// Those of one that has a table besides, which is out of its reach.
const WITH_TABLE: [(&str, &str); 7] = [
    COMPLETE[0],
    COMPLETE[1],
    COMPLETE[2],
    ("TOKEN_TABLE", "sessions"),
    ("AWS_ACCESS_KEY_ID", "id"),
    ("AWS_SECRET_ACCESS_KEY", "key"),
    ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
];

/// The sample events that are not those of an HTTP API.
const NO_REQUESTS: [&str; 5] =
    ["home-load-balancer", "home-rest-api", "home-scheduled", "home-warm-up", "token-signed-out"];

/// A string of `shared::testing` that is nowhere else.
const OF_THE_TESTS: &str = "grace.hopper@gateway.example";

/// What a program responds to each of the sample events, where random values are left out.
fn responses(way: Way, program: &str, settings: &[(&str, &str)]) -> Result<Vec<(String, Value)>> {
    responses_with(&[], way, program, settings)
}

/// The same, with these headers in each event that is one of an HTTP API.
fn responses_with(
    headers: &[(&str, &str)],
    way: Way,
    program: &str,
    settings: &[(&str, &str)],
) -> Result<Vec<(String, Value)>> {
    let runtime = Runtime::start()?;
    let mut running = Command::new(programs::kept(way, program)?);
    running.env_clear().envs(runtime.variables()?).envs(settings.iter().copied());
    let mut running = running.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|error| error.to_string())?;
    let mut waiting = runtime.first(&mut running)?;
    let mut responses = Vec::new();
    for event in Event::samples_for("") {
        let is_request = !NO_REQUESTS.contains(&event.as_str());
        let headers = headers.iter().filter(|_| is_request);
        let sent = headers.fold(Event::sample(&event), |event, (name, value)| event.header(name, value));
        // What a function reports as an error is compared, too.
        let response = waiting.response_to(&sent.json()).unwrap_or_else(|error| json!(error).to_string());
        let response = serde_json::from_str(&without_random_values(&response));
        responses.push((event, response.map_err(|error| error.to_string())?));
    }
    running.kill().and_then(|()| running.wait()).map_err(|error| error.to_string())?;
    Ok(responses)
}

/// A text in which three dots stand for each word of base64 that is as long as a state or a nonce, or as a sealed cookie:
/// only that has the slashes that paths have too.
fn without_random_values(text: &str) -> String {
    let is_base64 = |character: char| character.is_ascii_alphanumeric() || "-_+/".contains(character);
    let is_random = |word: &str| word.len() >= if word.contains('/') { 50 } else { 20 };
    let mut words = Vec::new();
    for piece in text.split_inclusive(|character| !is_base64(character)) {
        let word = piece.trim_end_matches(|character| !is_base64(character));
        let separator = piece.strip_prefix(word).unwrap_or_default();
        words.extend([if is_random(word) { "..." } else { word }, separator]);
    }
    words.concat()
}

/// Asserts that the responses are the same to each event.
fn assert_alike(program: &str, some: &[(String, Value)], others: &[(String, Value)]) {
    assert_eq!(some.len(), others.len(), "{program}");
    for (one, other) in some.iter().zip(others) {
        assert_eq!(one.1, other.1, "{program}: {} and {}", one.0, other.0);
    }
}

fn statuses(responses: &[(String, Value)]) -> Vec<(&str, Option<u64>)> {
    responses.iter().map(|(event, response)| (event.as_str(), response["statusCode"].as_u64())).collect()
}

#[test]
fn what_is_built_beside_a_program_changes_no_response() -> Result<()> {
    for (_, program) in programs::all() {
        for settings in [&COMPLETE[..], &WITH_TABLE] {
            let alone = responses(Way::Alone, &program, settings)?;
            assert!(alone.len() > 10, "{alone:?}");
            assert_alike(&program, &alone, &responses(Way::Together, &program, settings)?);
        }
    }
    Ok(())
}

#[test]
fn without_a_table_both_programs_of_a_function_respond_alike() -> Result<()> {
    for function in functions() {
        let [both, cookies] = [function, &format!("{function}-cookie")];
        let responses = |program| responses(Way::Alone, program, &COMPLETE);
        assert_alike(function, &responses(both)?, &responses(cookies)?);
    }
    Ok(())
}

#[test]
fn no_header_of_a_proxy_changes_a_response() -> Result<()> {
    const SPOOFED: [(&str, &str); 12] = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "81"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-user", "grace"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-original-url", "/evil"),
        ("x-rewrite-url", "/evil"),
        ("x-http-method-override", "DELETE"),
        ("x-host", "evil.example"),
        ("via", "1.1 evil.example"),
    ];
    for function in functions() {
        let program = format!("{function}-cookie");
        let plain = responses(Way::Alone, &program, &COMPLETE)?;
        assert_alike(&program, &plain, &responses_with(&SPOOFED, Way::Alone, &program, &COMPLETE)?);
    }
    Ok(())
}

/// The program is chosen when the app is built and the table when it is deployed: they may differ.
#[test]
fn a_program_for_cookies_that_has_a_table_says_so_on_each_page() -> Result<()> {
    for function in PAGES {
        let with_table = responses(Way::Alone, &format!("{function}-cookie"), &WITH_TABLE)?;
        for (event, status) in statuses(&with_table) {
            // What is no request is refused before anything else.
            let expected = if NO_REQUESTS.contains(&event) { 400 } else { 503 };
            assert_eq!(status, Some(expected), "{function}-cookie, {event}");
        }
    }
    for (function, sample, said) in
        [("authorizer", "authorizer-navigation", "errorType"), ("token", "token-signed-out", "error")]
    {
        let with_table = responses(Way::Alone, &format!("{function}-cookie"), &WITH_TABLE)?;
        let response = with_table.iter().find(|(event, _)| event == sample).map(|(_, response)| response.to_string());
        let response = response.unwrap().replace('\\', "");
        assert!(response.contains(&format!("\"{said}\":\"configuration\"")), "{function}-cookie: {response}");
    }
    let with_table = responses(Way::Alone, "home", &WITH_TABLE)?;
    assert!(statuses(&with_table).contains(&("home-signed-out", Some(200))), "{with_table:?}");
    Ok(())
}

#[test]
fn no_program_has_anything_of_the_tests_in_it() -> Result<()> {
    let source = fs::read_to_string(tools::root().join("shared/src/testing.rs")).unwrap();
    assert!(source.contains(OF_THE_TESTS), "shared::testing has another string now");
    // This program has the string, so grep must find it there.
    let this = env::current_exe().unwrap();
    let mut grep = Command::new("grep");
    grep.args(["--text", "--fixed-strings", "--files-with-matches", OF_THE_TESTS]).arg(&this);
    for (_, program) in programs::all() {
        grep.args([programs::kept(Way::Alone, &program)?, programs::kept(Way::Together, &program)?]);
    }
    let found = grep.output().unwrap();
    assert!(found.status.success(), "{found:?}");
    assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), this.to_string_lossy());
    Ok(())
}

#[test]
fn random_values_are_what_is_left_out() {
    let text = "globus.org/v2/oauth2/authorize?state=AAAAAAAAAAAAAAAAAAAAAA&code=short; login-state_x=";
    let sealed = "+/aA".repeat(20);
    let expected = "globus.org/v2/oauth2/authorize?state=...&code=short; login-state_x=...;";
    assert_eq!(without_random_values(&format!("{text}{sealed};")), expected);
}
