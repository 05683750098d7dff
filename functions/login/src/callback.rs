//! The parameters that Globus adds to the redirect URI.

use lambda_http::Request;
use shared::{Kind, Result, config::Origin, log::Reason, request::parameter};

/// An authorization response ([RFC 6749 section 4.1.2](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2)).
pub(crate) struct Callback {
    /// Names the attempt; empty if it is missing.
    pub(crate) state: String,
    issuer: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

impl Callback {
    /// The callback, if the request is one: it has a code or an error.
    pub(crate) fn parse(request: &Request) -> Result<Option<Self>> {
        let [state, issuer, code, error] = ["state", "iss", "code", "error"].map(|name| parameter(request, name));
        let (code, error) = (code?, error?);
        if code.is_none() && error.is_none() {
            return Ok(None);
        }
        Ok(Some(Self { state: state?.unwrap_or_default(), issuer: issuer?, code, error }))
    }

    /// The authorization code, if the callback is a success of this authorization server
    /// ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)). An empty code or error is as if it were absent; an empty issuer is another one.
    pub(crate) fn code(self, issuer: &Origin) -> Result<String> {
        if self.issuer.is_some_and(|iss| iss != issuer.as_str()) {
            return Err(Kind::ResponseRefused(Reason::CallbackIssuer).into());
        }
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        match given(self.error) {
            Some(error) => Err(refusal(&error).into()),
            None => Ok(given(self.code).ok_or(Kind::BadRequest(Reason::CodeMissing))?),
        }
    }
}

/// The error for Globus's error code. It comes in the address bar, where anyone can write: only known codes are logged,
/// and none of them counts as a failure of this site.
///
/// [RFC 6749 section 4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)
fn refusal(error: &str) -> Kind {
    match error {
        "access_denied" => Kind::Denied,
        "temporarily_unavailable" => Kind::GlobusReported(Reason::TemporarilyUnavailable),
        "server_error" => Kind::GlobusReported(Reason::ServerError),
        "invalid_scope" => Kind::GlobusReported(Reason::InvalidScope),
        "invalid_request" => Kind::GlobusReported(Reason::InvalidRequest),
        "unauthorized_client" => Kind::GlobusReported(Reason::UnauthorizedClient),
        "login_required" => Kind::GlobusReported(Reason::LoginRequired),
        _ => Kind::GlobusReported(Reason::UnknownError),
    }
}
