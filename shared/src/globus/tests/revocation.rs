//! No token that is not used stays alive, and none that is used is revoked.

use super::*;

#[tokio::test]
async fn an_incomplete_token_response_is_refused_and_its_tokens_revoked() {
    let world = World::start().await;
    for (field, value, reason) in [
        ("id_token", Value::Null, "id_token_missing"),
        ("id_token", json!("no.jwt"), "id_token_malformed"),
        ("id_token", json!("x"), "id_token_malformed"),
        ("token_type", json!("mac"), "token_type"),
        ("expires_in", Value::Null, "token_lifetime_missing"),
        ("expires_in", json!(0), "token_lifetime_missing"),
    ] {
        world.stand_in.edit_token_response(move |response| set(response, field, &value));
        world.assert_refused(reason).await;
    }
}

#[tokio::test]
async fn a_renewed_token_without_a_lifetime_is_refused_and_revoked() {
    for lifetime in [Value::Null, json!(0)] {
        let world = World::start().await;
        let mut session = testing::session(now());
        session.tokens = world.sign_in().await.unwrap().tokens;
        let at_first = world.stand_in.issued_tokens();
        world.stand_in.edit_token_response(move |response| set(response, "expires_in", &lifetime));

        let Renewed { tokens, failures } = world.globus().refresh(&session, now() + Duration::from_hours(48)).await;

        assert!(tokens.is_empty());
        let reasons: Vec<_> = failures.iter().map(ToString::to_string).collect();
        assert_eq!(reasons, ["token_lifetime_missing", "token_lifetime_missing"]);
        let renewed = world.stand_in.issued_tokens().split_off(at_first.len());
        assert_eq!(renewed.len(), 2, "an access token for each service");
        assert!(renewed.iter().all(|token| world.stand_in.is_revoked(token)));
        assert!(at_first.iter().all(|token| !world.stand_in.is_revoked(token)));
    }
}

#[tokio::test]
async fn a_token_response_that_is_no_whole_json_leaves_no_live_token() {
    let world = World::start().await;
    let tokens = world.sign_in().await.unwrap().tokens;
    let secrets: Vec<_> = tokens.iter().flat_map(Token::secrets).map(Secret::expose).collect();
    let [first, first_refresh, second, second_refresh] = secrets[..] else { panic!("four tokens") };
    let body = format!(
        r#"{{"access_token":"{first}","refresh_token":"{first_refresh}","other_tokens":{{"x":[{{"access_token":"{second}","refresh_token":"{second_refresh}","scope":"\ud8"#
    );
    world.stand_in.fault(Endpoint::Token, respond_with(200, "application/json", &body));

    let refused = world.sign_in().await.unwrap_err();

    assert_eq!(refused.row().reason.as_str(), "token_response_unreadable");
    assert!(secrets.iter().all(|token| world.stand_in.is_revoked(token)));
}

/// The access and refresh tokens of a sign-in.
fn secrets(tokens: &[Token]) -> Vec<String> {
    tokens.iter().flat_map(Token::secrets).map(|secret| secret.expose().to_owned()).collect()
}

/// A token response with these tokens, whatever its status says.
fn response_with(status: u16, tokens: &[String]) -> Fault {
    let entries: Vec<_> = tokens.iter().map(|token| json!({ "access_token": token, "token_type": "Bearer" })).collect();
    respond_with(status, "application/json", &json!({ "error": "odd", "other_tokens": entries }).to_string())
}

const NO_SUCCESS: [(u16, &str); 7] = [
    (302, "token_request_refused"),
    (400, "token_request_refused"),
    (403, "token_request_refused"),
    (429, "globus_error_status"),
    (500, "globus_error_status"),
    (502, "globus_error_status"),
    (503, "globus_error_status"),
];

#[tokio::test]
async fn tokens_in_a_response_that_is_no_success_are_revoked() {
    for (status, reason) in NO_SUCCESS {
        let world = World::start().await;
        let live = secrets(&world.sign_in().await.unwrap().tokens);
        world.stand_in.fault(Endpoint::Token, response_with(status, &live));

        let refused = world.sign_in().await.unwrap_err();

        assert_eq!(refused.row().reason.as_str(), reason, "{status}");
        assert_eq!((live.len(), world.revoked(&live)), (4, 4), "{status}");
    }
}

#[tokio::test]
async fn tokens_in_a_response_that_is_too_large_are_revoked() {
    let world = World::start().await;
    let live = secrets(&world.sign_in().await.unwrap().tokens);
    let mut body = json!({ "access_token": live[0], "refresh_token": live[1] }).to_string();
    body.push_str(&" ".repeat(1024 * 1024));
    world.stand_in.fault(Endpoint::Token, respond_with(200, "application/json", &body));

    let refused = world.sign_in().await.unwrap_err();

    assert_eq!(refused.row().reason.as_str(), "globus_response_too_large");
    assert_eq!((live.len(), world.revoked(&live)), (4, 2));
}

