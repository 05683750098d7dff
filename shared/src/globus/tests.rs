mod table;

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use globus_stand_in::{CLIENT_ID, Endpoint, Fault, Signing};
use serde_json::{Value, json};

use super::*;
use crate::{
    request::parameter,
    session::{DisplayText, Visitor},
    testing::{self, Event, Log, now},
};

const REDIRECT_URI: &str = "https://gateway.example/login";

/// The client alone, with the stand-in for Globus.
struct World(testing::World);

impl std::ops::Deref for World {
    type Target = testing::World;

    fn deref(&self) -> &testing::World {
        &self.0
    }
}

impl World {
    async fn start() -> Self {
        Self(testing::World::start().await)
    }

    fn globus(&self) -> &Globus {
        &self.state().1
    }

    /// A whole sign-in, at this moment.
    async fn sign_in(&self) -> Result<SignedIn> {
        self.sign_in_as("ada", now()).await
    }

    async fn sign_in_as(&self, person: &str, now: Timestamp) -> Result<SignedIn> {
        let (attempt, code) = self.authorize(person, now).await;
        self.globus().complete(code, &attempt, REDIRECT_URI, now).await
    }

    /// A sign-in up to the authorization code.
    async fn authorize(&self, person: &str, now: Timestamp) -> (Attempt, String) {
        let (attempt, url) = self.globus().begin(REDIRECT_URI, ReturnPath::home(), false, now).unwrap();
        let callback = self.stand_in.sign_in(&url, person).await.unwrap();
        let code = parameter(&Event::callback(&callback).request(), "code").unwrap();
        (attempt, code.unwrap())
    }

    /// Asserts that a sign-in is refused for `reason`, and that none of the tokens issued for it can be used.
    async fn assert_refused(&self, reason: &str) {
        let before = self.stand_in.issued_tokens().len();
        let refused = self.sign_in().await.unwrap_err();

        assert_eq!(refused.row().reason.as_str(), reason);
        let issued = self.stand_in.issued_tokens().split_off(before);
        assert!(!issued.is_empty());
        for token in issued {
            assert!(self.stand_in.is_revoked(&token), "not revoked after {reason}");
        }
    }

    /// The same, with the claim `name` of the ID token changed to `value`; `null` removes it.
    async fn assert_refused_with(&self, name: &'static str, value: Value, reason: &str) {
        self.stand_in.edit_id_token(move |claims| set(claims, name, &value));
        self.assert_refused(reason).await;
        self.stand_in.edit_id_token(|_| ());
    }
}

fn set(object: &mut Value, name: &str, value: &Value) {
    let object = object.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value.clone());
    }
}

fn respond_with(status: u16, content_type: &'static str, body: &str) -> Fault {
    Fault::Respond { status, content_type, body: body.to_owned() }
}

#[tokio::test]
async fn a_sign_in_gives_the_user_and_a_token_for_each_service() {
    let world = World::start().await;

    let SignedIn { identity, tokens } = world.sign_in().await.unwrap();

    assert_eq!(identity.display_name(), "Ada Lovelace");
    let services: Vec<_> = tokens.iter().map(|token| token.resource_server.as_str()).collect();
    assert_eq!(services, ["auth.globus.org", "transfer.api.globus.org"]);
    for token in tokens {
        assert_eq!(token.lifetime, Duration::from_hours(48));
        assert!(token.refresh_token.is_some());
    }
    assert_eq!(world.stand_in.requests(Endpoint::Userinfo), 0);
}

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
async fn missing_optional_fields_and_unknown_fields_are_accepted() {
    let world = World::start().await;
    world.stand_in.edit_token_response(|response| {
        set(response, "other_tokens", &Value::Null);
        set(response, "added_tomorrow", &json!({ "x": [1] }));
        set(response, "expires_in", &json!(30));
    });
    world.stand_in.edit_id_token(|claims| {
        set(claims, "added_tomorrow", &json!(true));
        set(claims, "at_hash", &Value::Null);
        claims["name"] = Value::Null;
    });

    let SignedIn { identity, tokens } = world.sign_in().await.unwrap();

    assert_eq!((tokens.len(), tokens[0].lifetime), (1, Duration::from_secs(30)));
    assert_eq!(identity.name, None);
}

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

