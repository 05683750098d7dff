//! What the last check of the access rules has found, and how long it is good.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, config::AccessRules, timestamp::SKEW};

/// How long a session lasts, as the settings say.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest time a user stays signed in.
    pub max: Duration,
    /// If there are access rules: their hash, and how long the result of a check is good.
    pub rules: Option<(String, Duration)>,
}

/// The result of a check that let the user in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The hash of the rules that were checked.
    #[serde(rename = "h")]
    rules: String,
    #[serde(rename = "c")]
    checked: Timestamp,
    /// When the login at the identity provider is too old, if there is a rule about that.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    /// The names of the user's roles.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) roles: Vec<String>,
}

/// How a session stands with the access rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its user may come in.
    Good,
    /// Its user may come in, and is checked again when that interrupts no user.
    CheckSoon,
    /// Its user is checked first: the result of the last check is too old.
    Check,
    /// Its user is checked first: the rules have changed since, or there was no check.
    OtherRules,
    /// Its user logs in again first: the login is older than a rule allows.
    LoginTooOld,
}

impl Admission {
    /// A user who was let in `now`, `by` these rules, with these roles, until the login is too old.
    pub fn new(by: &AccessRules, roles: Vec<String>, until: Option<Timestamp>, now: Timestamp) -> Self {
        Self { rules: by.hash().to_owned(), checked: now, until, roles }
    }

    /// Whether these rules were checked.
    pub(super) fn is_by(&self, limits: &Limits) -> bool {
        limits.rules.as_ref().is_some_and(|(hash, _)| *hash == self.rules)
    }

    /// When the user must be checked again or log in again, whichever is first.
    pub(super) fn ends(&self, every: Duration) -> Timestamp {
        let check = self.checked + every;
        self.until.map_or(check, |until| until.min(check))
    }

    pub(super) fn standing(&self, every: Duration, now: Timestamp) -> Standing {
        let from_the_future = self.checked > now + SKEW;
        if self.until.is_some_and(|until| now >= until) {
            Standing::LoginTooOld
        } else if now >= self.checked + every || from_the_future {
            Standing::Check
        } else if now >= self.checked + every / 2 {
            Standing::CheckSoon
        } else {
            Standing::Good
        }
    }
}
