//! What an ID token or a userinfo response must be for a sign-in.

use super::*;

#[tokio::test]
async fn a_username_missing_in_the_id_token_is_read_from_userinfo() {
    let world = World::start().await;
    world.stand_in.edit_id_token(|claims| set(claims, "preferred_username", &Value::Null));

    let SignedIn { identity, .. } = world.sign_in().await.unwrap();

    assert!(identity.username.is_some());
    assert_eq!(world.stand_in.requests(Endpoint::Userinfo), 1);
}

#[tokio::test]
async fn userinfo_of_another_user_is_refused() {
    let world = World::start().await;
    world.stand_in.edit_id_token(|claims| set(claims, "preferred_username", &Value::Null));
    world.stand_in.fault(Endpoint::Userinfo, respond_with(200, "application/json", r#"{"sub":"someone-else"}"#));

    world.assert_refused("userinfo_subject").await;
}

/// [OpenID Connect Core section 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)
#[tokio::test]
async fn a_subject_is_1_to_255_printable_ascii_characters() {
    let world = World::start().await;
    for subject in ["", &"a".repeat(256), "a\nb", "a\u{7f}b", "Zoë"] {
        world.assert_refused_with("sub", json!(subject), "id_token_subject").await;
    }
    for subject in ["a", &"a".repeat(255), "~ a user!"] {
        let claim = json!(subject);
        world.stand_in.edit_id_token(move |claims| set(claims, "sub", &claim));
        assert_eq!(world.sign_in().await.unwrap().identity.sub, subject);
    }
}

#[tokio::test]
async fn an_id_token_of_another_issuer_client_or_time_is_refused() {
    let world = World::start().await;
    let seconds = now().seconds();
    for (claim, value, reason) in [
        ("iss", json!("https://evil.example"), "id_token_issuer"),
        ("iss", json!(format!("{}.evil.example", world.stand_in.url())), "id_token_issuer"),
        ("iss", json!(format!("{}/", world.stand_in.url())), "id_token_issuer"),
        ("iss", Value::Null, "id_token_claims_unreadable"),
        ("aud", json!("another-client"), "id_token_audience"),
        ("aud", json!([CLIENT_ID, "another-client"]), "id_token_audience"),
        ("aud", json!([]), "id_token_audience"),
        ("azp", json!("another-client"), "id_token_audience"),
        ("exp", json!(seconds - 301), "id_token_expired"),
        ("exp", json!("9999999999"), "id_token_claims_unreadable"),
        ("exp", Value::Null, "id_token_claims_unreadable"),
        ("iat", json!(seconds + 600), "id_token_from_the_future"),
        ("nbf", json!(seconds + 600), "id_token_from_the_future"),
        ("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "id_token_at_hash"),
        ("sub", Value::Null, "id_token_claims_unreadable"),
    ] {
        world.assert_refused_with(claim, value, reason).await;
    }
}

#[tokio::test]
async fn a_replayed_id_token_is_refused_by_its_nonce() {
    let world = World::start().await;
    world.assert_refused_with("nonce", json!("of another attempt"), "id_token_nonce").await;
    world.assert_refused_with("nonce", Value::Null, "id_token_nonce").await;
}

#[tokio::test]
async fn clocks_may_be_five_minutes_apart() {
    let world = World::start().await;
    let seconds = now().seconds();
    world.stand_in.edit_id_token(move |claims| {
        set(claims, "iat", &json!(seconds + 290));
        set(claims, "exp", &json!(seconds - 290));
    });
    assert!(world.sign_in().await.is_ok());
}

/// [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)
#[tokio::test]
async fn clocks_may_not_be_a_second_more_apart() {
    let world = World::start().await;
    let now = now();
    for (claim, seconds, expected) in [
        ("exp", now.seconds() - 300, Err("id_token_expired")),
        ("exp", now.seconds() - 299, Ok(())),
        ("iat", now.seconds() + 301, Err("id_token_from_the_future")),
        ("iat", now.seconds() + 300, Ok(())),
        ("nbf", now.seconds() + 301, Err("id_token_from_the_future")),
        ("nbf", now.seconds() + 300, Ok(())),
    ] {
        world.stand_in.edit_id_token(move |claims| set(claims, claim, &json!(seconds)));
        let outcome = world.sign_in_as("ada", now).await;
        assert_eq!(outcome.map(drop).map_err(|error| error.row().reason.as_str()), expected, "{claim}");
    }
}

#[tokio::test]
async fn a_forged_signature_is_refused() {
    let world = World::start().await;
    world.stand_in.sign_id_tokens(Signing::OtherKey);
    world.assert_refused("id_token_signature").await;
}

#[tokio::test]
async fn algorithm_confusion_is_refused() {
    let world = World::start().await;
    for signing in [Signing::Unsigned, Signing::HmacWithPublicKey] {
        world.stand_in.sign_id_tokens(signing);
        world.assert_refused("id_token_algorithm").await;
    }
}

#[tokio::test]
async fn a_key_in_the_header_of_an_id_token_is_not_believed() {
    let world = World::start().await;
    world.stand_in.sign_id_tokens(Signing::OtherKeyInHeader);
    world.assert_refused("id_token_signature").await;
    assert_eq!(world.stand_in.requests(Endpoint::Jwks), 1, "no other keys were asked for");
}

#[tokio::test]
async fn a_claim_in_a_list_is_refused_although_the_list_has_the_right_value() {
    let world = World::start().await;
    for claim in ["iss", "azp", "nonce", "exp", "iat", "at_hash", "sub"] {
        world.stand_in.edit_id_token(move |claims| {
            let right = if claim == "azp" { json!(CLIENT_ID) } else { claims[claim].clone() };
            claims[claim] = json!([right]);
        });
        world.assert_refused("id_token_claims_unreadable").await;
    }
}

/// [RFC 7515 section 4.1.11](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11)
#[tokio::test]
async fn an_id_token_with_a_critical_extension_is_refused() {
    let world = World::start().await;
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS512","crit":["x"],"x":1}"#);
    world.stand_in.edit_token_response(move |response| set(response, "id_token", &json!(format!("{header}.e30.AA"))));
    world.assert_refused("id_token_algorithm").await;
}

#[tokio::test]
async fn claims_of_userinfo_that_are_only_shown_refuse_no_sign_in() {
    let world = World::start().await;
    world.stand_in.edit_id_token(|claims| set(claims, "preferred_username", &json!(["ada"])));
    let claims = r#"{"sub":"ada10ace-1815-4d60-8bdb-eeecaba85bd9","preferred_username":7,"name":"\ud800","email":[]}"#;
    world.stand_in.fault(Endpoint::Userinfo, respond_with(200, "application/json", claims));

    let identity = world.sign_in().await.unwrap().identity;

    assert_eq!(identity.username, None);
    assert_eq!(identity.display_name(), "\u{fffd}\u{fffd}\u{fffd}");
    let email = identity.email.as_ref().map(DisplayText::for_display);
    assert!(email.is_some_and(|email| email.contains('@')), "that of the ID token");
}
