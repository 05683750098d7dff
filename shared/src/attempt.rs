//! A sign-in in progress: what the browser keeps until it comes back from Globus.
//!
//! A browser has five slots, each a sealed cookie, so that several tabs can sign in at once. The names of the slots are
//! fixed and `state` is inside the seal: however many tabs begin at the same moment, there are never more than five
//! cookies. Finding a callback's `state` in one of them is the proof that this browser began this attempt
//! ([RFC 6749 section 10.12](https://www.rfc-editor.org/rfc/rfc6749#section-10.12)).

use std::time::Duration;

use cookie::Cookie;
use lambda_http::Request;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Kind, Result, Secret, Timestamp,
    cookies::{Opened, Purpose, SealedCookies},
    log::Reason,
    logout_mark,
    return_path::ReturnPath,
};

/// How much time the user has to log in at Globus.
const LIFETIME: Duration = Duration::from_mins(10);

/// How long the browser keeps an attempt. After [`LIFETIME`] it proves nothing, and only says where the user was going.
const KEPT_FOR: Duration = Duration::from_hours(1);

/// The slots. API Gateway accepts 10,240 bytes of headers, and a session cookie needs up to 4,096 of them. All slots
/// together take 2.4 KB: the first has room for the longest [`ReturnPath`], the others for a short one.
const SLOTS: [&str; 5] = ["attempt-0", "attempt-1", "attempt-2", "attempt-3", "attempt-4"];

/// The longest return path for which every slot has room, in bytes. A link with two UUIDs is as short.
const SHORT_PATH: usize = 112;

/// What a slot holds. Stored as a JSON list, which is short: `next` needs room. The last value is absent in attempts of an
/// earlier release, and without access rules.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored(
    u8,
    Timestamp,
    Secret,
    Secret,
    Secret,
    String,
    bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")] bool,
);

/// The version of [`Stored`]. Version 1, of the first release, is not read: it had its state in the cookie's name. A
/// sign-in that is in progress while that release is replaced starts again.
const VERSION: u8 = 2;

/// What a sign-in is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The page to show afterwards.
    pub next: ReturnPath,
    /// Whether the user asked to log in with another account: it may take the place of this browser's user.
    pub other_account: bool,
    /// Whether an access rule needs another login, so that Globus is told to ask for one. It is told once only.
    pub log_in_again: bool,
}

/// One attempt to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Names the attempt; comes back with the authorization code. 128 random bits in base64url.
    pub state: Secret,
    /// Ties the ID token to this attempt.
    pub nonce: Secret,
    /// Proves to Globus that the code is redeemed by the client that began the attempt
    /// ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)).
    pub pkce_verifier: Secret,
    /// What it is for.
    pub intent: Intent,
    /// When the attempt began.
    pub begun: Timestamp,
}

