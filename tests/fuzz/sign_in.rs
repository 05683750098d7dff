//! Any token response: it is a session only if it has the ID token and the access token that belong to the sign-in, and
//! nothing of it is in an error.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use globus_stand_in::{Endpoint, Fault};
use serde_json::Value;
use shared::{
    attempt::Attempt,
    testing::{Browser, Event, Log, Received, World, query},
};

use crate::{
    harness::Target,
    json::Members,
    pages::{CANARY, SLOW, begins_session, check, runtime},
};

/// A sign-in up to the callback, and the token response for it, which the stand-in gives as often as it is asked.
pub(crate) struct Pending {
    pub(crate) world: World,
    /// A browser with the cookie of the sign-in.
    pub(crate) browser: Browser,
    /// The address that Globus sends the browser back to.
    pub(crate) callback: String,
    pub(crate) nonce: String,
    pub(crate) response: Value,
}

impl Pending {
    pub(crate) async fn begin() -> Self {
        let (world, mut browser) = (World::start().await, Browser::default());
        let seen = Arc::new(Mutex::new(Value::Null));
        let copy = Arc::clone(&seen);
        world.stand_in.edit_token_response(move |response| copy.lock().unwrap().clone_from(response));
        let begun = world.send(login::handle, &mut browser, Event::get("/login?next=/files")).await;
        let nonce = query(begun.location(), "nonce").to_owned();
        let callback = world.stand_in.sign_in(begun.location(), "ada").await.unwrap();
        let used = world.send(login::handle, &mut browser.clone(), Event::callback(&callback)).await;
        used.assert_redirect(302, "https://gateway.example/files");
        let response = seen.lock().unwrap().clone();
        Self { world, browser, callback, nonce, response }
    }

    /// Has the stand-in give this token response from now on.
    pub(crate) fn respond(&self, status: u16, body: Vec<u8>) {
        self.world.stand_in.fault(Endpoint::Token, Fault::Respond { status, content_type: "application/json", body });
    }

    /// The callback, sent once more.
    pub(crate) async fn send(&self, callback: Event, log: &Log, failures: &[&str]) -> Received {
        let event = self.browser.with_cookies(callback).json();
        let response = self.world.function.respond(&login::handle, &event, "", self.world.now).await;
        check(response, log, failures)
    }

    /// The error of a sign-in without the page for it, as it could be shown or logged; empty if there is none.
    async fn error(&self) -> String {
        let ((app, globus), now) = (self.world.state(), self.world.now);
        let request = self.browser.with_cookies(Event::callback(&self.callback)).request();
        let (attempt, _) = Attempt::find(&request, &app.cookies, query(&self.callback, "state"), now).unwrap();
        let redirect_uri = "https://gateway.example/login";
        let completed = globus.complete("code-canary".to_owned(), &attempt, redirect_uri, &[], now).await;
        completed.map_or_else(|error| format!("{error} {error:?}"), |_| String::new())
    }

    /// A member of the token response.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.response[name].as_str().unwrap()
    }

    /// Every secret of the sign-in.
    pub(crate) fn secrets(&self) -> BTreeSet<&str> {
        let other = &self.response["other_tokens"][0];
        let own = ["access_token", "refresh_token", "id_token"].map(|name| self.text(name));
        let others = ["access_token", "refresh_token"].map(|name| other[name].as_str().unwrap());
        let cookies = self.browser.cookies.values().map(String::as_str);
        own.into_iter().chain(others).chain(cookies).chain([CANARY]).collect()
    }
}

#[test]
fn token_responses() {
    let runtime = runtime();
    let pending = runtime.block_on(Pending::begin());
    let other = &pending.response["other_tokens"][0];
    let target = Target::new(
        "token-response",
        &[
            ("{{access token}}", pending.text("access_token")),
            ("{{refresh token}}", pending.text("refresh_token")),
            ("{{ID token}}", pending.text("id_token")),
            ("{{transfer access token}}", other["access_token"].as_str().unwrap()),
            ("{{transfer refresh token}}", other["refresh_token"].as_str().unwrap()),
        ],
    );
    target.run(600, |body| {
        pending.respond(200, body.to_vec());
        let log = Log::listen();
        let page = runtime.block_on(pending.send(Event::callback(&pending.callback), &log, &FAILURES));
        let error = runtime.block_on(pending.error());
        let begins = begins_session(&page);
        if begins {
            assert!(error.is_empty() || SLOW.iter().any(|slow| error.starts_with(slow)), "{error}");
            check_response(body, &pending);
        }
        // A refusal is not read as a success, whatever it has.
        pending.respond(400, body.to_vec());
        let refusal = runtime.block_on(pending.error());
        assert_ne!(refusal, "");
        log.assert_lacks(pending.secrets());
        let said = format!("{page:?} {error} {refusal}");
        pending.secrets().iter().for_each(|secret| assert!(!said.contains(secret), "{secret} in {said}"));
        begins
    });
}

/// Why a token response is refused, in the log.
const FAILURES: [&str; 11] = [
    "token_response_unreadable",
    "token_request_refused",
    "client_refused",
    "token_type",
    "token_lifetime_missing",
    "id_token_missing",
    "id_token_malformed",
    "id_token_algorithm",
    "id_token_at_hash",
    "id_token_signature",
    "session_too_large",
];

/// What a response must have for a session.
fn check_response(body: &[u8], pending: &Pending) {
    let response = Members::of(body);
    for name in ["access_token", "id_token"] {
        assert_eq!(response.get(name), pending.response[name], "{name}");
    }
    assert!(response.get("token_type").as_str().unwrap().trim().eq_ignore_ascii_case("bearer"));
    let lifetime = response.get("expires_in");
    assert!(lifetime.is_number() || lifetime.is_string(), "{lifetime}");
    assert_ne!(lifetime.to_string().trim_matches(['"', '0', '.', ' ']), "", "{lifetime}");
}