/// [RFC 7515 section 4.1.11](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11)
#[tokio::test]
async fn an_id_token_with_a_critical_extension_is_refused() {
    let world = World::start().await;
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS512","crit":["x"],"x":1}"#);
    world.stand_in.edit_token_response(move |response| set(response, "id_token", &json!(format!("{header}.e30.AA"))));
    world.assert_refused("id_token_algorithm").await;
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
async fn a_key_that_globus_has_withdrawn_is_trusted_for_an_hour_at_most() {
    let world = World::start().await;
    world.sign_in().await.unwrap();

    for (minutes, requests) in [(59, 1), (60, 2), (119, 2)] {
        world.sign_in_as("ada", now() + Duration::from_mins(minutes)).await.ok();
        assert_eq!(world.stand_in.requests(Endpoint::Jwks), requests, "after {minutes} minutes");
    }
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
async fn the_longest_lifetime_is_kept_and_survives_the_cookie() {
    let world = World::start().await;
    world.stand_in.edit_token_response(|response| set(response, "expires_in", &json!(u64::MAX)));
    let mut session = testing::session(now());
    session.tokens = world.sign_in().await.unwrap().tokens;
    assert_eq!(session.tokens[0].lifetime, Duration::from_secs(18_446_744_073_709_551_615));

    let storage = &world.state().0.storage;
    let cookie = storage.create(&Event::get("/").request(), &session, now()).await.unwrap().cookie;
    let request = Event::get("/").cookie(&cookie.stripped().to_string()).request();
    let visitor = storage.visitor(&request, now() + Duration::from_hours(167)).await.unwrap();
    assert_eq!(visitor, Visitor::SignedIn(session));
}

#[tokio::test]
async fn the_longest_names_fit_into_the_cookie() {
    let world = World::start().await;
    world.stand_in.edit_id_token(|claims| {
        for claim in ["name", "preferred_username", "email", "organization"] {
            set(claims, claim, &json!("\"👩".repeat(1000)));
        }
    });
    let mut session = testing::session(now());
    let signed_in = world.sign_in().await.unwrap();
    (session.identity, session.tokens) = (signed_in.identity, signed_in.tokens);

    let storage = &world.state().0.storage;
    let cookie = storage.create(&Event::get("/").request(), &session, now()).await.unwrap().cookie;
    let request = Event::get("/").cookie(&cookie.stripped().to_string()).request();
    assert_eq!(storage.visitor(&request, now()).await.unwrap(), Visitor::SignedIn(session));
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
async fn a_code_without_its_verifier_is_refused() {
    let world = World::start().await;
    let (_, stolen) = world.authorize("ada", now()).await;
    let (own, _) = world.authorize("sparse", now()).await;

    let refused = world.globus().complete(stolen, &own, REDIRECT_URI, now()).await;
    assert_eq!(refused.unwrap_err().kind(), &Kind::CodeRefused);
}

#[tokio::test]
async fn a_replayed_code_is_refused_whichever_status_globus_gives() {
    for status in [400, 401] {
        let world = World::start().await;
        world.stand_in.invalid_grant_status(status);
        let (attempt, code) = world.authorize("ada", now()).await;

        let complete = || world.globus().complete(code.clone(), &attempt, REDIRECT_URI, now());
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
    let refused = globus.complete(code, &attempt, REDIRECT_URI, now()).await;
    assert_eq!(refused.unwrap_err().row().reason.as_str(), "globus_unreachable");
}

#[tokio::test]
async fn every_token_of_every_service_is_revoked() {
    let world = World::start().await;
    let SignedIn { tokens, .. } = world.sign_in().await.unwrap();

    assert_eq!(world.globus().revoke(&tokens).await, 0);

    let issued = world.stand_in.issued_tokens();
    assert_eq!(issued.len(), 4);
    assert!(issued.iter().all(|token| world.stand_in.is_revoked(token)));
}

#[tokio::test]
async fn a_revocation_without_a_response_ends_after_two_seconds() {
    let log = Log::listen();
    let world = World::start().await;
    let SignedIn { tokens, .. } = world.sign_in().await.unwrap();
    world.stand_in.fault(Endpoint::Revoke, Fault::Hold);

    let begun = Instant::now();
    assert_eq!(world.globus().revoke(&tokens).await, 4);

    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    log.assert_reason("tokens_not_revoked");
    world.stand_in.clear_faults();
}

#[tokio::test]
async fn a_page_of_globus_names_this_app_and_a_link_back() {
    let world = World::start().await;
    let url = world.globus().page("/v2/web/logout", "https://gateway.example/?a=b&c", "Ours & yours");

    let expected = format!(
        "{}/v2/web/logout?client_id={CLIENT_ID}&redirect_uri=https%3A%2F%2Fgateway.example%2F%3Fa%3Db%26c&redirect_name=Ours+%26+yours",
        world.stand_in.url()
    );
    assert_eq!(url, expected);
}
