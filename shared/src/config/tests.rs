use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, process::Command, time::Duration};

use super::*;
use crate::{App, testing::configure};

const KEY: &str = "0123456789abcdef0123456789abcdef";

const CLIENT_ID: &str = "4e3b6a0e-0000-4000-8000-00000000000F";

fn read_with(changes: &[(&str, &str)]) -> Result<(Config, GlobusConfig), ConfigError> {
    let lookup = |name: &str| {
        let complete = [("GLOBUS_CLIENT_ID", CLIENT_ID), ("GLOBUS_CLIENT_SECRET", "s3cret"), ("SESSION_KEYS", KEY)];
        let found = changes.iter().chain(&complete).find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    read(&lookup)
}

fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<(Config, GlobusConfig), ConfigError> {
    let env = Environment::new(lookup);
    let (config, globus) = (Config::read(&env), GlobusConfig::read(&env));
    let both = config.and_then(|config| Ok((config, globus?)));
    env.finish(both)
}

#[track_caller]
fn assert_problem(variable: &str, value: &str) {
    let message = read_with(&[(variable, value)]).unwrap_err().to_string();
    assert!(message.starts_with(variable), "{message}");
    assert!(value.is_empty() || !message.contains(value), "the message shows the value: {message}");
}

#[test]
fn the_three_required_variables_are_enough() {
    let (config, globus) = read_with(&[]).unwrap();

    assert_eq!(config.globus_auth.as_str(), "https://auth.globus.org");
    assert_eq!(config.session_max, Duration::from_hours(168));
    assert!(!config.show_tokens);
    assert_eq!(globus.scopes.len(), 4);
    assert_eq!(globus.groups.as_str(), "https://groups.api.globus.org");
    let transfer = configure(&[], TransferConfig::read).unwrap();
    assert_eq!(transfer.address.as_str(), "https://transfer.api.globus.org");
}

#[test]
fn all_problems_are_reported_together() {
    let nothing = read(&|_| None);

    assert_eq!(
        nothing.unwrap_err().to_string(),
        "GLOBUS_CLIENT_ID is missing; SESSION_KEYS is missing; GLOBUS_CLIENT_SECRET is missing"
    );
}

#[test]
fn a_malformed_variable_is_named_without_its_value() {
    assert_problem("GLOBUS_CLIENT_ID", "");
    for id in [
        &CLIENT_ID[1..],
        &CLIENT_ID.replace('-', ""),
        &CLIENT_ID.replace('F', "g"),
        "4e3b6a0e-0000-4000-8000-two words id",
    ] {
        assert_problem("GLOBUS_CLIENT_ID", id);
    }
    assert_problem("GLOBUS_CLIENT_SECRET", "");
    assert_problem("GLOBUS_AUTH_URL", "http://auth.example.org");
    assert_problem("GLOBUS_AUTH_URL", "https://auth.example.org/v2");
    assert_problem("GLOBUS_SCOPES", "email profile");
    assert_problem("SESSION_KEYS", "too-short-to-be-a-key");
    assert_problem("SESSION_KEYS", &format!("{KEY},tiny-canary"));
    assert_problem("SESSION_MAX_HOURS", "00");
    assert_problem("SESSION_MAX_HOURS", "9000");
    assert_problem("SHOW_TOKENS", "maybe");
}

/// As a setting has them that was copied from a page or a file.
#[test]
fn blanks_and_line_ends_around_a_setting_are_no_part_of_it() {
    let (config, globus) = read_with(&[("GLOBUS_CLIENT_SECRET", " s3cret\n"), ("SHOW_TOKENS", "true\r\n")]).unwrap();
    assert_eq!((globus.client_secret.expose(), config.show_tokens), ("s3cret", true));
    assert_problem("GLOBUS_CLIENT_SECRET", " \n");
}

/// The address as it is used later, or nothing if it is refused.
fn address(text: &str) -> Option<String> {
    Address::parse(text).map(|address| address.url("/"))
}

#[test]
fn an_address_is_normalised_or_refused() {
    for (text, expected) in [
        ("https://Example.ORG", "https://example.org/"),
        ("https://example.org:443", "https://example.org/"),
        ("https://example.org:8443/", "https://example.org:8443/"),
        ("https://example.org/gateway/", "https://example.org/gateway/"),
        ("https://10.0.0.1/a/b//", "https://10.0.0.1/a/b/"),
        ("HTTPS://example.org:0443", "https://example.org/"),
        ("http://localhost:80", "http://localhost/"),
        ("http://[::1]:9000", "http://[::1]:9000/"),
    ] {
        assert_eq!(address(text).as_deref(), Some(expected), "{text}");
    }
    for text in [
        "example.org",
        "ftp://example.org",
        "https:example.org",
        "https:\\\\example.org",
        "https://",
        "https://300.1.1.1",
        "https://0x7f.1",
        "https://2130706433",
        "https://example.org:+443",
        "https://example.org:",
        "https://-.",
        "https://.example.org",
        "https://1.2.3.4.5",
        "https://example.0x7g.1",
        "https://example.org:99999",
        "https://example.org:0",
        "https://example.org:x",
        "https://example.org.",
        "https://exa mple.org",
        "https://exam\tple.org",
        "https://exam%00ple.org",
        "https://[::1",
        "https://example.org//app",
        "https://example.org/a b",
        "https://example.org/../app",
        "https://example.org/%2e",
        "https://a@example.org",
        "https://e.org?x",
        "https://e.org#x",
    ] {
        assert_eq!(address(text), None, "{text}");
        assert_problem("GLOBUS_AUTH_URL", text);
        assert_problem("BASE_URL", text);
    }
}

/// Every text of up to four of these parts after `https://`: 11,110 addresses, most of them malformed. An invalid
/// internationalized name (`xn--`) is left to the function that calls Globus.
#[test]
fn the_url_library_reads_every_accepted_address_alike() {
    const PARTS: [&str; 10] = ["example.org", "1.2.3.4", "0x7f", "EXAMPLE", ".", ":443", ":99999", "/", "a", "@"];
    let mut texts = vec!["https://".to_owned()];
    let mut passed = 0;
    for _ in 0..4 {
        texts = texts.iter().flat_map(|text| PARTS.map(|part| format!("{text}{part}"))).collect();
        for text in &texts {
            if let Some(address) = Address::parse(text) {
                passed += 1;
                let login = address.url("/login");
                assert_eq!(url::Url::parse(&login).map(String::from), Ok(login), "{text}");
            }
        }
    }
    assert!(passed > 500, "{passed}");
}

#[test]
fn an_invalid_globus_address_does_not_count_as_a_new_deployment() {
    let problems = read_with(&[("GLOBUS_AUTH_URL", "https://300.1.1.1")]).unwrap_err();
    assert!(!problems.lacks_only_the_application());
    assert!(problems.to_string().starts_with("GLOBUS_AUTH_URL must be an https address"), "{problems}");
}

#[test]
fn plain_http_is_accepted_for_localhost_only() {
    assert!(Address::parse("http://localhost:9000").is_some_and(|address| !address.origin().is_https()));
    assert!(Address::parse("http://127.0.0.1:9010/").is_some());
    assert_eq!(Address::parse("http://localhost.evil.example"), None);
}

const IN_LAMBDA: (&str, &str) = ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");

#[test]
fn in_lambda_itself_a_plain_http_address_is_refused() {
    for (variable, problem) in [
        ("BASE_URL", "BASE_URL must be an https address (http for localhost only, and not in Lambda)"),
        ("GLOBUS_AUTH_URL", "GLOBUS_AUTH_URL must be an https address (http for localhost only, and not in Lambda)"),
    ] {
        for local in ["http://localhost:9000", "http://127.0.0.1:9000", "http://[::1]:9000"] {
            let refused = read_with(&[IN_LAMBDA, (variable, local)]).unwrap_err();
            assert_eq!(refused.to_string(), problem);
        }
        assert!(read_with(&[IN_LAMBDA, (variable, "https://example.org")]).is_ok(), "{variable}");
    }
}

#[test]
fn the_session_table_is_reached_by_plain_http_outside_lambda_only() {
    let table = [
        ("TOKEN_TABLE", "sessions"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:8000"),
    ];
    let local = configure(&table, TableConfig::read).unwrap();
    assert_eq!(local.endpoint.as_deref(), Some("http://localhost:8000"));

    let refused = configure(&[&table[..], &[IN_LAMBDA]].concat(), TableConfig::read).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "AWS_ENDPOINT_URL_DYNAMODB must be an https address (http for localhost only, and not in Lambda)"
    );
}

/// What `cargo lambda watch`, AWS's Runtime Interface Emulator and `sam local` set, as far as Lambda sets it too.
#[test]
fn where_lambda_is_emulated_a_plain_http_address_is_accepted() {
    let everywhere = [
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "4096"),
        ("AWS_LAMBDA_FUNCTION_NAME", "home"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
    ];
    let emulator = [("AWS_LAMBDA_LOG_STREAM_NAME", "$LATEST"), ("AWS_SESSION_TOKEN", "token"), ("_HANDLER", "home")];
    for more in [&[][..], &emulator, &[IN_LAMBDA, ("AWS_SAM_LOCAL", "true")]] {
        for variable in ["BASE_URL", "GLOBUS_AUTH_URL"] {
            let variables = [&everywhere, more, &[(variable, "http://localhost:9000")]].concat();
            assert!(read_with(&variables).is_ok(), "{variables:?}");
        }
    }
}

#[test]
fn a_site_can_have_a_base_path() {
    let address = Address::parse("https://Example.org/gateway/app/").unwrap();
    assert_eq!(address.base(), "/gateway/app");
    assert_eq!(address.url("/login"), "https://example.org/gateway/app/login");
    assert_eq!(address.origin().as_str(), "https://example.org");
    assert_eq!(Address::parse("https://example.org/").unwrap().url("/"), "https://example.org/");
}

#[test]
fn globus_has_no_base_path() {
    let globus_auth = |url: &str| read_with(&[("GLOBUS_AUTH_URL", url)]).map(|(config, _)| config.globus_auth);

    assert_eq!(globus_auth("https://Example.ORG/").unwrap().as_str(), "https://example.org");
    let refused = globus_auth("https://example.org/v2").unwrap_err();
    assert_eq!(refused.to_string(), "GLOBUS_AUTH_URL must have no path");
}

#[test]
fn a_deployment_without_an_application_counts_as_new() {
    let new = |changes: &[(&str, &str)]| read_with(changes).unwrap_err().lacks_only_the_application();
    assert!(new(&[("GLOBUS_CLIENT_ID", ""), ("GLOBUS_CLIENT_SECRET", "")]));
    assert!(new(&[("GLOBUS_CLIENT_ID", "")]));
    assert!(!new(&[("GLOBUS_CLIENT_ID", ""), ("SESSION_KEYS", "")]));
    assert!(!new(&[("GLOBUS_CLIENT_ID", "two words")]));
}

#[test]
fn a_ring_of_keys_is_read_in_order() {
    let (config, _) = read_with(&[("SESSION_KEYS", &format!("{KEY}, {}", KEY.to_uppercase()))]).unwrap();

    let ring: Vec<_> = config.session_keys.iter().map(Secret::expose).collect();
    assert_eq!(ring, [KEY, &KEY.to_uppercase()]);
}

#[test]
fn a_secret_is_hidden_in_debug_output() {
    let (config, globus) = read_with(&[]).unwrap();

    let shown = format!("{config:?} {globus:?}");
    assert!(!shown.contains(KEY) && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn debug_output_of_the_environment_shows_no_value() {
    let lookup = |_: &str| Some("a-canary-of-at-least-32-characters".to_owned());
    let shown = format!("{:?}", Environment::new(&lookup));
    assert!(shown.contains("BASE_URL") && !shown.contains("canary"), "{shown}");
}

#[test]
fn a_site_name_is_short_and_visible_and_has_a_default() {
    const DEFAULT: &str = "Web app with authentication delegated to Globus Auth";
    let read = |value: &str| {
        let lookup = |name: &str| (name == "SITE_NAME").then(|| value.to_owned());
        let env = Environment::new(&lookup);
        let name = SiteName::read(&env);
        (name.as_str().to_owned(), env.finish(Ok(())).map_err(|problems| problems.to_string()))
    };

    for (value, name) in [
        ("", DEFAULT),
        (" Beamline 7 ", "Beamline 7"),
        ("Küste & <Meer>", "Küste & <Meer>"),
        ("研究所　⚛️", "研究所　⚛️"),
        ("Beamline\r\n7", "Beamline 7"),
    ] {
        assert_eq!(read(value), (name.to_owned(), Ok(())));
    }
    assert_eq!(read(&"é".repeat(80)), ("é".repeat(80), Ok(())));
    let problem = "SITE_NAME must be visible text of at most 80 characters".to_owned();
    for value in ["é".repeat(81), "\u{200b}\u{202e}".to_owned()] {
        assert_eq!(read(&value), (DEFAULT.to_owned(), Err(problem.clone())), "{value:?}");
    }
}

#[test]
fn a_session_in_the_table_ends_after_a_day_without_a_page_view_unless_it_is_said() {
    let table = [
        ("TOKEN_TABLE", "sessions"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let idle = |more: &[(&str, &str)]| configure(&[&table[..], more].concat(), TableConfig::read).unwrap().idle;
    assert_eq!(idle(&[]), Duration::from_hours(24));
    assert_eq!(idle(&[("SESSION_IDLE_HOURS", "2")]), Duration::from_hours(2));
}

/// Sessions that were believed to be in a table could not be ended.
#[test]
fn a_program_for_cookies_only_refuses_a_table() {
    let refused = configure(&[("TOKEN_TABLE", "sessions")], App::read_slim).unwrap_err();
    assert_eq!(refused.to_string(), "TOKEN_TABLE is set, but this program keeps sessions in cookies only");
    assert!(configure(&[("TOKEN_TABLE", "")], App::read_slim).is_ok());
}

/// A rule that counted as absent would let everybody in. A variable that is not UTF-8 can only be set for another process.
#[test]
fn a_variable_that_is_not_utf8_does_not_count_as_absent() {
    const NAME: &str = "config::tests::a_variable_that_is_not_utf8_does_not_count_as_absent";
    if process_environment("IN_A_PROCESS_OF_ITS_OWN").is_some() {
        assert_eq!(process_environment("ALLOWED_DOMAINS").as_deref(), Some("anl.gov\u{fffd}"));
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", NAME]).env("IN_A_PROCESS_OF_ITS_OWN", "yes");
    let output = again.env("ALLOWED_DOMAINS", OsStr::from_bytes(b"anl.gov\xff")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