impl Attempt {
    /// The cookie that keeps this attempt: in a free slot if there is one, else in that of the oldest attempt.
    pub fn keep(self, request: &Request, cookies: &SealedCookies) -> Result<Cookie<'static>> {
        let slot = self.slot(request, cookies);
        let Self { begun, state, nonce, pkce_verifier, intent: Intent { next, other_account, log_in_again } } = self;
        let next = next.as_str().to_owned();
        let stored = Stored(VERSION, begun, state, nonce, pkce_verifier, next, other_account, log_in_again);
        cookies.seal(Purpose::Login, slot, &stored, KEPT_FOR)
    }

    /// The slot to use. Of several that are free, `state` decides, so that tabs that begin at the same moment seldom use the
    /// same one.
    fn slot(&self, request: &Request, cookies: &SealedCookies) -> &'static str {
        if self.intent.next.as_str().len() > SHORT_PATH {
            return SLOTS[0];
        }
        let mut slots = SLOTS;
        let spread = self.state.expose().bytes().map(usize::from).sum::<usize>();
        slots.rotate_left(spread % SLOTS.len());
        let taken_since = |slot: &&str| match open(request, cookies, slot) {
            Opened::Absent => Timestamp::default(),
            Opened::Value(other) => other.begun,
            // A cookie that is not ours may be another app's: it goes last.
            Opened::Unreadable => Timestamp::from_seconds(u64::MAX),
        };
        slots.into_iter().min_by_key(taken_since).unwrap_or(SLOTS[0])
    }

    /// The attempt named `state`, if this browser began it within the last ten minutes and has not logged out since; and
    /// the cookie that removes it, since an attempt is spent by its callback.
    pub fn find(
        request: &Request,
        cookies: &SealedCookies,
        state: &str,
        now: Timestamp,
    ) -> Result<(Self, Cookie<'static>)> {
        let slots = SLOTS.map(|slot| (slot, open(request, cookies, slot)));
        if slots.iter().all(|(_, opened)| *opened == Opened::Absent) {
            return Err(Kind::NoLoginCookie.into());
        }
        let found = slots.into_iter().find_map(|(slot, opened)| match opened {
            Opened::Value(attempt) if attempt.state.expose() == state => Some((attempt, cookies.removal(slot))),
            _ => None,
        });
        let (attempt, removal) = found.ok_or(Kind::UnknownAttempt(Reason::StateUnknown))?;
        // An attempt from the future was sealed by an instance whose clock is a little ahead.
        let over = now.since(attempt.begun) >= LIFETIME || attempt.begun < logout_mark::read(request, cookies, now);
        if over {
            let error = Error::from(Kind::UnknownAttempt(Reason::AttemptOver));
            return Err(attempt.ended_by(error.with_cookie(removal)));
        }
        Ok((attempt, removal))
    }

    /// An error that ends this attempt. Its way on leads to another one.
    #[must_use]
    pub fn ended_by(self, mut error: Error) -> Error {
        error.other_account = self.intent.other_account;
        error.returning_to(self.intent.next)
    }
}

/// The cookies that remove every attempt of this browser. A slot whose cookie does not open stays: it may be another
/// app's.
pub fn removals(request: &Request, cookies: &SealedCookies) -> impl Iterator<Item = Cookie<'static>> {
    let own = SLOTS.iter().filter(|slot| matches!(open(request, cookies, slot), Opened::Value(_)));
    own.map(|slot| cookies.removal(slot))
}

