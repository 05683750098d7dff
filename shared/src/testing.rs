//! The test kit: events as API Gateway sends them, a browser that keeps its cookies, the log, and a function with the
//! stand-in for Globus.
//!
//! A test sends an event as API Gateway does, and checks the response that API Gateway gets.

#![expect(clippy::missing_panics_doc, clippy::panic, reason = "an assertion is there to panic")]

mod browser;
mod event;
mod log;
mod world;

use std::time::{Duration, SystemTime};

pub use browser::{Browser, EXPECTED_HEADERS, Received};
pub use event::Event;
pub use log::Log;
pub use world::{World, query};

pub use crate::serve::event_text;

use cookie::Cookie;
use globus_stand_in::CLIENT_ID;

use crate::{
    config::{AccessRules, Config, ConfigError, Environment, Reading, Secret},
    cookies::{Opened, Purpose, SealedCookies},
    error::Kind,
    function::Function,
    log::Reason,
    rules::{Denial, Missing, Unmet},
    session::{Admission, DisplayText, GLOBUS_AUTH, Identity, Session, Token},
    timestamp::Timestamp,
};

/// A session key.
pub const KEY: &str = "a-session-key-of-at-least-32-characters";

/// The name of the session cookie in tests.
pub const SESSION: &str = "__Host-session-8af82921";

/// The address of the site in tests.
pub const BASE_URL: &str = "https://gateway.example";

/// The id that Lambda gives to each request in tests.
pub const REQUEST_ID: &str = "6bc28136-xmpl-4365-b021-0ce6b2e64ab0";

/// A session table that is down: no DynamoDB is at that port.
pub const TABLE_DOWN: [(&str, &str); 5] = [
    ("TOKEN_TABLE", "sessions"),
    ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "local"),
    ("AWS_SECRET_ACCESS_KEY", "local"),
];

/// The cookie of a session in a table, as the first release sealed it.
pub fn ticket() -> String {
    format!("__Host-session={}", include_str!("storage/samples/ticket-1.txt").trim())
}

/// A fixed time, for tests without a server.
pub fn noon() -> Timestamp {
    Timestamp::from_seconds(500_000 * 3600)
}

/// The time of this machine's clock, for tests with a server that uses it too.
#[expect(clippy::disallowed_methods, reason = "a test has no other source of time")]
pub fn now() -> Timestamp {
    SystemTime::now().into()
}

