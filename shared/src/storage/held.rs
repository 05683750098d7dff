//! What the session cookies of a browser hold.

use lambda_http::Request;
use serde::de::DeserializeOwned;

use super::NAME;
use crate::{
    cookies::{Opened, Purpose, SealedCookies},
    session::Session,
};

/// What a session cookie can hold: the session itself, or the ticket to it.
pub(super) trait InCookie: DeserializeOwned + PartialEq {
    /// What the cookie was sealed for.
    const PURPOSE: Purpose;

    /// Whether it is of a known format.
    fn is_known(&self) -> bool;

    /// The user's UUID.
    fn sub(&self) -> &str;
}

impl InCookie for Session {
    const PURPOSE: Purpose = Purpose::Session;

    fn is_known(&self) -> bool {
        self.is_known()
    }

    fn sub(&self) -> &str {
        &self.identity.sub
    }
}

/// What the session cookies of a request hold: that of this release, then that of the first release. While functions are
/// updated one after the other, or after a return to the first release, a browser can have both.
pub(super) struct Held<T> {
    /// All that was opened: what a logout ends, and a new session replaces.
    pub(super) values: Vec<T>,
    unreadable: bool,
}

impl<T: InCookie> Held<T> {
    pub(super) fn of(request: &Request, cookies: &SealedCookies) -> Self {
        let mut held = Self { values: Vec::new(), unreadable: false };
        for opened in [cookies.open(request, T::PURPOSE, NAME), cookies.open_first(request, T::PURPOSE, NAME)] {
            match opened {
                Opened::Value(value) if T::is_known(&value) => {
                    if !held.values.contains(&value) {
                        held.values.push(value);
                    }
                }
                Opened::Value(_) | Opened::Unreadable => held.unreadable = true,
                Opened::Absent => {}
            }
        }
        held
    }

    /// The one that the browser goes on with. Of two users, neither is believed to be the visitor.
    pub(super) fn current(self) -> Opened<T> {
        let of_one_user = self.values.windows(2).all(|pair| matches!(pair, [one, other] if one.sub() == other.sub()));
        match self.values.into_iter().next() {
            Some(value) if of_one_user => Opened::Value(value),
            None if !self.unreadable => Opened::Absent,
            _ => Opened::Unreadable,
        }
    }
}
