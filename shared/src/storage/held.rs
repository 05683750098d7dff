//! What the session cookies of a browser hold.

use lambda_http::Request;
use serde::de::DeserializeOwned;

use super::NAME;
use crate::cookies::{Opened, Purpose, SealedCookies};

/// What the session cookies of a request hold: that of this release, then that of the first release. While functions are
/// updated one after the other, or after a return to the first release, a browser can have both.
pub(super) struct Held<T> {
    /// All that was opened: what a logout ends, and a new session replaces.
    pub(super) values: Vec<T>,
    unreadable: bool,
}

impl<T: DeserializeOwned + PartialEq> Held<T> {
    /// What the cookies that were sealed for `purpose` hold, if it is of a known format.
    pub(super) fn of(request: &Request, cookies: &SealedCookies, purpose: Purpose, is_known: fn(&T) -> bool) -> Self {
        let mut held = Self { values: Vec::new(), unreadable: false };
        for opened in [cookies.open(request, purpose, NAME), cookies.open_first(request, purpose, NAME)] {
            match opened {
                Opened::Value(value) if is_known(&value) => {
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

    /// The one that the browser goes on with. Of two users, neither is believed to be the visitor; `sub` is their UUID.
    pub(super) fn current(self, sub: fn(&T) -> &str) -> Opened<T> {
        let of_one_user = self.values.windows(2).all(|pair| matches!(pair, [one, other] if sub(one) == sub(other)));
        match self.values.into_iter().next() {
            Some(value) if of_one_user => Opened::Value(value),
            None if !self.unreadable => Opened::Absent,
            _ => Opened::Unreadable,
        }
    }
}