fn open(request: &Request, cookies: &SealedCookies, slot: &str) -> Opened<Attempt> {
    match cookies.open(request, Purpose::Login, slot) {
        Opened::Value(Stored(VERSION, begun, state, nonce, pkce_verifier, next, other_account, log_in_again)) => {
            let intent = Intent { next: ReturnPath::parse(&next), other_account, log_in_again };
            Opened::Value(Attempt { state, nonce, pkce_verifier, intent, begun })
        }
        Opened::Absent => Opened::Absent,
        Opened::Value(_) | Opened::Unreadable => Opened::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Browser, Event, noon, sealed_cookies};

    const MINUTE: Duration = Duration::from_mins(1);

    fn cookies() -> SealedCookies {
        sealed_cookies(&[]).unwrap()
    }

    fn intent() -> Intent {
        Intent { next: ReturnPath::parse("/files?x=1"), other_account: false, log_in_again: false }
    }

    fn attempt(state: &str, begun: Timestamp) -> Attempt {
        Attempt {
            state: Secret::new(state),
            nonce: Secret::new("n".repeat(22)),
            pkce_verifier: Secret::new("v".repeat(43)),
            intent: intent(),
            begun,
        }
    }

    /// Keeps an attempt, as the browser's next request to begin a sign-in would.
    fn keep(browser: &mut Browser, attempt: Attempt) {
        let request = browser.with_cookies(Event::get("/login")).request();
        browser.keep(&attempt.keep(&request, &cookies()).unwrap());
    }

    fn find(browser: &Browser, state: &str, now: Timestamp) -> Result<Attempt, &'static str> {
        let request = browser.with_cookies(Event::get("/login")).request();
        let found = Attempt::find(&request, &cookies(), state, now);
        found.map(|(attempt, _)| attempt).map_err(|error| error.row().reason.as_str())
    }

    /// A browser with these attempts.
    fn browser(attempts: &[Attempt]) -> Browser {
        let mut browser = Browser::default();
        for attempt in attempts {
            keep(&mut browser, attempt.clone());
        }
        browser
    }

    /// A browser whose first slot holds `stored`, sealed for `purpose`.
    fn browser_with(purpose: Purpose, stored: &Stored) -> Browser {
        let mut browser = Browser::default();
        browser.keep(&cookies().seal(purpose, "attempt-0", stored, MINUTE).unwrap());
        browser
    }

    fn stored(version: u8) -> Stored {
        let secret = || Secret::new("state");
        Stored(version, noon(), secret(), secret(), secret(), String::new(), false, false)
    }

    #[test]
    fn a_longer_path_than_two_uuids_need_takes_the_first_slot() {
        for number in 0..5 {
            let mut long = attempt(&format!("{number}"), noon());
            long.intent.next = ReturnPath::parse(&format!("/{}", "x".repeat(112)));
            let cookie = long.keep(&Event::get("/login").request(), &cookies()).unwrap();
            assert_eq!(cookie.name(), "__Host-attempt-0-8af82921");
        }
    }

    #[test]
    fn an_attempt_is_found_by_its_state() {
        let browser = browser(&[attempt("state-a", noon()), attempt("state-b", noon())]);

        assert_eq!(find(&browser, "state-a", noon()), Ok(attempt("state-a", noon())));
        assert_eq!(find(&browser, "state-b", noon()), Ok(attempt("state-b", noon())));
    }

    #[test]
    fn an_attempt_keeps_what_it_is_for() {
        for (other_account, log_in_again) in [(false, false), (false, true), (true, false), (true, true)] {
            let kept = Attempt { intent: Intent { other_account, log_in_again, ..intent() }, ..attempt("a", noon()) };
            assert_eq!(find(&browser(std::slice::from_ref(&kept)), "a", noon()), Ok(kept));
        }
    }

    #[test]
    fn an_attempt_without_access_rules_is_stored_as_before_them() {
        let before = r#"[2,1800000000,"state","state","state","",false]"#;
        assert_eq!(serde_json::to_string(&stored(2)).unwrap(), before);
        assert!(serde_json::from_str::<Stored>(before).is_ok_and(|read| read == stored(2)));
    }

    #[test]
    fn a_state_this_browser_did_not_begin_is_refused_as_login_csrf() {
        let browser = browser(&[attempt("state-a", noon())]);

        for state in ["state-b", "", "state-A", "state-a ", "x; Domain=evil", "\u{0}"] {
            assert_eq!(find(&browser, state, noon()), Err("state_unknown"), "{state}");
        }
    }

    #[test]
    fn an_attempt_that_is_over_still_says_where_the_user_was_going() {
        let request = browser(&[attempt("state-a", noon())]).with_cookies(Event::get("/login")).request();
        let over = Attempt::find(&request, &cookies(), "state-a", noon() + MINUTE * 10).unwrap_err();

        assert_eq!(over.link(), Some(("Start again", "/login?next=%2Ffiles%3Fx%3D1".to_owned())));
        assert_eq!(over.cookies.len(), 1, "its cookie is removed");
    }

    #[test]
    fn a_browser_that_sends_no_login_cookie_may_block_cookies() {
        assert_eq!(find(&Browser::default(), "state-a", noon()), Err("no_login_cookie"));
    }

    #[test]
    fn an_attempt_ends_after_ten_minutes_even_if_its_cookie_is_sent() {
        let browser = browser(&[attempt("state-a", noon())]);

        assert!(find(&browser, "state-a", noon() + Duration::from_secs(599)).is_ok());
        assert_eq!(find(&browser, "state-a", noon() + MINUTE * 10), Err("attempt_over"));
        assert!(find(&browser, "state-a", noon() - MINUTE).is_ok(), "the clock of another instance may be behind");
    }

    #[test]
    fn a_sixth_attempt_takes_the_slot_of_the_oldest_one() {
        let attempts: Vec<_> = (0..6).map(|number| attempt(&format!("{number}"), noon() + MINUTE * number)).collect();
        let browser = browser(&attempts);

        assert_eq!(browser.cookies.len(), 5);
        assert_eq!(find(&browser, "0", noon() + MINUTE * 5), Err("state_unknown"));
        assert!((1..6).all(|number| find(&browser, &format!("{number}"), noon() + MINUTE * 5).is_ok()));
    }

    /// As with a window of forty tabs that a browser restores: no request has the cookie of another.
    #[test]
    fn forty_attempts_at_the_same_moment_lock_no_user_out() {
        let mut restored = Browser::default();
        for number in 0..40 {
            let mut longest = attempt(&format!("{number:022}"), noon());
            let length = if number % 2 == 0 { 511 } else { 111 };
            longest.intent.next = ReturnPath::parse(&format!("/{}", "x".repeat(length)));
            restored.keep(&longest.keep(&Event::get("/login").request(), &cookies()).unwrap());
        }

        let size = |(name, value): (&String, &String)| name.len() + value.len() + 3;
        assert_eq!(restored.cookies.len(), 5);
        let bytes: usize = restored.cookies.iter().map(size).sum();
        assert!(bytes <= 2_450, "{bytes} bytes");
    }

    /// As when a browser starts with the tabs of yesterday: whole links to tasks and collections, each with two UUIDs.
    #[test]
    fn five_tabs_whose_links_have_two_uuids_can_sign_in_at_once() {
        let uuid = "8c8b2a0e-0000-4000-8000-000000000001";
        let link = ReturnPath::parse(&format!("/transfers?collection={uuid}&task={uuid}"));
        let to_the_link = |number| Attempt {
            intent: Intent { next: link.clone(), ..intent() },
            ..attempt(&format!("{number}"), noon())
        };
        let browser = browser(&[0, 1, 2, 3, 4].map(to_the_link));

        for number in 0..5 {
            assert_eq!(find(&browser, &format!("{number}"), noon()), Ok(to_the_link(number)));
        }
    }

    #[test]
    fn another_apps_cookie_in_a_slot_stays_while_there_is_another_slot() {
        let foreign = |slot: usize| (format!("__Host-attempt-{slot}-8af82921"), "of-another-app".to_owned());
        let mut browser = Browser { cookies: (0..4).map(foreign).collect() };
        for number in 0..3 {
            keep(&mut browser, attempt(&format!("{number}"), noon() + MINUTE * number));
        }

        let left = browser.cookies.values().filter(|value| *value == "of-another-app").count();
        assert_eq!((browser.cookies.len(), left), (5, 4));
        assert!(find(&browser, "2", noon() + MINUTE * 2).is_ok());

        browser.cookies = (0..5).map(foreign).collect();
        keep(&mut browser, attempt("a", noon()));
        assert!(find(&browser, "a", noon()).is_ok(), "a sign-in must be possible");
    }

    #[test]
    fn a_cookie_sealed_for_another_purpose_is_not_accepted_as_an_attempt() {
        assert!(find(&browser_with(Purpose::Login, &stored(2)), "state", noon()).is_ok());
        for purpose in [Purpose::Session, Purpose::Ticket] {
            assert_eq!(find(&browser_with(purpose, &stored(2)), "state", noon()), Err("state_unknown"));
        }
    }

    #[test]
    fn an_attempt_of_another_format_is_refused() {
        for version in [0, 1, 3] {
            assert_eq!(find(&browser_with(Purpose::Login, &stored(version)), "state", noon()), Err("state_unknown"));
        }
    }

    #[test]
    fn a_logout_removes_every_attempt_and_nothing_of_another_app() {
        let mut browser = browser(&[attempt("a", noon()), attempt("b", noon())]);
        let own: Vec<_> = browser.cookies.keys().cloned().collect();
        let others = (5..600).map(|number| (format!("__Host-attempt-{number}-8af82921"), "planted".to_owned()));
        browser.cookies.extend(others);

        let request = browser.with_cookies(Event::get("/logout")).request();
        let removed: Vec<_> = removals(&request, &cookies()).map(|cookie| cookie.name().to_owned()).collect();

        assert_eq!((removed.len(), own.len()), (2, 2));
        assert!(own.iter().all(|name| removed.contains(name)), "{removed:?}");
    }
}
