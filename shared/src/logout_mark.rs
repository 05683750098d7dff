//! The mark of a logout: every session of this browser that began before it has ended.
//!
//! A response can arrive late. If tab 1 renews its tokens, or completes a sign-in, while the user logs out in tab 2, the
//! response to tab 1 sets a session cookie after the logout has removed it. A cookie cannot be taken back on its way, so
//! a logout also sets this mark, and a session from before it is not accepted in this browser any more.

use std::time::Duration;

use cookie::Cookie;
use lambda_http::Request;

use crate::{
    Result, Timestamp,
    cookies::{Opened, Purpose, SealedCookies},
    timestamp::SKEW,
};

const NAME: &str = "logout";

/// How far a mark can be ahead of every clock: two seconds after the end of the logout, and one more if the session that it
/// ends began at an earlier mark, in the same second.
const AHEAD: Duration = Duration::from_secs(3);

/// The mark of this browser's last logout; the epoch if there was none. A new session begins at this time or later. A mark
/// in the future by more than clocks can differ is not believed.
pub fn read(request: &Request, cookies: &SealedCookies, now: Timestamp) -> Timestamp {
    match cookies.open(request, Purpose::LogoutMark, NAME) {
        Opened::Value(mark) if mark <= now + SKEW + AHEAD => mark,
        _ => Timestamp::default(),
    }
}

/// The cookie that marks a logout, for as long as a session from before it can last.
///
/// `now` is the end of the logout. The mark is one second ahead, since times are whole seconds; after `latest`, the beginning
/// of the latest session that ends, even if an instance began that whose clock is ahead; and never before an earlier mark.
pub fn cookie(
    request: &Request,
    cookies: &SealedCookies,
    latest: Option<Timestamp>,
    session_max: Duration,
    now: Timestamp,
) -> Result<Cookie<'static>> {
    let mark = latest.map_or(now, |latest| latest.max(now)) + Duration::from_secs(1);
    cookies.seal(Purpose::LogoutMark, NAME, &mark.max(read(request, cookies, now)), session_max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Browser, Event, noon, sealed_cookies};

    const SECOND: Duration = Duration::from_secs(1);

    /// Marks a logout at noon in this browser; returns the mark, and how many seconds it lasts.
    fn log_out(browser: &mut Browser, latest: Option<Timestamp>) -> (Timestamp, Option<i64>) {
        let cookies = sealed_cookies(&[]).unwrap();
        let request = browser.with_cookies(Event::get("/")).request();
        let cookie = cookie(&request, &cookies, latest, Duration::from_hours(168), noon()).unwrap();
        browser.keep(&cookie);
        (mark_at(browser, noon()), cookie.max_age().map(cookie::time::Duration::whole_seconds))
    }

    fn mark_at(browser: &Browser, now: Timestamp) -> Timestamp {
        read(&browser.with_cookies(Event::get("/")).request(), &sealed_cookies(&[]).unwrap(), now)
    }

    #[test]
    fn the_mark_is_after_the_logout_and_after_the_session_that_it_ended() {
        let ahead = noon() + SECOND * 20;

        assert_eq!(log_out(&mut Browser::default(), None), (noon() + SECOND, Some(604_800)));
        assert_eq!(log_out(&mut Browser::default(), Some(noon())).0, noon() + SECOND);
        let marked = log_out(&mut Browser::default(), Some(ahead)).0;
        assert_eq!(marked, ahead + SECOND, "begun by an instance whose clock is ahead");
    }

    #[test]
    fn a_second_logout_does_not_move_the_mark_back() {
        let mut browser = Browser::default();
        let first = log_out(&mut browser, Some(noon() + SECOND * 20)).0;
        assert_eq!(log_out(&mut browser, None).0, first);
    }

    #[test]
    fn a_mark_in_the_far_future_ends_no_session() {
        let mut browser = Browser::default();
        log_out(&mut browser, None);
        assert_eq!(mark_at(&browser, noon() - SECOND * 32), noon() + SECOND);
        assert_eq!(mark_at(&browser, noon() - SECOND * 33), Timestamp::from_seconds(0));
    }

    #[test]
    fn a_browser_without_a_logout_and_a_forged_mark_end_no_session() {
        for value in ["9999999999", "", "x"] {
            let forged = Browser { cookies: [("__Host-logout-8af82921".to_owned(), value.to_owned())].into() };
            assert_eq!(mark_at(&forged, noon()), Timestamp::from_seconds(0));
        }
        assert_eq!(mark_at(&Browser::default(), noon()), Timestamp::from_seconds(0));
    }
}
