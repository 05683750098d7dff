//! The token endpoint: codes, refresh tokens, and client authentication.

use super::*;
use crate::{Pkce, RefreshTokens, people, session::Session};

const TRANSFER: &str = "urn:globus:auth:scope:transfer.api.globus.org:all";

#[track_caller]
fn assert_refused(received: &Received, status: u16, error: &str) {
    assert_eq!(received.status.as_u16(), status, "{}", received.body);
    assert_eq!(received.json(), serde_json::json!({ "error": error }));
    assert_eq!(received.header(header::CACHE_CONTROL), "no-store");
}

#[track_caller]
fn assert_looks_like_a_token(token: &Value) {
    let token = text(token);
    assert!(token.starts_with("Ag") && token.len() == 91, "{token}");
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[tokio::test]
async fn gives_one_token_for_each_service() {
    let stand_in = start().await;
    let code = code(&stand_in, "ada", &[]).await;
    let received = redeem(&stand_in, &code, &[]).await;
    assert_eq!(received.header(header::CACHE_CONTROL), "no-store");
    let top = received.json();
    let others = top["other_tokens"].as_array().unwrap();
    assert_eq!(top["resource_server"], "auth.globus.org");
    assert_eq!(top["scope"], "email profile openid");
    assert_eq!(others.len(), 1);
    assert_eq!(others[0]["resource_server"], "transfer.api.globus.org");
    assert_eq!(others[0]["scope"], TRANSFER);
    for token in [&top, &others[0]] {
        assert_eq!(token["token_type"], "Bearer");
        assert_eq!(token["expires_in"], 172_800);
        assert_eq!(token["state"], "the-state");
        assert_looks_like_a_token(&token["access_token"]);
        assert_looks_like_a_token(&token["refresh_token"]);
    }
    assert!(top["id_token"].is_string());
    let issued = [&top["access_token"], &top["refresh_token"], &others[0]["access_token"], &others[0]["refresh_token"]];
    assert_eq!(stand_in.issued_tokens(), issued.map(text));
    assert!(issued.into_iter().all(|token| stand_in.is_active(text(token))));
}

#[tokio::test]
async fn gives_only_what_was_requested() {
    let stand_in = start().await;
    let search = "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer";
    let scope = format!("{search} {TRANSFER} email");
    let changes = [("scope", scope.as_str()), ("access_type", ""), ("state", "")];
    let top = tokens(&stand_in, "ada", &changes).await;
    let keys: Vec<_> = top.as_object().unwrap().keys().collect();
    assert!(
        ["refresh_token", "id_token", "state"].iter().all(|absent| !keys.iter().any(|key| key == absent)),
        "{keys:?}"
    );
    assert_eq!(top["resource_server"], "524230d7-ea86-4a52-8312-86065a9e0417");
    let others = top["other_tokens"].as_array().unwrap();
    assert_eq!(others[0]["resource_server"], "transfer.api.globus.org");
    assert_eq!(others[1]["resource_server"], "auth.globus.org");
}

#[tokio::test]
async fn puts_globus_auth_on_top_if_openid_was_requested() {
    let stand_in = start().await;
    let scope = format!("{TRANSFER} email openid");
    let top = tokens(&stand_in, "ada", &[("scope", &scope)]).await;
    assert_eq!(top["resource_server"], "auth.globus.org");
    assert_eq!(top["scope"], "openid email");
    assert_eq!(top["other_tokens"][0]["scope"], TRANSFER);
}

#[tokio::test]
async fn refuses_a_code_that_was_used_before_and_revokes_what_it_gave() {
    let stand_in = start().await;
    let bystander = tokens(&stand_in, "ada", &[]).await;
    let code = code(&stand_in, "ada", &[]).await;
    let first = redeem(&stand_in, &code, &[]).await.json();
    let renewed = refresh(&stand_in, text(&first["refresh_token"])).await.json();

    let second = redeem(&stand_in, &code, &[]).await;
    assert_refused(&second, 400, "invalid_grant");
    for token in [&first["access_token"], &first["refresh_token"], &renewed["access_token"]] {
        assert!(stand_in.is_revoked(text(token)));
    }
    assert!(stand_in.is_active(text(&bystander["access_token"])));
}

#[tokio::test]
async fn refuses_a_code_or_redirect_uri_or_verifier_that_does_not_match() {
    let stand_in = start().await;
    let other = VERIFIER.replace('d', "e");
    for change in [
        ("redirect_uri", "http://localhost:9000/"),
        ("code_verifier", &other),
        ("code_verifier", ""),
        ("code", "unknown"),
    ] {
        let code = code(&stand_in, "ada", &[]).await;
        let received = redeem(&stand_in, &code, &[change]).await;
        assert_refused(&received, 400, "invalid_grant");
    }
    assert!(stand_in.issued_tokens().is_empty());
}

#[tokio::test]
async fn refuses_a_verifier_where_there_was_no_challenge() {
    let stand_in = start().await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let code_with = code(&stand_in, "ada", &without).await;
    let received = redeem(&stand_in, &code_with, &[]).await;
    assert_refused(&received, 400, "invalid_grant");

    let code = code(&stand_in, "ada", &without).await;
    let received = redeem(&stand_in, &code, &[("code_verifier", "")]).await;
    assert_eq!(received.status, StatusCode::OK);
}

#[tokio::test]
async fn refuses_an_incomplete_or_malformed_request() {
    let stand_in = start().await;
    for (change, error) in [
        (("code", ""), "invalid_request"),
        (("redirect_uri", ""), "invalid_request"),
        (("grant_type", ""), "invalid_request"),
        (("grant_type", "password"), "unsupported_grant_type"),
    ] {
        let received = redeem(&stand_in, "any", &[change]).await;
        assert_refused(&received, 400, error);
    }
    let code = [("code", "one"), ("code", "two")];
    let received = redeem(&stand_in, "any", &code).await;
    assert_refused(&received, 400, "invalid_request");

    let json = request("POST", "/v2/oauth2/token")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("grant_type=refresh_token"))
        .unwrap();
    assert_refused(&send(&stand_in, json).await, 400, "invalid_request");
}

