//! Which kind of visitor sent a request, by the session that the cookie leads to.

use crate::{Timestamp, log::Reason};

use super::{GLOBUS_AUTH, Limits, Session, Token, TokenState, admission::Standing};

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

impl Session {
    /// The visitor with this session, in a browser whose last logout is marked by `logout`. The session lasts beyond the token
    /// of Globus Auth only if that can be renewed.
    pub(crate) fn visitor(mut self, logout: Timestamp, limits: &Limits, now: Timestamp) -> Visitor {
        // Roles by other rules are none.
        self.admission = self.admission.filter(|admission| admission.is_by(limits));
        if self.begun < logout {
            return Visitor::LoggedOut(self);
        }
        if self.time_left(limits.max, now).is_zero() {
            return Visitor::Expired(self);
        }
        match (self.find(GLOBUS_AUTH).map(|token| self.state(token, now)), self.standing(limits, now)) {
            (Some(TokenState::Expired), _) => Visitor::Expired(self),
            (_, Standing::LoginTooOld) => Visitor::LoginTooOld(self),
            (Some(TokenState::Renewable), _) | (_, Standing::OtherRules | Standing::Check) => {
                Visitor::NeedsRenewal(self)
            }
            // Without a token of Globus Auth, only the absolute limit and the rules count.
            (None | Some(TokenState::Good), Standing::Good | Standing::CheckSoon) => Visitor::SignedIn(self),
        }
    }
}
