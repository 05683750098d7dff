//! Any event to the authorizer, any order to the token function: only a genuine session is a user.

use kit::tools;
use serde_json::Value;
use shared::{
    App,
    testing::{BASE_URL, Log, REQUEST_ID, event_text, function, noon},
};

use crate::{
    harness::{Target, corpus, has},
    pages::{CANARY, runtime, sealed_session},
};

/// The user of the session.
const SUB: &str = "8c8b2a0e-0000-4000-8000-000000000001";

/// The authorizers that get each event.
const AUTHORIZERS: [&[(&str, &str)]; 4] = [
    &[("AUTHORIZER_MODE", "signed-in")],
    &[("AUTHORIZER_MODE", "visitor")],
    &[("AUTHORIZER_MODE", "visitor"), ("BASE_URL", "https://gateway.example/portal")],
    &[("AUTHORIZER_MODE", "visitor"), ("BASE_URL", ""), ("AWS_REGION", "us-east-1")],
];

#[test]
fn events_to_the_authorizer() {
    let runtime = runtime();
    let authorizers = AUTHORIZERS.map(|pairs| function(pairs, |env| authorizer::read(App::read(env), env)));
    let sealed = runtime.block_on(sealed_session(&[]));
    let target = Target::new("authorizer", &[("{{session}}", &sealed)]);
    let target = target.with(&corpus().join("home"), "").with(&tools::root().join("events"), "authorizer");
    target.run(4_000, |event| {
        let text = event_text(event);
        let mut is_user = false;
        for authorizer in &authorizers {
            let log = Log::listen();
            let verdict = runtime.block_on(authorizer.result(&authorizer::handle, &text, REQUEST_ID, noon()));
            log.assert_lacks([CANARY, &sealed]);
            // An error is one of this site, which is well.
            is_user |= check_verdict(&serde_json::to_value(verdict.unwrap()).unwrap(), event, &sealed);
        }
        is_user
    });
}

/// Whether the verdict names a user.
fn check_verdict(verdict: &Value, event: &[u8], sealed: &str) -> bool {
    assert_eq!(verdict.as_object().unwrap().len(), 2, "{verdict}");
    let (allows, context) = (verdict["isAuthorized"].as_bool().unwrap(), verdict["context"].as_object().unwrap());
    assert!(context.values().all(Value::is_string), "{verdict}");
    match (allows, context.get("sub"), context.get("login")) {
        (false, None, None) => assert!(context.is_empty(), "{verdict}"),
        (true, None, Some(login)) => {
            assert_eq!(context.len(), 1, "{verdict}");
            check_login(login.as_str().unwrap(), "/login?refresh&next=%2F");
        }
        (true, Some(sub), None) => {
            assert!(sub == SUB && has(event, sealed) && !verdict.to_string().contains(CANARY), "{verdict}");
        }
        _ => panic!("{verdict}"),
    }
    context.contains_key("sub")
}

/// A path of this site, with the way back as one parameter. API Gateway names the stage, which can be in front.
fn check_login(login: &str, path: &str) {
    let (base, next) = login.split_once(path).unwrap_or_else(|| panic!("{login}"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
    assert!(
        base.is_empty() || base.starts_with('/') && !base.starts_with("//") && base.bytes().all(is_plain),
        "{login}"
    );
    assert!(next.bytes().all(|byte| byte == b'%' || byte.is_ascii_alphanumeric()), "{login}");
}

#[test]
fn orders_to_the_token_function() {
    let runtime = runtime();
    let sites = [&[][..], &[("BASE_URL", "https://gateway.example/portal")]].map(|pairs| function(pairs, App::read));
    let sealed = runtime.block_on(sealed_session(&[]));
    let target = Target::new("token", &[("{{session}}", &sealed), ("{{site}}", BASE_URL)]);
    target.run(6_000, |order| {
        let text = event_text(order);
        let mut has_token = false;
        for site in &sites {
            let log = Log::listen();
            let answer = runtime.block_on(site.result(&token::handle, &text, REQUEST_ID, noon()));
            log.assert_lacks([CANARY, &sealed]);
            has_token |= check_answer(&serde_json::to_value(answer.unwrap()).unwrap(), order, &sealed);
        }
        has_token
    });
}

/// Whether the answer has a token.
fn check_answer(answer: &Value, order: &[u8], sealed: &str) -> bool {
    let text = answer.to_string();
    assert!(!text.contains("refresh-canary") && !text.contains(sealed), "{answer}");
    let answer = answer.as_object().unwrap();
    let keys: Vec<_> = answer.keys().map(String::as_str).collect();
    match &keys[..] {
        ["access_token", "expires_at"] => {
            let token = answer["access_token"].as_str().unwrap();
            let service = token.strip_prefix("access-canary-").unwrap();
            assert!(answer["expires_at"].is_u64() && has(order, service) && has(order, sealed), "{text}");
            true
        }
        ["login"] => {
            check_login(answer["login"].as_str().unwrap(), "/login?next=%2F");
            false
        }
        ["error", "message"] => {
            let error = answer["error"].as_str().unwrap();
            assert!(["event_unreadable", "no_token_for_service"].contains(&error), "{text}");
            false
        }
        _ => panic!("{text}"),
    }
}
