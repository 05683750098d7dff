//! The renewal of tokens ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).

use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use oauth2::RefreshToken;

use super::{
    Globus,
    token_response::{self, TokenResponse},
};
use crate::{
    Error, Kind, Result, Secret, Timestamp,
    session::{Session, Token},
};

/// The result of a renewal.
#[derive(Debug, Default)]
pub struct Renewed {
    /// The tokens of the services whose renewal succeeded.
    pub tokens: Vec<Token>,
    /// The errors of those whose renewal failed.
    pub failures: Vec<Error>,
}

impl Globus {
    /// Renews the tokens of a session that expire soon: one request for each service, in parallel. One that fails does not
    /// affect the others.
    pub async fn refresh(&self, session: &Session, now: Timestamp) -> Renewed {
        let mut renewed = Renewed::default();
        for result in join_all(session.renewable(now).map(|token| self.refresh_one(token, session, now))).await {
            match result {
                Ok(token) => renewed.tokens.push(token),
                Err(error) => renewed.failures.push(error),
            }
        }
        renewed
    }

    /// Renews one token of a session. All that Globus gives beside it is revoked, unless the session has it.
    async fn refresh_one(&self, token: &Token, session: &Session, now: Timestamp) -> Result<Token> {
        let refresh_token = token.refresh_token.as_ref().map(Secret::expose).unwrap_or_default();
        let refresh_token = RefreshToken::new(refresh_token.to_owned());
        let received = Mutex::default();
        let send = |request| self.send(request, &received);
        let response = self.oauth.exchange_refresh_token(&refresh_token).request_async(&send).await;
        let response: Result<TokenResponse> = response.map_err(token_response::failure);
        let renewed =
            response.and_then(|response| response.renewed(token, now).map_err(|why| Kind::ResponseRefused(why).into()));

        let received = received.into_inner().unwrap_or_else(PoisonError::into_inner);
        let in_use: Vec<_> = session.tokens.iter().chain(&renewed).cloned().collect();
        self.revoke_secrets(&received, &in_use).await;
        renewed
    }
}
