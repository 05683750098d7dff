//! What the session cookie of a request leads to.

use crate::log::Reason;

use super::{Session, Token};

/// The visitor who sent a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Without a session cookie.
    SignedOut,
    /// With a session cookie that leads to no session, for this reason.
    Unusable(Reason),
    /// With a session that has ended. Its tokens may still be good for a logout.
    Expired(Session),
    /// With a session from before a logout of this browser, which a late response has brought back. Its tokens are to be
    /// revoked.
    LoggedOut(Session),
    /// With a session whose user logged in at the identity provider longer ago than a rule allows.
    LoginTooOld(Session),
    /// With a session that must be renewed first: its token for Globus Auth expires soon, or the access rules must be
    /// checked.
    NeedsRenewal(Session),
    /// Signed in.
    SignedIn(Session),
}

impl Visitor {
    /// The tokens in the visitor's session.
    pub fn tokens(&self) -> &[Token] {
        match self {
            Self::SignedOut | Self::Unusable(_) => &[],
            Self::Expired(session)
            | Self::LoggedOut(session)
            | Self::LoginTooOld(session)
            | Self::NeedsRenewal(session)
            | Self::SignedIn(session) => &session.tokens,
        }
    }

    /// The session, if it has not ended. A sign-in must not take it away from another user.
    pub fn living(&self) -> Option<&Session> {
        match self {
            Self::SignedIn(session) | Self::NeedsRenewal(session) => Some(session),
            Self::SignedOut | Self::Unusable(_) | Self::Expired(_) | Self::LoggedOut(_) | Self::LoginTooOld(_) => None,
        }
    }
}
