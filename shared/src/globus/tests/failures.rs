//! Globus refuses, fails, or does not respond.

use super::*;

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
