//! The token response, with what Globus adds to that of
//! [RFC 6749 section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).
//!
//! An optional member that is absent, null, or blank is one and the same: absent. What Globus adds for other services is
//! read entry by entry, so that one that cannot be used does not refuse the sign-in.

use std::{fmt, time::Duration};

use oauth2::{
    AccessToken, RefreshToken, RequestTokenError, Scope,
    basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenType},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::require;
use crate::{Error, Kind, Secret, Timestamp, log::Reason, session::Token};

/// A token response of Globus: the token of one service, the ID token, and the tokens of other services.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenResponse {
    access_token: AccessToken,
    #[serde(default = "no_type", deserialize_with = "token_type")]
    token_type: BasicTokenType,
    /// Zero if it is missing or no number.
    #[serde(default, deserialize_with = "lifetime")]
    expires_in: Duration,
    #[serde(default, deserialize_with = "text")]
    refresh_token: Option<String>,
    #[serde(default, deserialize_with = "text")]
    scope: Option<String>,
    #[serde(default, deserialize_with = "text")]
    resource_server: Option<String>,
    /// A renewal does not use it, so it is not read before it is needed.
    #[serde(default)]
    id_token: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "entries")]
    other_tokens: Vec<Box<RawValue>>,
}

/// The tokens of a response, one for each service, and why others in it are not used.
pub(super) struct Tokens {
    pub(super) used: Vec<Token>,
    pub(super) unused: Vec<Reason>,
}

/// Without a value: the response is made of tokens.
impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse").finish_non_exhaustive()
    }
}

/// What the crate `oauth2` requires of a token response.
impl oauth2::TokenResponse for TokenResponse {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        Some(self.expires_in)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl TokenResponse {
    /// Refuses a token that is not a bearer token, has no lifetime, or has expired on arrival.
    pub(super) fn check(&self) -> Result<(), Reason> {
        require(self.token_type == BasicTokenType::Bearer, Reason::TokenType)?;
        // 48 hours are usual, but Globus may give an older token with less time left: nothing is assumed.
        require(!self.expires_in.is_zero(), Reason::TokenLifetimeMissing)
    }

    /// The ID token of a sign-in.
    pub(super) fn id_token(&self) -> Result<String, Reason> {
        let raw = self.id_token.as_deref().map_or("null", RawValue::get);
        let text: Option<String> = serde_json::from_str(raw).map_err(|_| Reason::IdTokenMalformed)?;
        text.filter(|text| !text.trim().is_empty()).ok_or(Reason::IdTokenMissing)
    }

    /// The tokens of a sign-in that were received `now`. Of two for one service the first is used: the ID token belongs to
    /// the token at the top.
    pub(super) fn tokens(self, default_service: &str, now: Timestamp) -> Tokens {
        let entries: Vec<_> = self.other_tokens.iter().map(|entry| other_token(entry, now)).collect();
        let mut tokens = Tokens { used: vec![self.token(default_service, now)], unused: Vec::new() };
        for entry in entries {
            match entry {
                Err(reason) => tokens.unused.push(reason),
                Ok(token) => match tokens.used.iter().find(|used| used.resource_server == token.resource_server) {
                    None => tokens.used.push(token),
                    Some(used) if token.secrets().all(|secret| used.secrets().any(|other| other == secret)) => {}
                    Some(_) => tokens.unused.push(Reason::TokenRepeated),
                },
            }
        }
        tokens
    }

    /// The token that renews `old`. What is left out is as before
    /// ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
    pub(super) fn renewed(self, old: &Token, now: Timestamp) -> Result<Token, Reason> {
        self.check()?;
        let scope_is_absent = self.scope.is_none();
        let mut token = self.token(&old.resource_server, now);
        require(token.resource_server == old.resource_server, Reason::RenewalOfAnotherService)?;
        if scope_is_absent {
            token.scope.clone_from(&old.scope);
        }
        Ok(token)
    }

    fn token(self, default_service: &str, now: Timestamp) -> Token {
        Token {
            resource_server: self.resource_server.unwrap_or_else(|| default_service.to_owned()),
            scope: self.scope.unwrap_or_default(),
            access_token: Secret::new(self.access_token.into_secret()),
            refresh_token: self.refresh_token.map(Secret::new),
            received: now,
            lifetime: self.expires_in,
        }
    }
}

/// The token of an entry beside the top of the response.
fn other_token(entry: &RawValue, now: Timestamp) -> Result<Token, Reason> {
    let response: TokenResponse = serde_json::from_str(entry.get()).map_err(|_| Reason::TokenEntryUnreadable)?;
    response.check()?;
    let service = response.resource_server.clone().ok_or(Reason::TokenEntryUnreadable)?;
    Ok(response.token(&service, now))
}

/// Text that may be absent, null, or blank.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.trim().is_empty()))
}

fn no_type() -> BasicTokenType {
    BasicTokenType::Extension(String::new())
}

/// Only `Bearer` is of use, in upper or lower case.
fn token_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasicTokenType, D::Error> {
    let bearer = text(deserializer)?.is_some_and(|text| text.eq_ignore_ascii_case("bearer"));
    Ok(if bearer { BasicTokenType::Bearer } else { no_type() })
}