#[tokio::test]
async fn a_renewal_that_is_no_success_revokes_new_tokens_and_none_in_use() {
    for (status, reason) in NO_SUCCESS {
        let world = World::start().await;
        let mut session = testing::session(now());
        session.tokens = world.sign_in().await.unwrap().tokens;
        let in_use = secrets(&session.tokens);
        let new = secrets(&world.sign_in().await.unwrap().tokens);
        world.stand_in.fault(Endpoint::Token, response_with(status, &[in_use.clone(), new.clone()].concat()));

        let Renewed { tokens, failures } = world.globus().refresh(&session, now() + Duration::from_hours(48)).await;

        assert!(tokens.is_empty(), "{status}");
        let reasons: Vec<_> = failures.iter().map(|failure| failure.row().reason.as_str()).collect();
        assert_eq!(reasons, [reason, reason], "{status}");
        assert_eq!((new.len(), world.revoked(&new)), (4, 4), "{status}");
        assert_eq!((in_use.len(), world.revoked(&in_use)), (4, 0), "{status}");
    }
}

#[tokio::test]
async fn tokens_of_other_services_in_an_object_are_refused_and_revoked() {
    let world = World::start().await;
    world.stand_in.edit_token_response(|response| {
        let entries = response["other_tokens"].take();
        response["other_tokens"] = json!({ "entries": entries });
    });
    world.assert_refused("token_response_unreadable").await;
}

#[tokio::test]
async fn of_two_tokens_for_a_service_the_first_is_used_and_the_second_revoked() {
    let world = World::start().await;
    let others = secrets(&world.sign_in().await.unwrap().tokens);
    let again = others.clone();
    world.stand_in.edit_token_response(move |response| {
        let entries = response["other_tokens"].as_array_mut().unwrap();
        let mut second = entries[0].clone();
        [second["access_token"], second["refresh_token"]] = [again[2].clone(), again[3].clone()].map(Into::into);
        entries.push(second);
    });

    let used = secrets(&world.sign_in().await.unwrap().tokens);

    assert_eq!((used.len(), world.revoked(&used)), (4, 0));
    let revoked: Vec<_> = others.iter().map(|token| world.stand_in.is_revoked(token)).collect();
    assert_eq!(revoked, [false, false, true, true]);
}

#[tokio::test]
async fn the_same_token_twice_for_a_service_is_used_and_not_revoked() {
    let log = Log::listen();
    let world = World::start().await;
    world.stand_in.edit_token_response(|response| {
        let entries = response["other_tokens"].as_array_mut().unwrap();
        entries.push(entries[0].clone());
    });

    assert_eq!(world.sign_in().await.unwrap().tokens.len(), 2);

    assert_eq!(world.stand_in.requests(Endpoint::Revoke), 0);
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn a_usual_sign_in_and_renewal_revoke_nothing() {
    let world = World::start().await;
    let mut session = testing::session(now());
    session.tokens = world.sign_in().await.unwrap().tokens;
    let renewed = world.globus().refresh(&session, now() + Duration::from_hours(48)).await;

    assert_eq!((renewed.tokens.len(), renewed.failures.len()), (2, 0));
    assert_eq!(world.stand_in.requests(Endpoint::Token), 3);
    assert_eq!(world.stand_in.requests(Endpoint::Jwks), 1);
    assert_eq!(world.stand_in.requests(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn every_token_of_every_service_is_revoked() {
    let world = World::start().await;
    let SignedIn { tokens, .. } = world.sign_in().await.unwrap();

    assert_eq!(world.globus().revoke(&tokens, &[]).await, 0);

    let issued = world.stand_in.issued_tokens();
    assert_eq!(issued.len(), 4);
    assert!(issued.iter().all(|token| world.stand_in.is_revoked(token)));
}

#[tokio::test]
async fn a_revocation_that_globus_refuses_is_not_taken_for_done() {
    let world = World::start().await;
    let tokens = world.sign_in().await.unwrap().tokens;
    for status in [302, 400, 401, 403, 429, 500] {
        let log = Log::listen();
        world.stand_in.fault(Endpoint::Revoke, respond_with(status, "application/json", "{}"));

        assert_eq!(world.globus().revoke(&tokens, &[]).await, 4, "{status}");

        log.assert_reason("tokens_not_revoked");
    }
}

#[tokio::test]
async fn a_revocation_without_a_response_ends_after_two_seconds() {
    let log = Log::listen();
    let world = World::start().await;
    let SignedIn { tokens, .. } = world.sign_in().await.unwrap();
    world.stand_in.fault(Endpoint::Revoke, Fault::Hold);

    let begun = Instant::now();
    assert_eq!(world.globus().revoke(&tokens, &[]).await, 4);

    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    log.assert_reason("tokens_not_revoked");
    world.stand_in.clear_faults();
}
