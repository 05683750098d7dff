//! The mark of a logout: every session of this browser that began before it has ended.
//!
//! A response can arrive late. If tab 1 renews its tokens, or completes a sign-in, while the user logs out in tab 2, the
//! response to tab 1 sets a session cookie after the logout has removed it. A cookie cannot be taken back on its way, so
//! a logout also sets this mark, and a session from before it is not accepted in this browser any more.

use std::time::Duration;

use cookie::Cookie;
use lambda_http::Request;

use crate::{
    cookies::{Opened, Purpose, SealedCookies},
    error::Result,
    session::Session,
    timestamp::Timestamp,
};

const NAME: &str = "ended";

/// The mark of this browser's last logout; the epoch if there was none. A new session begins at this time or later.
pub fn mark(request: &Request, cookies: &SealedCookies) -> Timestamp {
    match cookies.open(request, Purpose::Ended, NAME) {
        Opened::Value(mark) => mark,
        Opened::Absent | Opened::Unreadable => Timestamp::default(),
    }
}

/// The cookie that marks a logout, for as long as a session from before it can last.
///
/// The mark is one second ahead, since times are whole seconds, and after the beginning of the session that ends, even if
/// that was begun by an instance whose clock is ahead.
pub fn cookie(
    cookies: &SealedCookies,
    session: Option<&Session>,
    session_max: Duration,
    now: Timestamp,
) -> Result<Cookie<'static>> {
    let latest = session.map_or(now, |session| session.begun().max(now));
    cookies.seal(Purpose::Ended, NAME, &(latest + Duration::from_secs(1)), session_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Browser, Event, noon, sealed_cookies, session};

    /// The mark in a browser after a logout at noon.
    fn marked(ended: Option<&Session>) -> (Timestamp, Option<i64>) {
        let cookies = sealed_cookies(&[]).unwrap();
        let cookie = cookie(&cookies, ended, Duration::from_hours(168), noon()).unwrap();
        let mut browser = Browser::default();
        browser.keep(&cookie);
        let request = browser.with_cookies(Event::get("/")).request();
        (mark(&request, &cookies), cookie.max_age().map(cookie::time::Duration::whole_seconds))
    }

    #[test]
    fn the_mark_is_after_the_logout_and_after_the_session_that_it_ended() {
        let second = Duration::from_secs(1);
        let ahead = noon() + Duration::from_secs(20);

        assert_eq!(marked(None), (noon() + second, Some(604_800)));
        assert_eq!(marked(Some(&session(noon()))).0, noon() + second);
        assert_eq!(marked(Some(&session(ahead))).0, ahead + second, "begun by an instance whose clock is ahead");
    }

    #[test]
    fn a_browser_without_a_logout_and_a_forged_mark_end_no_session() {
        let cookies = sealed_cookies(&[]).unwrap();
        for cookie in ["other=1", "__Host-ended-8af82921=9999999999", "__Host-ended-8af82921="] {
            assert_eq!(mark(&Event::get("/").cookie(cookie).request(), &cookies), Timestamp::from_seconds(0));
        }
    }
}