/// Seconds, as a number or as text.
fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    let number = raw.as_deref().map_or("", RawValue::get).trim_matches('"').trim();
    let whole = number.parse().map(Duration::from_secs).ok();
    let fraction = || Duration::try_from_secs_f64(number.parse().ok()?).ok();
    Ok(Duration::from_secs(whole.or_else(fraction).unwrap_or_default().as_secs()))
}

/// A list, or nothing.
fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Box<RawValue>>, D::Error> {
    let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
    match raw.as_deref().map_or("", RawValue::get).trim_matches('"').trim() {
        "" => Ok(Vec::new()),
        list => serde_json::from_str(list).map_err(serde::de::Error::custom),
    }
}

/// Every access and refresh token in the body of a token response, at any depth and as far as it is JSON: the body need
/// not be complete, nor make sense.
pub(super) fn secrets(body: &[u8]) -> Vec<Secret> {
    let mut found = Vec::new();
    let (mut rest, mut names_a_token) = (body, false);
    while let Some((between, literal, after)) = next_literal(rest) {
        // One token, or the first one in a list.
        let is_value = between.contains(&b':') && between.iter().all(|byte| b":[ \t\r\n".contains(byte));
        let text: String = serde_json::from_slice(literal).unwrap_or_default();
        if names_a_token && is_value {
            let secret = Secret::new(text);
            if !secret.expose().is_empty() && !found.contains(&secret) {
                found.push(secret);
            }
            names_a_token = false;
        } else {
            names_a_token = matches!(text.as_str(), "access_token" | "refresh_token");
        }
        rest = after;
    }
    found
}

/// The next JSON string in a text, quotes included: what is before it, the string, what is after it.
fn next_literal(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let begin = text.iter().position(|byte| *byte == b'"')?;
    let (before, text) = text.split_at_checked(begin)?;
    let mut escaped = false;
    let length = text.iter().skip(1).position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    let (literal, after) = text.split_at_checked(length + 2)?;
    Some((before, literal, after))
}

/// The error for a token request that failed. Only the code of a refusal is used, whatever comes with it: Globus sends it
/// with 400 and with 401, and its text may repeat what was sent.
pub(super) fn failure(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    use RequestTokenError::{Other, Parse, Request, ServerResponse};

    let code = match error {
        Request(error) => return error,
        ServerResponse(refusal) => Some(refusal.error().clone()),
        Parse(_, body) => serde_json::from_slice(&body).ok().map(|Refusal { error }| error),
        Other(_) => None,
    };
    code.map_or(Kind::ResponseRefused(Reason::TokenResponseUnreadable), |code| refused(&code)).into()
}

/// The code of a refusal.
#[derive(Deserialize)]
struct Refusal {
    error: BasicErrorResponseType,
}

fn refused(code: &BasicErrorResponseType) -> Kind {
    use BasicErrorResponseType::{InvalidClient, InvalidGrant, UnauthorizedClient};

    match code {
        InvalidGrant => Kind::CodeRefused,
        InvalidClient | UnauthorizedClient => Kind::GlobusRefused(Reason::ClientRefused),
        _ => Kind::GlobusRefused(Reason::TokenRequestRefused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Vec<String> {
        secrets(body.as_bytes()).iter().map(|secret| secret.expose().to_owned()).collect()
    }

    #[test]
    fn tokens_are_found_at_any_depth_and_as_far_as_the_body_is_json() {
        for (body, expected) in [
            (r#"{"access_token":"a","refresh_token":"r"}"#, &["a", "r"][..]),
            (r#"{"other_tokens":{"x":[{"access_token" : "a"}]},"refresh_token":"r"}"#, &["a", "r"]),
            (r#"[{"access_token":"a"},{"access_token":"a"},{"access_token":"b"}]"#, &["a", "b"]),
            (r#"{"access_token":"a","refresh_token":"r","scope":"op"#, &["a", "r"]),
            (r#"{"access_token":"a","refresh_token":"cut o"#, &["a"]),
            (r#"{"name":"\ud800","access\u005ftoken":"a\"\\","x":"\\","refresh_token":"r"}"#, &["a\"\\", "r"]),
            (r#"{"access_token":["a"],"refresh_token":null,"x":"y"}"#, &["a"]),
            (r#"{"access_token":"access_token","refresh_token":""}"#, &["access_token"]),
            (r#"{"x":"access_token","y":"z","scope":["access_token","b"]}"#, &[]),
            (r#"{"access_token":7}"#, &[]),
            ("\u{feff}{\"access_token\":\"a\"}", &["a"]),
            ("<h1>Hello</h1>", &[]),
            ("", &[]),
        ] {
            assert_eq!(found(body), expected, "{body}");
        }
    }

    #[test]
    fn debug_output_of_a_response_holds_no_token() {
        let body = r#"{"access_token":"canary","other_tokens":[{"access_token":"canary"}],"id_token":"canary"}"#;
        let response: TokenResponse = serde_json::from_str(body).unwrap();
        assert_eq!(format!("{response:?}"), "TokenResponse { .. }");
    }
}
