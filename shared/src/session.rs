//! Who is signed in, and with which tokens.
//!
//! The session travels in one sealed cookie, so a page view asks nobody. What it must not do: hold the ID token, which
//! has no use after the sign-in and grows with every identity a person has linked.

use std::time::{Duration, SystemTime};

use cookie::Cookie;
use lambda_http::Request;
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    config::{Config, Secret},
    cookies::{MAX_COOKIE, Opened, Purpose, SealedCookies},
    error::{Kind, Result},
};

const NAME: &str = "session";

/// The version of the stored form. A new one is read for one release before it is written, since home and login are
/// not updated at the same moment.
const VERSION: u8 = 1;

/// The resource server of Globus Auth itself, whose token the session's life hangs on.
pub const GLOBUS_AUTH: &str = "auth.globus.org";

/// Who somebody is, as Globus Auth says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity's UUID: stable and never given to somebody else. The only thing to know a person by.
    #[serde(rename = "s")]
    pub sub: String,
    /// The name to greet them by.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `preferred_username`: can change and be given to somebody else. Not an e-mail address, even if it looks like one.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The e-mail address they gave. It proves nothing.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The organization they belong to.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

impl Identity {
    /// What to call them: their name, else their username, else their UUID.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().or(self.username.as_deref()).unwrap_or(&self.sub)
    }
}

/// The token of one service (resource server).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The service, for example `transfer.api.globus.org`.
    #[serde(rename = "r")]
    pub resource_server: String,
    /// What the token is good for, separated by spaces.
    #[serde(rename = "c")]
    pub scope: String,
    /// The access token: opaque, for the `Authorization: Bearer` header.
    #[serde(rename = "a")]
    pub access_token: String,
    /// The refresh token, where Globus gave one.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// When it was received, in seconds since the epoch.
    #[serde(rename = "t")]
    pub received: u64,
    /// How many seconds it lives from then on.
    #[serde(rename = "l")]
    pub lifetime: u64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("resource_server", &self.resource_server)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// How long the access token is still good; zero once it has ended.
    pub fn time_left(&self, now: SystemTime) -> Duration {
        let end = clock::time(self.received.saturating_add(self.lifetime));
        end.duration_since(now).unwrap_or_default()
    }

    /// Whether the access token has ended, or is so near its end that a call with it might not arrive in time: in the
    /// last minute, or the last tenth of a life shorter than ten minutes.
    pub fn is_over(&self, now: SystemTime) -> bool {
        let margin = Duration::from_secs((self.lifetime / 10).min(60));
        self.time_left(now) <= margin
    }

    /// Both tokens: everything that is to be revoked when the session ends.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let refresh = self.refresh_token.clone();
        std::iter::once(self.access_token.clone()).chain(refresh).map(Secret::new)
    }
}

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    #[serde(rename = "v")]
    version: u8,
    /// When they signed in, in seconds since the epoch.
    #[serde(rename = "b")]
    begun: u64,
    /// Who they are.
    #[serde(rename = "i")]
    pub identity: Identity,
    /// Their tokens, one for each service.
    #[serde(rename = "k")]
    pub tokens: Vec<Token>,
}

/// What a request says about who sent it.
#[derive(Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Nobody: there is no session cookie.
    SignedOut,
    /// Nobody: the session cookie is not ours, altered, or sealed with a retired key. It should be cleared.
    Unreadable,
    /// Somebody whose sign-in has expired. The tokens may still be good for a logout.
    Expired(Session),
    /// Somebody who is signed in.
    SignedIn(Session),
}

impl Session {
    /// A session that begins now.
    pub fn new(identity: Identity, tokens: Vec<Token>, now: SystemTime) -> Self {
        Self { version: VERSION, begun: clock::seconds(now), identity, tokens }
    }

    /// Reads the request's session.
    pub fn read(request: &Request, cookies: &SealedCookies, config: &Config, now: SystemTime) -> Visitor {
        match cookies.open::<Self>(request, Purpose::Session, NAME) {
            Opened::Absent => Visitor::SignedOut,
            Opened::Value(session) if session.version == VERSION => {
                if session.is_over(config, now) {
                    Visitor::Expired(session)
                } else {
                    Visitor::SignedIn(session)
                }
            }
            Opened::Unreadable | Opened::Value(_) => Visitor::Unreadable,
        }
    }

    /// The cookie that holds the session.
    pub fn cookie(&self, cookies: &SealedCookies, config: &Config) -> Result<Cookie<'static>> {
        let cookie = cookies.seal(Purpose::Session, NAME, self, config.session_max)?;
        if cookie.to_string().len() > MAX_COOKIE {
            return Err(Kind::SessionTooLarge.into());
        }
        Ok(cookie)
    }

    fn is_over(&self, config: &Config, now: SystemTime) -> bool {
        let end = self.begun.saturating_add(config.session_max.as_secs());
        // Without a token of Globus Auth there is nothing to go by but the absolute limit.
        let globus = self.tokens.iter().find(|token| token.resource_server == GLOBUS_AUTH);
        clock::seconds(now) >= end || globus.is_some_and(|token| token.is_over(now))
    }
}

/// Takes the session cookie away.
pub fn clear(cookies: &SealedCookies) -> Cookie<'static> {
    cookies.clear(NAME)
}

#[cfg(test)]
mod tests;
