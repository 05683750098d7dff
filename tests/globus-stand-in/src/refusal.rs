//! The two formats of Globus Auth's error responses to API clients.

use axum::{
    Json,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::random;

/// A request that is refused with an error response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// OAuth's format, with an error code and no description
    /// ([RFC 6749, section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
    OAuth(StatusCode, &'static str),
    /// The format of Globus's own API, for a client that is not authenticated.
    Unauthorized,
    /// The same format, for a client that is not allowed to do this.
    Forbidden,
}

impl Refusal {
    pub(crate) const INVALID_REQUEST: Self = Self::OAuth(StatusCode::BAD_REQUEST, "invalid_request");
    /// An error of the stand-in itself, such as a key that could not be generated.
    pub(crate) const BROKEN: Self = Self::OAuth(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    pub(crate) const INVALID_CLIENT: Self = Self::OAuth(StatusCode::UNAUTHORIZED, "invalid_client");
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::OAuth(status, error) => {
                let body = Json(json!({ "error": error }));
                if status == StatusCode::UNAUTHORIZED {
                    let headers =
                        [(CACHE_CONTROL, "no-store"), (WWW_AUTHENTICATE, r#"Basic realm="Globus Auth stand-in""#)];
                    (status, headers, body).into_response()
                } else {
                    (status, [(CACHE_CONTROL, "no-store")], body).into_response()
                }
            }
            Self::Unauthorized => api_error(StatusCode::UNAUTHORIZED, "Unauthorized", "Call must be authenticated"),
            Self::Forbidden => {
                api_error(StatusCode::FORBIDDEN, "Forbidden", "Call must be allowed by the token's scopes")
            }
        }
    }
}

/// The status is in the body too, as a string.
fn api_error(status: StatusCode, title: &str, detail: &str) -> Response {
    let body = json!({
        "errors": [{
            "status": status.as_str(),
            "id": random::uuid(),
            "code": title.to_ascii_uppercase(),
            "title": title,
            "detail": detail,
        }],
        "error": title.to_ascii_lowercase(),
        "error_description": title,
    });
    (status, Json(body)).into_response()
}
