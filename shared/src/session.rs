//! The session of a signed-in user: identity, tokens, and lifetime.
//!
//! [`storage`](crate::storage) keeps it between requests. It does not hold the ID token, which has no use after the
//! sign-in and grows with every identity that the user has linked.

mod admission;
mod display_text;
mod token;
mod visitor;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Kind, Result, Timestamp,
    log::Reason,
    random,
    timestamp::{self, SKEW},
};

use admission::Standing;
pub use admission::{Admission, Limits};
pub use display_text::DisplayText;
pub use token::Token;
pub use visitor::Visitor;

/// The version of the stored form. A new version is read for one release before it is written, since home and login are
/// not updated at the same moment.
const VERSION: u8 = 1;

/// The shortest time between two renewals of tokens that can be used meanwhile, also if the first one failed or gave tokens
/// that have expired already. So no page is sent to the renewal twice in a row, however short tokens live.
const RENEW_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How long after a renewal no page is sent to a check of the access rules that is not due yet: the last one may have
/// failed, and it is half a minute more then.
const CHECK_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// How long a session is new. If it lacks a good token, another sign-in does not help: the browser would go round in a
/// circle.
const NEW_FOR: Duration = Duration::from_mins(1);

/// The resource server of Globus Auth itself. A session lasts as long as its token can be used or renewed.
pub const GLOBUS_AUTH: &str = "auth.globus.org";

/// The user's identity, as Globus Auth reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The UUID of the identity: stable and never reassigned. The only claim that identifies a user.
    #[serde(rename = "s")]
    pub sub: String,
    /// The full name.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none", deserialize_with = "display_text::stored")]
    pub name: Option<DisplayText>,
    /// `preferred_username`: can change and be reassigned. Not an e-mail address, even if it looks like one.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none", deserialize_with = "display_text::stored")]
    pub username: Option<DisplayText>,
    /// The e-mail address. It proves nothing.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none", deserialize_with = "display_text::stored")]
    pub email: Option<DisplayText>,
    /// The organization.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none", deserialize_with = "display_text::stored")]
    pub organization: Option<DisplayText>,
    /// The name of the institution or service where the user logged in.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none", deserialize_with = "display_text::stored")]
    pub provider: Option<DisplayText>,
}

impl Identity {
    /// The name, else the username, else the UUID.
    pub fn display_name(&self) -> &str {
        self.name.as_ref().or(self.username.as_ref()).map_or(&self.sub, DisplayText::for_display)
    }

    /// This identity, with what it lacks of what `other` says of the same user.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            sub: self.sub,
            name: self.name.or(other.name),
            username: self.username.or(other.username),
            email: self.email.or(other.email),
            organization: self.organization.or(other.organization),
            provider: self.provider.or(other.provider),
        }
    }
}

/// The session of a user who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    #[serde(rename = "v")]
    version: u8,
    /// Empty in a session of the first release.
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    id: String,
    /// When the user signed in.
    #[serde(rename = "b")]
    begun: Timestamp,
    /// How long after that the last renewal was that did not end in an error page. One that failed counts as later, by as much
    /// as clocks may differ.
    #[serde(rename = "q", default, skip_serializing_if = "Duration::is_zero", with = "timestamp::duration")]
    last_renewal: Duration,
    /// The user.
    #[serde(rename = "i")]
    pub identity: Identity,
    /// The tokens, one entry for each service.
    #[serde(rename = "k")]
    pub tokens: Vec<Token>,
    /// What the access rules say, if there are any.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub admission: Option<Admission>,
}

/// What can be done with a token.
enum TokenState {
    /// Use it.
    Good,
    /// Renew it first.
    Renewable,
    /// Nothing.
    Expired,
}

/// What a renewal of a session has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: the tokens are good, and so is the last check of the access rules.
    Nothing,
    /// Renew tokens, check the access rules, or both.
    Renewal,
    /// Nothing that a renewal could do: the user logs in again.
    Login,
}

impl Session {
    /// A session that begins at `begun`, with an id of [`new_id`].
    pub fn new(id: String, identity: Identity, tokens: Vec<Token>, begun: Timestamp) -> Self {
        Self { version: VERSION, id, begun, last_renewal: Duration::ZERO, identity, tokens, admission: None }
    }

    /// When the user signed in.
    pub fn begun(&self) -> Timestamp {
        self.begun
    }