/// The state of a function with these settings, or the problems with them.
pub fn configure<T>(
    pairs: &[(&str, &str)],
    read: impl FnOnce(&Environment<'_>) -> Reading<T>,
) -> Result<T, ConfigError> {
    function(pairs, read).state
}

/// A function that has started with these settings, and with a default for each required one that is missing.
pub fn function<T>(pairs: &[(&str, &str)], read: impl FnOnce(&Environment<'_>) -> Reading<T>) -> Function<T> {
    let complete = [
        ("BASE_URL", BASE_URL),
        ("GLOBUS_CLIENT_ID", CLIENT_ID),
        ("GLOBUS_CLIENT_SECRET", "c2VjcmV0IHdpdGggKyBhbmQgLyBpbiBpdCAuLi4u+/8="),
        ("SESSION_KEYS", KEY),
    ];
    let lookup =
        |name: &str| pairs.iter().chain(&complete).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Function::start(&lookup, |_| (), read)
}

/// The sealed cookies of a deployment with these settings.
pub fn sealed_cookies(pairs: &[(&str, &str)]) -> Result<SealedCookies, ConfigError> {
    configure(pairs, |env| Ok(SealedCookies::new(&Config::read(env)?, env.site())))
}

/// The session as the first release stored it: without an id.
pub fn of_the_first_release(session: Session) -> Session {
    let begun = session.begun();
    Session::new(String::new(), session.identity, session.tokens, begun)
}

/// The session cookie as the first release would have set it: under the name that it had there.
pub fn cookie_of_the_first_release(cookies: &SealedCookies, cookie: &Cookie<'_>) -> Cookie<'static> {
    let request = Event::get("/").cookie(&cookie.stripped().to_string()).request();
    for purpose in [Purpose::Session, Purpose::Ticket] {
        if let Opened::Value(value) = cookies.open::<serde_json::Value>(&request, purpose, "session") {
            let sealed = cookies.seal_as(purpose, cookies.first_name("session"), &value, Duration::from_hours(168));
            return sealed.unwrap_or_else(|error| panic!("{error}"));
        }
    }
    panic!("this is no session cookie: {}", cookie.name())
}

/// A session that began at `begun`, with a token for Globus Auth and one for Transfer, both good for 48 hours.
pub fn session(begun: Timestamp) -> Session {
    let token = |resource_server: &str, scope: &str| Token {
        resource_server: resource_server.to_owned(),
        scope: scope.to_owned(),
        access_token: Secret::new(format!("access-canary-{resource_server}")),
        refresh_token: Some(Secret::new(format!("refresh-canary-{resource_server}"))),
        received: begun,
        lifetime: Duration::from_hours(48),
    };
    let identity = Identity {
        sub: "8c8b2a0e-0000-4000-8000-000000000001".to_owned(),
        name: DisplayText::new("Grace Hopper"),
        username: DisplayText::new("grace@gateway.example"),
        email: DisplayText::new("grace.hopper@gateway.example"),
        organization: DisplayText::new("Gateway Example"),
        provider: None,
    };
    let tokens = vec![
        token(GLOBUS_AUTH, "openid profile email"),
        token("transfer.api.globus.org", "urn:globus:auth:scope:transfer.api.globus.org:all"),
    ];
    Session::new("session-id-1".to_owned(), identity, tokens, begun)
}

/// The session of a user whom these access rules let in when it began, with these roles, for a login that is good for as
/// long as they say.
pub fn admitted(pairs: &[(&str, &str)], roles: &[&str], begun: Timestamp) -> Session {
    let mut session = session(begun);
    session.admission = configure(pairs, AccessRules::read).ok().flatten().map(|by| {
        let roles = roles.iter().map(|&role| role.to_owned()).collect();
        Admission::new(&by, roles, by.max_authentication.map(|max| begun + max), begun)
    });
    session
}

/// A user whom every rule refuses.
pub fn denial() -> Denial {
    let group = "69070000-0001-4ba1-8f4e-2ea86a5b4c01";
    let rules = configure(
        &[
            ("ALLOWED_DOMAINS", "lab.example,uchicago.example"),
            ("ALLOWED_GROUPS", group),
            ("REQUIRED_POLICIES", group),
            ("MAX_AUTHENTICATION_MINUTES", "30"),
        ],
        AccessRules::read,
    );
    let every = [Unmet::Domains, Unmet::Groups, Unmet::Policies, Unmet::Age];
    let missing = rules.iter().flatten().flat_map(|rules| every.map(|unmet| Missing::new(unmet, rules)));
    Denial {
        sub: "8c8b2a0e-0000-4000-8000-000000000001".to_owned(),
        account: "grace@gateway.example".to_owned(),
        provider: Some("Gateway Example".to_owned()),
        reason: Reason::DomainNotAllowed,
        missing: missing.collect(),
        link_identity: "https://auth.globus.org/v2/web/identities".to_owned(),
    }
}

/// One error of each kind. The tests of errors name every kind: one that is added there belongs here, too.
pub fn every_kind() -> Vec<Kind> {
    let reason = Reason::ServerError;
    let config = configure(&[("SESSION_KEYS", "")], Config::read).err().map(Kind::Config);
    let others = [
        Kind::BadRequest(reason),
        Kind::NotFound,
        Kind::MethodNotAllowed("GET"),
        Kind::NotNavigation,
        Kind::SignInRequired,
        Kind::RenewalRequired,
        Kind::CheckRequired("hash".to_owned()),
        Kind::RulesDiffer,
        Kind::NotAdmitted(Box::new(denial())),
        Kind::CrossSite,
        Kind::UnknownAttempt(reason),
        Kind::NoLoginCookie,
        Kind::Denied,
        Kind::OtherUser,
        Kind::GlobusReported(reason),
        Kind::GlobusRefused(reason),
        Kind::CodeRefused,
        Kind::ResponseRefused(reason),
        Kind::GlobusUnavailable(reason),
        Kind::RenewalBusy,
        Kind::StoreUnavailable(reason),
        Kind::ServiceUnavailable(reason),
        Kind::ServiceResponseRefused(reason),
        Kind::PermissionMissing(reason, "This page needs it."),
        Kind::SessionTooLarge(5_000),
        Kind::UnknownAddress,
        Kind::OriginSecretMissing,
        Kind::Internal(reason),
    ];
    others.into_iter().chain(config).collect()
}
