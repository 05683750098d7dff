//! The revocation of tokens ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).

use std::time::Duration;

use futures_util::future::join_all;

use super::{Globus, http};
use crate::{
    Secret,
    log::{self, Event, Outcome, Reason},
    session::Token,
};

/// How long a logout waits for Globus to revoke the tokens.
const REVOKE_WITHIN: Duration = Duration::from_secs(2);

impl Globus {
    /// Revokes the refresh and the access token of every service, all that Globus revokes within two seconds, except for those
    /// that are in use: Globus may give a token that it gave before. Revoking one of a pair leaves the other usable. Returns
    /// how many were not revoked.
    pub async fn revoke(&self, tokens: &[Token], in_use: &[Token]) -> usize {
        self.revoke_secrets(tokens.iter().flat_map(Token::secrets), in_use).await
    }

    pub(super) async fn revoke_secrets(&self, secrets: impl IntoIterator<Item = &Secret>, in_use: &[Token]) -> usize {
        let is_used = |secret: &Secret| in_use.iter().flat_map(Token::secrets).any(|used| used == secret);
        let secrets: Vec<_> = secrets.into_iter().filter(|secret| !is_used(secret)).collect();
        let revoked = join_all(secrets.iter().map(|secret| self.revoke_one(secret.expose()))).await;
        let left = revoked.into_iter().filter(|revoked| !revoked).count();
        if left > 0 {
            let detail = format!("{left} of {}", secrets.len());
            let details = log::Details { detail: Some(&detail), ..Reason::TokensNotRevoked.into() };
            log::write(Event::Revocation, Outcome::Failure, details);
        }
        left
    }

    async fn revoke_one(&self, secret: &str) -> bool {
        let request = self.about_token("revoke", &[("token", secret)]).timeout(REVOKE_WITHIN);
        http::send(request).await.is_ok_and(|response| response.status().is_success())
    }
}
