//! The token response, with what Globus adds to that of
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).

use oauth2::{
    AccessToken, ExtraTokenFields, RefreshToken, RequestTokenError, StandardTokenResponse, TokenResponse as _,
    basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenType},
};
use serde::{Deserialize, Serialize};

use crate::{
    config::Secret,
    error::{Error, Kind, Result},
    log::Reason,
    session::{GLOBUS_AUTH, Token},
    timestamp::Timestamp,
};

/// A token response of Globus.
pub(super) type TokenResponse = StandardTokenResponse<GlobusFields, BasicTokenType>;

/// What Globus adds: the service, the ID token, and the tokens for other services in the same form.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct GlobusFields {
    resource_server: Option<String>,
    pub(super) id_token: Option<String>,
    other_tokens: Option<Vec<TokenResponse>>,
}

impl ExtraTokenFields for GlobusFields {}

/// The token at the top of the response and those beside it, each for one service.
fn each_token(response: &TokenResponse) -> impl Iterator<Item = &TokenResponse> {
    let others = response.extra_fields().other_tokens.iter().flatten();
    std::iter::once(response).chain(others)
}

/// Refuses a response with a token that is not a bearer token, has no lifetime, or has expired on arrival.
pub(super) fn check(response: &TokenResponse) -> Result<()> {
    each_token(response).try_for_each(|token| {
        if *token.token_type() != BasicTokenType::Bearer {
            return Err(Kind::ResponseRefused(Reason::TokenType).into());
        }
        // 48 hours are usual, but Globus may give an older token with less time left: nothing is assumed.
        if token.expires_in().is_none_or(|lifetime| lifetime.is_zero()) {
            return Err(Kind::ResponseRefused(Reason::TokenLifetimeMissing).into());
        }
        Ok(())
    })
}

/// The tokens of a response that was received `now`.
pub(super) fn tokens(response: &TokenResponse, now: Timestamp) -> Vec<Token> {
    let token = |response: &TokenResponse| {
        let scopes: Vec<_> = response.scopes().into_iter().flatten().map(|scope| scope.as_str()).collect();
        let resource_server = response.extra_fields().resource_server.as_deref();
        Token {
            resource_server: resource_server.unwrap_or(GLOBUS_AUTH).to_owned(),
            scope: scopes.join(" "),
            access_token: Secret::new(AccessToken::secret(response.access_token())),
            refresh_token: response.refresh_token().map(RefreshToken::secret).map(Secret::new),
            received: now,
            lifetime: response.expires_in().unwrap_or_default(),
        }
    };
    each_token(response).map(token).collect()
}

/// The error for a token request that failed. Only the code of a refusal is used: Globus sends it with 400 and with 401,
/// and its text may repeat what was sent.
pub(super) fn failure(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(refusal) => match refusal.error() {
            BasicErrorResponseType::InvalidGrant => Kind::CodeRefused.into(),
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => {
                Kind::GlobusRefused(Reason::ClientRefused).into()
            }
            _ => Kind::GlobusRefused(Reason::TokenRequestRefused).into(),
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Kind::ResponseRefused(Reason::TokenResponseUnreadable).into()
        }
    }
}
