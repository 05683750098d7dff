//! For tests: events as API Gateway sends them, and a browser that keeps its cookies between them.
//!
//! A test goes in at the same door as a real request, and looks at what comes out of it.

#![expect(clippy::missing_panics_doc, reason = "an assertion is there to panic")]

mod browser;
mod event;
mod log;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use browser::{Answer, Browser};
pub use event::Event;
pub use log::Log;

use crate::{
    clock,
    config::{self, ConfigError, Environment},
    error::Result,
    session::{GLOBUS_AUTH, Identity, Session, Token},
};

/// A key that seals.
pub const KEY: &str = "a-session-key-of-at-least-32-characters";

/// Where the site is in tests.
pub const BASE_URL: &str = "https://gateway.example";

/// A moment, for tests that ask nobody else for the time.
pub fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

/// The time by this machine's clock, for tests together with a server that goes by it as well.
#[expect(clippy::disallowed_methods, reason = "a test has no other source of time")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Reads settings out of `pairs`, and for what is not in them out of a complete set.
pub fn configure<T>(
    pairs: &[(&str, &str)],
    read: impl FnOnce(&Environment<'_>) -> Option<T>,
) -> Result<T, ConfigError> {
    let complete = [
        ("BASE_URL", BASE_URL),
        ("GLOBUS_CLIENT_ID", "7fb58e00-0000-4000-8000-000000000000"),
        ("GLOBUS_CLIENT_SECRET", "c2VjcmV0IHdpdGggKyBhbmQgLyBpbiBpdCAuLi4u+/8="),
        ("SESSION_KEYS", KEY),
    ];
    let lookup =
        |name: &str| pairs.iter().chain(&complete).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    config::from_lookup(lookup, read)
}

/// A session that began at `begun`: a person with a token for Globus Auth and one for Transfer, good for 48 hours.
pub fn session(begun: SystemTime) -> Session {
    let token = |resource_server: &str, scope: &str| Token {
        resource_server: resource_server.to_owned(),
        scope: scope.to_owned(),
        access_token: format!("access-canary-{resource_server}"),
        refresh_token: Some(format!("refresh-canary-{resource_server}")),
        received: clock::seconds(begun),
        lifetime: 48 * 3600,
    };
    let identity = Identity {
        sub: "8c8b2a0e-0000-4000-8000-000000000001".to_owned(),
        name: Some("Grace Hopper".to_owned()),
        username: Some("grace@gateway.example".to_owned()),
        email: Some("grace.hopper@gateway.example".to_owned()),
        organization: Some("Gateway Example".to_owned()),
    };
    let tokens = vec![
        token(GLOBUS_AUTH, "openid profile email"),
        token("transfer.api.globus.org", "urn:globus:auth:scope:transfer.api.globus.org:all"),
    ];
    Session::new(identity, tokens, begun)
}