#[tokio::test]
async fn takes_the_secret_in_the_header_or_in_the_form_but_not_in_both() {
    let stand_in = start().await;
    let path = "/v2/oauth2/token";
    let code = code(&stand_in, "ada", &[]).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let in_form = [form.as_slice(), &[("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)]].concat();
    let both = post_basic(&stand_in, path, &in_form).await;
    assert_refused(&both, 400, "invalid_request");
    let in_header = post_basic(&stand_in, path, &form).await;
    assert_eq!(in_header.status, StatusCode::OK, "the code was not used up");
}

#[tokio::test]
async fn refuses_a_client_that_does_not_know_the_secret() {
    let stand_in = start().await;
    let path = "/v2/oauth2/token";
    let form = [("grant_type", "refresh_token"), ("refresh_token", "any")];
    let headers = [
        String::new(),
        "Basic !".to_owned(),
        format!("Bearer {CLIENT_SECRET}"),
        basic(CLIENT_ID, "wrong"),
        basic("wrong", CLIENT_SECRET),
    ];
    for header in &headers {
        let received = post(&stand_in, path, header, &form).await;
        assert_refused(&received, 401, "invalid_client");
    }
    for client in [
        [("client_id", CLIENT_ID), ("client_secret", "wrong")],
        [("client_id", "wrong"), ("client_secret", CLIENT_SECRET)],
    ] {
        let received = post(&stand_in, path, "", &[form, client].concat()).await;
        assert_refused(&received, 401, "invalid_client");
    }
}

#[tokio::test]
async fn renews_only_the_service_of_the_refresh_token() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    let transfer = &top["other_tokens"][0];
    let received = refresh(&stand_in, text(&transfer["refresh_token"])).await;
    let renewed = received.json();
    assert_eq!(renewed["resource_server"], "transfer.api.globus.org");
    assert_eq!(renewed["scope"], TRANSFER);
    assert_eq!(renewed["other_tokens"], Value::Array(Vec::new()));
    assert_eq!(renewed.get("id_token"), None);
    assert_eq!(renewed["refresh_token"], transfer["refresh_token"]);
    assert_ne!(renewed["access_token"], transfer["access_token"]);
    assert!(stand_in.is_active(text(&transfer["access_token"])));
}

#[tokio::test]
async fn rotates_refresh_tokens_or_leaves_them_out_if_set() {
    let stand_in = start().await;
    let old = tokens(&stand_in, "ada", &[]).await;
    let old = text(&old["refresh_token"]);

    stand_in.refresh_tokens(RefreshTokens::Absent);
    let received = refresh(&stand_in, old).await.json();
    assert_eq!(received.get("refresh_token"), None);

    stand_in.refresh_tokens(RefreshTokens::Rotated);
    let received = refresh(&stand_in, old).await.json();
    let new = text(&received["refresh_token"]);
    assert_ne!(new, old);
    assert_refused(&refresh(&stand_in, old).await, 400, "invalid_grant");
    assert_eq!(refresh(&stand_in, new).await.status, StatusCode::OK);
}

#[tokio::test]
async fn refuses_unknown_refresh_tokens_and_access_tokens() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    for token in ["unknown", text(&top["access_token"])] {
        assert_refused(&refresh(&stand_in, token).await, 400, "invalid_grant");
    }
    stand_in.invalid_grant_status(401);
    assert_refused(&refresh(&stand_in, "unknown").await, 401, "invalid_grant");
}

#[tokio::test]
async fn revokes_all_tokens_and_codes_of_a_user_who_withdraws_consent() {
    let stand_in = start().await;
    let ada = tokens(&stand_in, "ada", &[]).await;
    let other = tokens(&stand_in, "twice", &[]).await;
    let waiting = code(&stand_in, "ada", &[]).await;
    stand_in.revoke_person("ada");

    assert!(stand_in.is_revoked(text(&ada["access_token"])));
    let received = refresh(&stand_in, text(&ada["refresh_token"])).await;
    assert_refused(&received, 400, "invalid_grant");
    let received = redeem(&stand_in, &waiting, &[]).await;
    assert_refused(&received, 400, "invalid_grant");
    assert!(stand_in.is_active(text(&other["access_token"])));
    let again = tokens(&stand_in, "ada", &[]).await;
    assert!(stand_in.is_active(text(&again["access_token"])));
}

#[tokio::test]
async fn expires_access_tokens_as_set_but_no_refresh_tokens() {
    let stand_in = start().await;
    stand_in.expire_tokens_in(0);
    let top = tokens(&stand_in, "ada", &[]).await;
    assert_eq!(top["expires_in"], 0);
    assert!(!stand_in.is_active(text(&top["access_token"])));
    assert!(!stand_in.is_revoked(text(&top["access_token"])));
    assert!(stand_in.is_active(text(&top["refresh_token"])));
}

#[tokio::test]
async fn sends_the_token_response_as_edited() {
    let stand_in = start().await;
    stand_in.edit_token_response(|response| response["token_type"] = "mac".into());
    let top = tokens(&stand_in, "ada", &[]).await;
    assert_eq!(top["token_type"], "mac");
    let renewed = refresh(&stand_in, text(&top["refresh_token"])).await;
    assert_eq!(renewed.json()["token_type"], "mac");
}

#[test]
fn a_code_can_be_redeemed_for_ten_minutes() {
    use crate::grants::{Grant, Grants, Redemption};
    let redeemed_after = |seconds: u64| {
        let mut grants = Grants::default();
        let grant = Grant {
            session: Session::new(people::find("ada").unwrap(), Vec::new()),
            redirect_uri: CALLBACK.to_owned(),
            scopes: Vec::new(),
            state: None,
            nonce: None,
            code_challenge: None,
            offline: false,
        };
        let code = grants.code(grant, 1_000);
        let redemption = Redemption { code: &code, redirect_uri: CALLBACK, code_verifier: None, pkce: Pkce::Checked };
        grants.redeem(&redemption, 1_000 + seconds).is_some()
    };
    assert!(redeemed_after(599));
    assert!(!redeemed_after(600));
}
