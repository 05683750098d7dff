//! Globus refuses, fails, or does not respond.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use super::*;
use crate::App;

#[tokio::test]
async fn a_code_without_its_verifier_is_refused() {
    let world = World::start().await;
    let (_, stolen) = world.authorize("ada", now()).await;
    let (own, _) = world.authorize("sparse", now()).await;

    let refused = world.globus().complete(stolen, &own, REDIRECT_URI, &[], now()).await;
    assert_eq!(refused.unwrap_err().kind(), &Kind::CodeRefused);
}

#[tokio::test]
async fn a_replayed_code_is_refused_whichever_status_globus_gives() {
    for status in [400, 401] {
        let world = World::start().await;
        world.stand_in.invalid_grant_status(status);
        let (attempt, code) = world.authorize("ada", now()).await;

        let complete = || world.globus().complete(code.clone(), &attempt, REDIRECT_URI, &[], now());
        assert!(complete().await.is_ok());
        assert_eq!(complete().await.unwrap_err().kind(), &Kind::CodeRefused);
    }
}

#[tokio::test]
async fn every_response_without_tokens_has_its_reason() {
    let world = World::start().await;
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    for (fault, reason) in [
        (respond_with(500, "text/html", "<h1>Internal Server Error</h1>"), "globus_error_status"),
        (respond_with(502, "text/html", "<h1>Bad Gateway</h1>"), "globus_error_status"),
        (respond_with(429, "application/json", "{}"), "globus_error_status"),
        (respond_with(200, "text/html", "<h1>Hello</h1>"), "token_response_unreadable"),
        (respond_with(200, "application/json", "{"), "token_response_unreadable"),
        (respond_with(200, "application/json", r#"{"access_token":7}"#), "token_response_unreadable"),
        (respond_with(200, "application/json", &large), "globus_response_too_large"),
        (respond_with(302, "text/html", ""), "token_response_unreadable"),
        (respond_with(400, "application/json", r#"{"error":"invalid_client"}"#), "client_refused"),
        (respond_with(401, "application/json", r#"{"error":"invalid_client"}"#), "client_refused"),
        (respond_with(400, "application/json", r#"{"error":"invalid_scope"}"#), "token_request_refused"),
        (
            respond_with(403, "application/json", r#"{"errors":[{"status":"403"}],"error":"forbidden"}"#),
            "token_request_refused",
        ),
        (Fault::Endless, "globus_response_too_large"),
        (Fault::Drop, "globus_connection_lost"),
    ] {
        world.stand_in.fault(Endpoint::Token, fault);
        assert_eq!(world.sign_in().await.unwrap_err().row().reason.as_str(), reason);
        assert_eq!(world.stand_in.issued_tokens().len(), 0);
    }
}

#[tokio::test]
async fn a_token_request_times_out_after_five_seconds() {
    let world = World::start().await;
    world.stand_in.fault(Endpoint::Token, Fault::Delay(Duration::from_secs(10)));

    let begun = Instant::now();
    assert_eq!(world.sign_in().await.unwrap_err().row().reason.as_str(), "globus_timeout");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_globus_that_is_down_is_reported_as_unreachable() {
    let world = World::start().await;
    let (attempt, code) = world.authorize("ada", now()).await;
    let testing::World { function, stand_in, .. } = world.0;
    drop(stand_in);

    let (_, globus) = function.state.unwrap();
    let refused = globus.complete(code, &attempt, REDIRECT_URI, &[], now()).await;
    assert_eq!(refused.unwrap_err().row().reason.as_str(), "globus_unreachable");
}

/// A server that reads one request, and gives its head and its body.
fn hear_one(server: &TcpListener) -> (String, String) {
    let (mut connection, _) = server.accept().unwrap();
    let (mut request, mut part) = (String::new(), [0; 4096]);
    loop {
        let length = connection.read(&mut part).unwrap();
        request.push_str(str::from_utf8(&part[..length]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let (_, rest) = head.split_once("content-length: ").unwrap();
        if body.len() >= rest.split("\r\n").next().unwrap().parse().unwrap() {
            connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            return (head.to_owned(), body.to_owned());
        }
    }
}

/// [RFC 6749 sections 2.3.1 and 4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3)
#[tokio::test]
async fn a_code_is_redeemed_by_one_form_and_the_secret_is_nowhere_else() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let server = thread::spawn(move || hear_one(&server));
    let settings =
        [("GLOBUS_AUTH_URL", url.as_str()), ("GLOBUS_CLIENT_ID", CLIENT_ID), ("GLOBUS_CLIENT_SECRET", "s+/=")];
    let function = testing::function(&settings, |env| App::with_globus(App::read(env), env));
    let (_, globus) = function.state.as_ref().unwrap();
    let intent = Intent { next: ReturnPath::home(), other_account: false, log_in_again: false };
    let (attempt, _) = globus.begin(REDIRECT_URI, intent, now()).unwrap();

    globus.redeem("the-code".to_owned(), &attempt, REDIRECT_URI, &Mutex::default()).await.unwrap_err();

    let (head, body) = server.join().unwrap();
    assert!(head.starts_with("POST /v2/oauth2/token HTTP/1.1\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("authorization:"), "{head}");
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let expected = [
        ("client_id", CLIENT_ID),
        ("client_secret", "s+/="),
        ("code", "the-code"),
        ("code_verifier", attempt.pkce_verifier.expose()),
        ("grant_type", "authorization_code"),
        ("redirect_uri", "https://gateway.example/login"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}