    /// Whether the user has signed in just now: what is wrong with the tokens would be wrong after another sign-in, too.
    pub fn is_new(&self, now: Timestamp) -> bool {
        now.since(self.begun) < NEW_FOR
    }

    /// When the session was last renewed, or else begun.
    pub(crate) fn last_renewal(&self) -> Timestamp {
        self.begun + self.last_renewal
    }

    /// The name of this session in the log, from sign-in to logout. It opens nothing.
    pub fn log_id(&self) -> String {
        if !self.id.is_empty() {
            return self.id.clone();
        }
        let hash = Sha256::digest(format!("{}\n{}", self.begun.seconds(), self.identity.sub));
        URL_SAFE_NO_PAD.encode(hash.get(..9).unwrap_or_default())
    }

    /// Whether the stored form is of a known version.
    pub(crate) fn is_known(&self) -> bool {
        self.version == VERSION
    }

    /// How the session stands with the access rules.
    fn standing(&self, limits: &Limits, now: Timestamp) -> Standing {
        match (&limits.rules, &self.admission) {
            (None, _) => Standing::Good,
            (Some((_, every)), Some(admission)) if admission.is_by(limits) => admission.standing(*every, now),
            (Some(_), _) => Standing::OtherRules,
        }
    }

    /// Whether the access rules are a reason to renew the session, or to have its user log in again.
    pub(crate) fn is_stopped_by_rules(&self, limits: &Limits, now: Timestamp) -> bool {
        self.check_is_due(limits, now) || !self.is_admitted(limits, now)
    }

    /// Whether the access rules should be checked again: from half of the period on, unless that was just tried.
    pub fn check_is_due(&self, limits: &Limits, now: Timestamp) -> bool {
        match self.standing(limits, now) {
            Standing::Good | Standing::LoginTooOld => false,
            Standing::CheckSoon => now >= self.last_renewal() + CHECK_AGAIN_AFTER,
            Standing::Check | Standing::OtherRules => true,
        }
    }

    /// Whether the access rules let the user in, by the last check.
    pub fn is_admitted(&self, limits: &Limits, now: Timestamp) -> bool {
        matches!(self.standing(limits, now), Standing::Good | Standing::CheckSoon)
    }

