//! Who is signed in, with which tokens, and for how long.
//!
//! Where a session is kept meanwhile is the business of [`storage`](crate::storage). What it must not do: hold the ID
//! token, which has no use after the sign-in and grows with every identity a person has linked.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    clock,
    error::{Kind, Result},
};

/// The version of the stored form. A new one is read for one release before it is written, since home and login are
/// not updated at the same moment.
const VERSION: u8 = 1;

/// How soon Globus is asked again for tokens that it did not give, or gave for so short a time that they are over
/// already, in seconds. So no page is sent to the renewal twice in a row, however short tokens live.
const ASK_AGAIN_AFTER: u64 = 10;

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
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.access_token.as_str()).chain(self.refresh_token.as_deref())
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
    /// How many seconds later Globus was last asked for tokens, with or without success.
    #[serde(rename = "q", default, skip_serializing_if = "is_zero")]
    asked_after: u64,
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
    /// Nobody: there is a session cookie, but no session that it opens, for the reason that the log says. The cookie
    /// should be cleared.
    Unusable(&'static str),
    /// Somebody who has to sign in again. The tokens may still be good for a logout.
    Expired(Session),
    /// Somebody whose token for Globus Auth is about to end, and can be renewed.
    NeedsRenewal(Session),
    /// Somebody who is signed in.
    SignedIn(Session),
}

impl Visitor {
    /// The tokens of whoever it is.
    pub fn tokens(&self) -> &[Token] {
        match self {
            Self::SignedOut | Self::Unusable(_) => &[],
            Self::Expired(session) | Self::NeedsRenewal(session) | Self::SignedIn(session) => &session.tokens,
        }
    }
}

impl Session {
    /// A session that begins now.
    pub fn new(identity: Identity, tokens: Vec<Token>, now: SystemTime) -> Self {
        Self { version: VERSION, begun: clock::seconds(now), asked_after: 0, identity, tokens }
    }

    /// What the log calls this session from its sign-in to its logout: a hash, which leads to nothing.
    pub fn log_id(&self) -> String {
        let hash = Sha256::digest(format!("{}\n{}", self.begun, self.identity.sub));
        URL_SAFE_NO_PAD.encode(hash.get(..9).unwrap_or_default())
    }

    /// Whether it was stored in a form that is known.
    pub(crate) fn is_known(&self) -> bool {
        self.version == VERSION
    }

    /// Where somebody with this session stands. It lasts for `max` at most, and beyond the token of Globus Auth only if
    /// that can be renewed.
    pub(crate) fn visitor(self, max: Duration, now: SystemTime) -> Visitor {
        if self.time_left(max, now).is_zero() {
            return Visitor::Expired(self);
        }
        match self.find(GLOBUS_AUTH).map(|token| (token, self.state(token, now))) {
            // Without a token of Globus Auth there is nothing to go by but the absolute limit.
            None | Some((_, TokenState::Good)) => Visitor::SignedIn(self),
            Some((_, TokenState::Renewable)) => Visitor::NeedsRenewal(self),
            Some((_, TokenState::Over)) => Visitor::Expired(self),
        }
    }

    /// How long the session can last yet, with whatever tokens.
    pub(crate) fn time_left(&self, max: Duration, now: SystemTime) -> Duration {
        let end = self.begun.saturating_add(max.as_secs());
        Duration::from_secs(end.saturating_sub(clock::seconds(now)))
    }

    /// The token for a service, such as `transfer.api.globus.org`, for the header `Authorization: Bearer`.
    ///
    /// One that is about to end is an error that sends a person to have it renewed and back here, or to sign in again
    /// where it cannot be, and tells a program to.
    pub fn token(&self, resource_server: &str, now: SystemTime) -> Result<&str> {
        // The scopes ask for it, or do not: no sign-in would change that.
        let token = self.find(resource_server).ok_or(Kind::Internal("no_token_for_service"))?;
        match self.state(token, now) {
            TokenState::Good => Ok(&token.access_token),
            TokenState::Renewable => Err(Kind::RenewalRequired.into()),
            TokenState::Over => Err(Kind::SignInRequired.into()),
        }
    }

    /// Whether a token is about to end, for whatever service, and can be renewed.
    pub(crate) fn needs_renewal(&self, now: SystemTime) -> bool {
        self.tokens.iter().any(|token| matches!(self.state(token, now), TokenState::Renewable))
    }

    /// The tokens that are about to end and can be renewed.
    pub(crate) fn renewable(&self, now: SystemTime) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(move |token| token.is_over(now) && token.refresh_token.is_some())
    }

    /// Notes that somebody else is asking Globus at this moment: until that is known, the tokens will do as they are, if
    /// they can still be used.
    pub(crate) fn being_renewed(&mut self, now: SystemTime) {
        if self.renewable(now).all(|token| !token.time_left(now).is_zero()) {
            self.asked(now);
        }
    }

    /// Takes renewed tokens up, each in the place of the one for the same service. A refresh token that did not come
    /// with one stays as it is.
    pub fn renew(&mut self, renewed: Vec<Token>, now: SystemTime) {
        self.asked(now);
        for mut token in renewed {
            match self.tokens.iter_mut().find(|old| old.resource_server == token.resource_server) {
                Some(old) => {
                    token.refresh_token = token.refresh_token.or(old.refresh_token.take());
                    *old = token;
                }
                None => self.tokens.push(token),
            }
        }
    }

    /// Whether the token for Globus Auth can still be used, however little time is left.
    pub fn has_time_left(&self, now: SystemTime) -> bool {
        self.find(GLOBUS_AUTH).is_none_or(|token| !token.time_left(now).is_zero())
    }

    fn asked(&mut self, now: SystemTime) {
        self.asked_after = clock::seconds(now).saturating_sub(self.begun);
    }

    fn find(&self, resource_server: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.resource_server == resource_server)
    }

    fn state(&self, token: &Token, now: SystemTime) -> TokenState {
        let ask_again = self.begun.saturating_add(self.asked_after).saturating_add(ASK_AGAIN_AFTER);
        let asked_just_now = clock::seconds(now) < ask_again;
        if token.is_over(now) && token.refresh_token.is_some() && !asked_just_now {
            TokenState::Renewable
        } else if token.time_left(now).is_zero() {
            TokenState::Over
        } else {
            TokenState::Good
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_zero(seconds: &u64) -> bool {
    *seconds == 0
}

/// What can be done with a token.
enum TokenState {
    /// Use it.
    Good,
    /// Have it renewed first.
    Renewable,
    /// Nothing.
    Over,
}

#[cfg(test)]
mod tests;
