//! The access token of one service, and when to renew it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Secret, Timestamp, timestamp};

/// The tokens for one service (resource server).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The service, for example `transfer.api.globus.org`.
    #[serde(rename = "r")]
    pub resource_server: String,
    /// The scopes of the access token, separated by spaces.
    #[serde(rename = "c")]
    pub scope: String,
    /// The access token: opaque, for the header `Authorization: Bearer`.
    #[serde(rename = "a")]
    pub access_token: Secret,
    /// The refresh token, if Globus gave one.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// When it was received.
    #[serde(rename = "t")]
    pub received: Timestamp,
    /// How long the access token lives from then on, in whole seconds.
    #[serde(rename = "l", with = "timestamp::duration")]
    pub lifetime: Duration,
}

impl Token {
    /// When the access token expires.
    pub fn expires(&self) -> Timestamp {
        self.received + self.lifetime
    }

    /// How long the access token is still good; zero once it has expired.
    pub fn time_left(&self, now: Timestamp) -> Duration {
        self.expires().since(now)
    }

    /// When it is time to renew the token, if there is a refresh token to do so: before a request with the token could
    /// arrive too late, in its last minute, or in the last tenth of a lifetime below ten minutes.
    pub(crate) fn renewable_from(&self) -> Option<Timestamp> {
        let has_refresh_token = self.refresh_token.as_ref().is_some_and(|token| !token.expose().is_empty());
        has_refresh_token.then(|| self.expires() - (self.lifetime / 10).min(Duration::from_mins(1)))
    }

    /// Whether it is time to renew the token, and there is a refresh token to do so.
    pub(crate) fn is_renewable(&self, now: Timestamp) -> bool {
        self.renewable_from().is_some_and(|from| now >= from)
    }

    /// The access token and the refresh token: all that must be revoked when the session ends.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let secrets = std::iter::once(&self.access_token).chain(self.refresh_token.as_ref());
        // Sessions of earlier releases can have an empty refresh token.
        secrets.filter(|secret| !secret.expose().is_empty())
    }
}