    /// Whether the user has a role of `ROLE_GROUPS`, such as `admin`, by the last check of the access rules.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|name| name == role)
    }

    /// The names of the user's roles, by the last check of the access rules.
    pub fn roles(&self) -> &[String] {
        self.admission.as_ref().map(|admission| admission.roles.as_slice()).unwrap_or_default()
    }

    /// How long the session can still last, whatever its tokens.
    pub(crate) fn time_left(&self, max: Duration, now: Timestamp) -> Duration {
        (self.begun + max).since(now)
    }

    /// When this session has to be renewed or has ended, whichever is first: from then on its user is not signed in,
    /// unless it is renewed. The idle limit of a session table can end it earlier.
    pub fn expires(&self, limits: &Limits) -> Timestamp {
        let end = self.begun + limits.max;
        let token = self.find(GLOBUS_AUTH).map(|token| self.usable_until(token));
        let check =
            limits.rules.as_ref().zip(self.admission.as_ref()).map(|((_, every), admission)| admission.ends(*every));
        end.min(token.unwrap_or(end)).min(check.unwrap_or(end))
    }

    /// Who is signed in, for other functions and for front ends: `sub`, what of `username`, `name`, `email` and
    /// `organization` there is, the name of the session in the log, and the names of the roles, separated by commas, if there
    /// are any. No token. Each value is text of at most 256 bytes.
    pub fn who(&self) -> impl Iterator<Item = (&'static str, String)> {
        let Identity { sub, username, name, email, organization, .. } = &self.identity;
        let shown = [("username", username), ("name", name), ("email", email), ("organization", organization)];
        let shown = shown.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?.for_display().to_owned())));
        let roles = Some(("roles", self.roles().join(","))).filter(|(_, roles)| !roles.is_empty());
        shown.chain([("sub", sub.clone()), ("session", self.log_id())]).chain(roles)
    }

    /// The access token for a service, such as `transfer.api.globus.org`, for the header `Authorization: Bearer`.
    ///
    /// If it expires soon, the error sends a browser to renew it and back here. If it cannot be renewed, or the scope for
    /// the service is configured only since, the error sends the browser to log in again. An API client gets a 401.
    pub fn token(&self, resource_server: &str, now: Timestamp) -> Result<&str> {
        self.good_token(resource_server, now).map(|token| token.access_token.expose())
    }

    /// The same with all that is known of the token.
    pub fn good_token(&self, resource_server: &str, now: Timestamp) -> Result<&Token> {
        let token = self.find(resource_server);
        match token.map(|token| (self.state(token, now), token)) {
            Some((TokenState::Good, token)) => Ok(token),
            Some((TokenState::Renewable, _)) => Err(Kind::RenewalRequired.into()),
            _ if !self.is_new(now) => Err(Kind::SignInRequired.into()),
            Some((TokenState::Expired, _)) => Err(Kind::ResponseRefused(Reason::TokenLifetimeMissing).into()),
            None => Err(Kind::Internal(Reason::NoTokenForService).into()),
        }
    }

    /// What a renewal of the session has to do. Tokens and access rules are looked at as by a clock that is ahead: another
    /// instance, whose clock may be so, has sent the browser here, and would send it again.
    pub(crate) fn need(&self, limits: &Limits, now: Timestamp) -> Need {
        let ahead = now + SKEW;
        let can_wait = self.find(GLOBUS_AUTH).is_none_or(|token| !token.time_left(ahead).is_zero());
        let is_just_renewed = self.is_just_renewed(ahead) && can_wait;
        let has_renewable = self.renewable(now).next().is_some() && !is_just_renewed;
        if self.standing(limits, ahead) == Standing::LoginTooOld {
            Need::Login
        } else if has_renewable || self.check_is_due(limits, ahead) {
            Need::Renewal
        } else {
            Need::Nothing
        }
    }

    /// The tokens that can be renewed and expire soon, by a clock that is ahead.
    pub(crate) fn renewable(&self, now: Timestamp) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(move |token| token.is_renewable(now + SKEW))
    }

    /// Notes that another request is renewing this session: until it has finished, the present tokens are used, if they
    /// have not expired.
    pub(crate) fn being_renewed(&mut self, now: Timestamp) {
        if self.renewable(now).all(|token| !token.time_left(now).is_zero()) {
            self.note_renewal(now + SKEW);
        }
    }

    /// Notes that a renewal has failed, if the user can go on with the present token for Globus Auth until the next one is
    /// tried: that is after ten seconds by the clock of any instance, or two instances would send the browser to each other.
    pub fn note_failure(&mut self, now: Timestamp) -> bool {
        let until = now + SKEW + RENEW_AGAIN_AFTER;
        let lasts = |token: &Token| token.renewable_from().is_none() || token.expires() >= until;
        let goes_on = self.find(GLOBUS_AUTH).is_none_or(lasts);
        if goes_on {
            self.note_renewal(now + SKEW);
        }
        goes_on
    }

    /// Replaces each token by the renewed one for the same service. A refresh token that Globus did not replace stays.
    pub fn replace_tokens(&mut self, renewed: Vec<Token>) {
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

    /// Notes when the last renewal was that did not end in an error page.
    pub fn note_renewal(&mut self, at: Timestamp) {
        self.last_renewal = at.since(self.begun);
    }

    /// The tokens for a service, whatever their age.
    pub(crate) fn find(&self, resource_server: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.resource_server == resource_server)
    }

    /// When [`state`](Self::state) is no longer good.
    fn usable_until(&self, token: &Token) -> Timestamp {
        let renewed_again = self.last_renewal() + RENEW_AGAIN_AFTER;
        token.renewable_from().map_or(token.expires(), |renewable| renewable.max(renewed_again).min(token.expires()))
    }

    fn is_just_renewed(&self, now: Timestamp) -> bool {
        now < self.last_renewal() + RENEW_AGAIN_AFTER
    }

    fn state(&self, token: &Token, now: Timestamp) -> TokenState {
        if token.is_renewable(now) && !self.is_just_renewed(now) {
            TokenState::Renewable
        } else if token.time_left(now).is_zero() {
            TokenState::Expired
        } else {
            TokenState::Good
        }
    }
}

/// A name for a session: 72 random bits in base64url, so that no two sessions share it.
pub fn new_id() -> Result<String> {
    random::text::<9>()
}

#[cfg(test)]
mod tests;
