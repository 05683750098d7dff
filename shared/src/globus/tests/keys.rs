//! The keys that ID tokens are verified with.

use super::*;

#[tokio::test]
async fn the_key_set_is_fetched_once_for_several_sign_ins() {
    let world = World::start().await;
    for _ in 0..3 {
        world.sign_in().await.unwrap();
    }
    assert_eq!(world.stand_in.requests(Endpoint::Jwks), 1);
    assert_eq!(world.stand_in.requests(Endpoint::Token), 3);
}

#[tokio::test]
async fn each_of_two_keys_without_a_key_id_is_tried() {
    let world = World::start().await;
    world.stand_in.rotate_keys(true);
    assert!(world.sign_in().await.is_ok());
}

#[tokio::test]
async fn new_keys_are_fetched_after_a_wrong_signature_at_most_once_a_minute() {
    let world = World::start().await;
    world.sign_in().await.unwrap();
    world.stand_in.rotate_keys(false);

    assert_eq!(world.sign_in().await.unwrap_err().row().reason.as_str(), "id_token_signature");
    assert_eq!(world.stand_in.requests(Endpoint::Jwks), 1);

    let a_minute_later = now() + Duration::from_mins(1);
    assert!(world.sign_in_as("ada", a_minute_later).await.is_ok());
    assert_eq!(world.stand_in.requests(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn many_forged_id_tokens_have_the_keys_fetched_once_a_minute() {
    let (world, begun) = (World::start().await, now());
    world.sign_in_as("ada", begun).await.unwrap();
    world.stand_in.sign_id_tokens(Signing::OtherKey);
    for second in (0..180).step_by(3) {
        let refused = world.sign_in_as("ada", begun + Duration::from_secs(second)).await.unwrap_err();
        assert_eq!(refused.row().reason.as_str(), "id_token_signature");
        let fetched = world.stand_in.requests(Endpoint::Jwks);
        assert_eq!(u64::try_from(fetched).unwrap(), 1 + second / 60, "after {second} seconds");
    }
}

#[tokio::test]
async fn a_key_that_globus_has_withdrawn_is_trusted_for_an_hour_at_most() {
    let world = World::start().await;
    world.sign_in().await.unwrap();

    for (minutes, requests) in [(59, 1), (60, 2), (119, 2)] {
        world.sign_in_as("ada", now() + Duration::from_mins(minutes)).await.ok();
        assert_eq!(world.stand_in.requests(Endpoint::Jwks), requests, "after {minutes} minutes");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_again_are_trusted_for_an_hour_at_most() {
    let (world, begun) = (World::start().await, now());
    world.sign_in_as("ada", begun).await.unwrap();
    world.stand_in.fault(Endpoint::Jwks, respond_with(500, "text/html", "<h1>Internal Server Error</h1>"));

    assert!(world.sign_in_as("ada", begun + Duration::from_mins(59)).await.is_ok());
    let refused = world.sign_in_as("ada", begun + Duration::from_hours(1)).await.unwrap_err();
    assert_eq!(refused.row().reason.as_str(), "globus_error_status");
}

#[tokio::test]
async fn keys_or_claims_in_a_response_that_is_no_success_are_not_believed() {
    let world = World::start().await;
    let keys = http_client::new().unwrap().get(format!("{}/jwk.json", world.stand_in.url())).send().await.unwrap();
    let keys = keys.text().await.unwrap();
    for status in [401, 403, 404] {
        world.stand_in.fault(Endpoint::Jwks, respond_with(status, "application/json", &keys));
        world.assert_refused("key_set_unreadable").await;
    }
    world.stand_in.clear_faults();

    world.stand_in.edit_id_token(|claims| set(claims, "preferred_username", &Value::Null));
    let claims = r#"{"sub":"ada10ace-1815-4d60-8bdb-eeecaba85bd9","preferred_username":"mallory@evil.example"}"#;
    for status in [401, 403, 404] {
        world.stand_in.fault(Endpoint::Userinfo, respond_with(status, "application/json", claims));
        assert_eq!(world.sign_in().await.unwrap().identity.username, None, "{status}");
    }
    world.stand_in.fault(Endpoint::Userinfo, respond_with(200, "application/json", claims));
    let identity = world.sign_in().await.unwrap().identity;
    let username = identity.username.as_ref().map(DisplayText::for_display);
    assert_eq!(username, Some("mallory@evil.example"), "the status alone decided");
}

#[tokio::test]
async fn an_unavailable_key_set_refuses_the_sign_in_and_revokes_its_tokens() {
    let world = World::start().await;
    for (fault, reason) in [
        (respond_with(500, "text/html", "<h1>Internal Server Error</h1>"), "globus_error_status"),
        (respond_with(200, "application/json", r#"{"keys":[]}"#), "key_set_unreadable"),
        (respond_with(200, "text/html", "<h1>Hello</h1>"), "key_set_unreadable"),
        (Fault::Drop, "globus_connection_lost"),
    ] {
        world.stand_in.fault(Endpoint::Jwks, fault);
        world.assert_refused(reason).await;
    }
    world.stand_in.clear_faults();
    assert!(world.sign_in().await.is_ok());
}
