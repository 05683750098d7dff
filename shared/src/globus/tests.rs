mod failures;
mod id_token;
mod keys;
mod revocation;
mod table;

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use globus_stand_in::{CLIENT_ID, Endpoint, Fault, Signing};
use serde_json::{Value, json};

use super::*;
use crate::return_path::ReturnPath;
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
        self.globus().complete(code, &attempt, REDIRECT_URI, &[], now).await
    }

    /// A sign-in up to the authorization code.
    async fn authorize(&self, person: &str, now: Timestamp) -> (Attempt, String) {
        let intent = Intent { next: ReturnPath::home(), other_account: false, log_in_again: false };
        let (attempt, url) = self.globus().begin(REDIRECT_URI, intent, now).unwrap();
        let callback = self.stand_in.sign_in(&url, person).await.unwrap();
        let code = parameter(&Event::callback(&callback).request(), "code").unwrap();
        (attempt, code.unwrap())
    }

    /// How many of these tokens are revoked.
    fn revoked(&self, tokens: &[String]) -> usize {
        tokens.iter().filter(|token| self.stand_in.is_revoked(token)).count()
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
    Fault::Respond { status, content_type, body: body.into() }
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
        for claim in ["name", "preferred_username", "email", "organization", "identity_provider_display_name"] {
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
async fn a_page_of_globus_names_this_app_and_a_link_back() {
    let world = World::start().await;
    let url = world.globus().page("/v2/web/logout", "https://gateway.example/?a=b&c", "Ours & yours");

    let expected = format!(
        "{}/v2/web/logout?client_id={CLIENT_ID}&redirect_uri=https%3A%2F%2Fgateway.example%2F%3Fa%3Db%26c&redirect_name=Ours+%26+yours",
        world.stand_in.url()
    );
    assert_eq!(url, expected);
}

#[tokio::test]
async fn five_hundred_attempts_have_as_many_states_nonces_and_verifiers_of_full_length() {
    let world = World::start().await;
    let intent = || Intent { next: ReturnPath::home(), other_account: false, log_in_again: false };
    let begun: Vec<_> = (0..500).map(|_| world.globus().begin(REDIRECT_URI, intent(), now()).unwrap()).collect();

    let secrets = begun.iter().flat_map(|(attempt, _)| [&attempt.state, &attempt.nonce, &attempt.pkce_verifier]);
    let all: std::collections::BTreeSet<_> = secrets.map(Secret::expose).collect();
    assert_eq!(all.len(), 1500, "of one attempt, no two are the same either");
    for (Attempt { state, nonce, pkce_verifier, .. }, url) in &begun {
        // 16 bytes and 32 bytes in base64url.
        let lengths = [state, nonce, pkce_verifier].map(|secret| secret.expose().len());
        assert_eq!(lengths, [22, 22, 43]);
        // RFC 7636, section 4.2.
        let hash = ring::digest::digest(&ring::digest::SHA256, pkce_verifier.expose().as_bytes());
        assert_eq!(testing::query(url, "code_challenge"), URL_SAFE_NO_PAD.encode(hash));
        assert_eq!(testing::query(url, "code_challenge_method"), "S256");
    }
}
