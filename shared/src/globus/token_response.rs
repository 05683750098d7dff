//! The token response, with what Globus adds to that of
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).

use oauth2::{
    ExtraTokenFields, RefreshToken, RequestTokenError, StandardTokenResponse, TokenResponse as _,
    basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenType},
};
use serde::{Deserialize, Serialize};

use super::require;
use crate::{
    config::Secret,
    error::{Error, Kind},
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
pub(super) fn check(response: &TokenResponse) -> Result<(), Reason> {
    each_token(response).try_for_each(|token| {
        require(*token.token_type() == BasicTokenType::Bearer, Reason::TokenType)?;
        // 48 hours are usual, but Globus may give an older token with less time left: nothing is assumed.
        require(token.expires_in().is_some_and(|lifetime| !lifetime.is_zero()), Reason::TokenLifetimeMissing)
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
            access_token: Secret::new(response.access_token().secret()),
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
    use BasicErrorResponseType::{InvalidClient, InvalidGrant, UnauthorizedClient};
    use RequestTokenError::{Other, Parse, Request, ServerResponse};

    let kind = match error {
        Request(error) => return error,
        ServerResponse(refusal) => match refusal.error() {
            InvalidGrant => Kind::CodeRefused,
            InvalidClient | UnauthorizedClient => Kind::GlobusRefused(Reason::ClientRefused),
            _ => Kind::GlobusRefused(Reason::TokenRequestRefused),
        },
        Parse(..) | Other(_) => Kind::ResponseRefused(Reason::TokenResponseUnreadable),
    };
    kind.into()
}
