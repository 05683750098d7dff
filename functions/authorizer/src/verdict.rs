//! The result of an authorizer.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use shared::Timestamp;

/// What API Gateway is told about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not passed on. The client gets a 403.
    Denied,
    /// It is passed on for a visitor who is not logged in.
    Visitor {
        /// The path where the visitor logs in or renews the session, and then comes back.
        login: String,
    },
    /// It is passed on for a user who is logged in.
    SignedIn {
        /// Who that is, as [`Session::who`](shared::session::Session::who) says.
        who: BTreeMap<&'static str, String>,
        /// Until when.
        expires: Timestamp,
    },
}

/// The form in which API Gateway reads it. The function behind the route gets `context` in
/// `event.requestContext.authorizer.lambda`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SimpleResponse {
    is_authorized: bool,
    /// Text only: at 256 bytes a value it stays below 4 KB, even if each character beyond ASCII is escaped.
    context: BTreeMap<&'static str, String>,
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (is_authorized, context) = match self {
            Self::Denied => (false, BTreeMap::new()),
            // No `sub`: code that forgets to look at `login` finds no user.
            Self::Visitor { login } => (true, [("login", login.clone())].into()),
            Self::SignedIn { who, expires } => {
                let mut context = who.clone();
                context.insert("expires", expires.seconds().to_string());
                (true, context)
            }
        };
        SimpleResponse { is_authorized, context }.serialize(serializer)
    }
}
