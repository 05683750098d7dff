//! What is known of a browser: its cookies, and whether its user must be logged in.

use std::sync::Arc;

use crate::http::Response;

use super::{
    action::Cookies,
    call::Call,
    ledger::{Fate, Ledger},
    sight::Sight,
};

/// Whether a user is logged in.
#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Out,
    In,
    /// One of the two, until the next login or logout: something that was to end the session has no response. In cookies,
    /// the session goes on then until its tokens, which are revoked, are to be renewed. If it has ended, this became of it.
    Unknown(Fate),
}

/// A browser of one user.
#[derive(Clone, Debug, Default)]
pub(super) struct Browser {
    /// Its cookies.
    pub(super) cookies: Cookies,
    /// How often a user has logged in with these cookies.
    pub(super) lives: u32,
    state: State,
    /// The call that began its session.
    sign_in: Option<String>,
}

impl Browser {
    /// Whether no user can be logged in.
    pub(super) fn is_out(&self) -> bool {
        matches!(self.state, State::Out)
    }

    /// Keeps and removes cookies as a response says; gives whether it has set a session cookie.
    pub(super) fn receive(&mut self, response: &Response) -> bool {
        let mut has_session = false;
        for (_, cookie) in response.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                has_session |= is_session(name);
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        has_session
    }

    /// The cookies with what a late response brings: the session cookie of before.
    pub(super) fn with_session_of(&self, before: &Cookies) -> Cookies {
        let session = before.iter().filter(|(name, _)| is_session(name));
        self.cookies.iter().chain(session).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The user has logged in, by this call.
    pub(super) fn logged_in(&mut self, call: &Call, ledger: &Ledger) {
        self.end(Fate::Replaced, ledger);
        (self.state, self.sign_in) = (State::In, Some(call.id.clone()));
    }

    /// The user has logged out, by this call.
    pub(super) fn logged_out(&mut self, call: &Arc<Call>, session_left: bool, ledger: &Ledger) {
        let fate = match &self.state {
            State::Unknown(fate) => fate.clone(),
            _ if session_left => Fate::TableDown,
            _ => Fate::LoggedOut(Arc::clone(call)),
        };
        self.end(fate, ledger);
    }

    /// The session has ended.
    pub(super) fn end(&mut self, fate: Fate, ledger: &Ledger) {
        self.state = State::Out;
        if let Some(sign_in) = self.sign_in.take() {
            ledger.ended(sign_in, fate);
        }
    }

    /// The session may have ended.
    pub(super) fn may_have_ended(&mut self, fate: Fate) {
        if matches!(self.state, State::In) {
            self.state = State::Unknown(fate);
        }
    }

    /// Learns from what a response shows. An error says what must not be.
    pub(super) fn learn(&mut self, sight: Sight) -> Result<(), &'static str> {
        match (&self.state, sight) {
            (State::In, Sight::LoggedOut | Sight::Late | Sight::Expired | Sight::Refused) => {
                self.state = State::Out;
                Err("a session is lost")
            }
            (State::Out, Sight::LoggedIn | Sight::Due | Sight::Expired) => Err("a session is there that has ended"),
            _ => Ok(()),
        }
    }
}

/// Whether a cookie of this name holds a session.
fn is_session(name: &str) -> bool {
    name.starts_with("__Host-session")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser(state: State) -> Browser {
        Browser { state, ..Browser::default() }
    }

    #[test]
    fn a_lost_and_a_revived_session_are_noticed() {
        let learns = |state: State, sight| browser(state).learn(sight);
        assert_eq!(learns(State::In, Sight::LoggedIn), Ok(()));
        assert_eq!(learns(State::Out, Sight::LoggedOut), Ok(()));
        for lost in [Sight::LoggedOut, Sight::Late, Sight::Expired, Sight::Refused] {
            assert_eq!(learns(State::In, lost), Err("a session is lost"), "{lost:?}");
        }
        for revived in [Sight::LoggedIn, Sight::Due, Sight::Expired] {
            assert_eq!(learns(State::Out, revived), Err("a session is there that has ended"), "{revived:?}");
        }
    }

    #[test]
    fn after_a_logout_without_a_response_both_can_be_until_the_next_one() {
        let ledger = Ledger::default();
        let mut browser = browser(State::In);
        browser.may_have_ended(Fate::Killed);
        for sight in [Sight::LoggedIn, Sight::LoggedOut, Sight::LoggedIn] {
            assert_eq!(browser.learn(sight), Ok(()), "{sight:?}");
        }
        browser.end(Fate::Killed, &ledger);
        assert!(browser.learn(Sight::LoggedIn).is_err());
    }
}
