//! A sign-in in progress: what the browser keeps until it comes back from Globus.
//!
//! Each attempt has a sealed cookie of its own, named after its `state`, so that several tabs can sign in at once. The
//! name is authenticated together with the value: finding and opening the cookie named after a callback's `state` is
//! the proof that this browser began this attempt
//! ([RFC 6749 section 10.12](https://www.rfc-editor.org/rfc/rfc6749#section-10.12)).

use std::time::Duration;

use cookie::Cookie;
use lambda_http::Request;
use serde::{Deserialize, Serialize};

use crate::{
    config::Secret,
    cookies::{Opened, Purpose, SealedCookies},
    error::{Kind, Result},
    log::Reason,
    return_path::ReturnPath,
    timestamp::Timestamp,
};

/// How much time the user has to log in at Globus.
pub const LIFETIME: Duration = Duration::from_mins(10);

/// How many sign-ins a browser can have in progress. API Gateway accepts 10,240 bytes of headers, and a session cookie
/// needs up to 4,096 of them.
pub const MOST: usize = 5;

/// The largest size of one attempt in a request's headers, in bytes.
pub const MAX_SIZE: usize = 350;

const PREFIX: &str = "login-";

/// What a browser keeps of one attempt. Stored in the cookie as a JSON list, which is short: `next` needs room.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored(u8, Timestamp, Secret, Secret, String);

/// The version of [`Stored`]. A new one is read for one release before it is written.
const VERSION: u8 = 1;

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
    /// The page to show afterwards.
    pub next: ReturnPath,
    /// When the attempt began.
    pub begun: Timestamp,
}

impl Attempt {
    /// The cookie that keeps this attempt, and cookies that remove attempts of `request` that are over or too many.
    pub fn keep(&self, request: &Request, cookies: &SealedCookies) -> Result<Vec<Cookie<'static>>> {
        let mut others = Vec::new();
        let mut set = Vec::new();
        for name in cookies.names(request, PREFIX) {
            let state = name.rsplit_once(PREFIX).map_or("", |(_, state)| state);
            match read(request, cookies, state) {
                Some(other) if !other.is_over(self.begun) => others.push(other),
                _ => set.push(removal(cookies, state)),
            }
        }
        others.sort_by_key(|other| std::cmp::Reverse(other.begun));
        set.extend(others.iter().skip(MOST - 1).map(|oldest| removal(cookies, oldest.state.expose())));

        let stored =
            Stored(VERSION, self.begun, self.nonce.clone(), self.pkce_verifier.clone(), self.next.as_str().to_owned());
        set.push(cookies.seal(Purpose::Login, &format!("{PREFIX}{}", self.state.expose()), &stored, LIFETIME)?);
        Ok(set)
    }

    /// The attempt named `state`, if this browser began it within the last ten minutes.
    pub fn find(request: &Request, cookies: &SealedCookies, state: &str, now: Timestamp) -> Result<Self> {
        let attempt = read(request, cookies, state).ok_or(Kind::UnknownAttempt(Reason::StateUnknown))?;
        if attempt.is_over(now) { Err(Kind::UnknownAttempt(Reason::AttemptOver).into()) } else { Ok(attempt) }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        // An attempt from the future was sealed by an instance whose clock is a little ahead.
        now.since(self.begun) >= LIFETIME
    }
}

/// The cookie that removes the attempt named `state`.
pub fn removal(cookies: &SealedCookies, state: &str) -> Cookie<'static> {
    cookies.removal(&format!("{PREFIX}{state}"))
}

/// The cookies that remove every attempt of this browser.
pub fn removals(request: &Request, cookies: &SealedCookies) -> Vec<Cookie<'static>> {
    let names = cookies.names(request, PREFIX);
    let states = names.iter().filter_map(|name| name.rsplit_once(PREFIX));
    states.map(|(_, state)| removal(cookies, state)).collect()
}

fn read(request: &Request, cookies: &SealedCookies, state: &str) -> Option<Attempt> {
    let opened: Opened<Stored> = cookies.open(request, Purpose::Login, &format!("{PREFIX}{state}"));
    let Opened::Value(Stored(VERSION, begun, nonce, pkce_verifier, next)) = opened else {
        return None;
    };
    let next = ReturnPath::parse(&next);
    Some(Attempt { state: Secret::new(state), nonce, pkce_verifier, next, begun })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, Site},
        testing::{Event, configure, noon},
    };

    fn cookies() -> SealedCookies {
        SealedCookies::new(&configure(&[], Config::read).unwrap(), &Site::default())
    }

    fn attempt(state: &str, begun: Timestamp) -> Attempt {
        Attempt {
            state: Secret::new(state),
            nonce: Secret::new("n".repeat(22)),
            pkce_verifier: Secret::new("v".repeat(43)),
            next: ReturnPath::parse("/files?x=1"),
            begun,
        }
    }

    /// An event with the cookies of these attempts.
    fn event(attempts: &[Attempt]) -> Event {
        attempts.iter().fold(Event::get("/login"), |event, attempt| {
            let set = attempt.keep(&Event::get("/login").request(), &cookies()).unwrap();
            event.cookie(&set[0].stripped().to_string())
        })
    }

    fn cleared(set: &[Cookie<'_>]) -> Vec<String> {
        let spent = set.iter().filter(|cookie| cookie.value().is_empty());
        spent.map(|cookie| cookie.name().replace("__Host-login-", "")).collect()
    }

    #[test]
    fn an_attempt_is_found_by_its_state() {
        let kept = attempt("state-a", noon());
        let request = event(&[kept.clone(), attempt("state-b", noon())]).request();

        assert!(Attempt::find(&request, &cookies(), "state-a", noon()).unwrap() == kept);
    }

    #[test]
    fn a_state_this_browser_did_not_begin_is_refused_as_login_csrf() {
        let request = event(&[attempt("state-a", noon())]).request();

        for state in ["state-b", "", "state-A", "x; Domain=evil", "\u{0}"] {
            let error = Attempt::find(&request, &cookies(), state, noon()).unwrap_err();
            assert_eq!(error.row().reason.as_str(), "state_unknown");
        }
    }

    #[test]
    fn an_attempt_ends_after_ten_minutes_even_if_its_cookie_is_sent() {
        let request = event(&[attempt("state-a", noon())]).request();
        let find =
            |now| Attempt::find(&request, &cookies(), "state-a", now).map_err(|error| error.row().reason.as_str());

        assert!(find(noon() + LIFETIME - Duration::from_secs(1)).is_ok());
        assert_eq!(find(noon() + LIFETIME).unwrap_err(), "attempt_over");
        assert!(find(noon() - Duration::from_mins(1)).is_ok(), "the clock of another instance may be behind");
    }

    #[test]
    fn a_sixth_attempt_removes_the_oldest_one() {
        let minutes = |count: u64| noon() + Duration::from_secs(count * 60);
        let others: Vec<_> = (0..5).rev().map(|number| attempt(&format!("state-{number}"), minutes(number))).collect();

        let set = attempt("sixth", minutes(5)).keep(&event(&others).request(), &cookies()).unwrap();

        assert_eq!(cleared(&set), ["state-0"]);
        assert!(set.last().unwrap().name().ends_with("login-sixth"));
    }

    #[test]
    fn expired_and_unreadable_attempts_are_removed() {
        let old = attempt("old", noon());
        let request = event(&[old]).cookie("__Host-login-garbage=x").cookie("login-foreign=x").request();

        let set = attempt("new", noon() + LIFETIME).keep(&request, &cookies()).unwrap();

        assert_eq!(cleared(&set), ["old", "garbage"]);
    }

    #[test]
    fn five_attempts_with_the_longest_return_path_fit_into_the_headers() {
        let mut longest = attempt(&"s".repeat(22), noon());
        longest.next = ReturnPath::parse(&format!("/{}", "x".repeat(ReturnPath::MAX_LENGTH - 1)));
        assert_eq!(longest.next.as_str().len(), ReturnPath::MAX_LENGTH);

        let set = longest.keep(&Event::get("/login").request(), &cookies()).unwrap();

        let size = set[0].stripped().to_string().len();
        assert!(size <= MAX_SIZE, "{size} bytes");
        const { assert!(MOST * MAX_SIZE + crate::cookies::MAX_COOKIE <= 6 * 1024) }
    }

    #[test]
    fn a_session_cookie_is_not_accepted_as_an_attempt() {
        let sealed = cookies().seal(
            Purpose::Session,
            "login-x",
            &Stored(VERSION, Timestamp::default(), Secret::new(""), Secret::new(""), String::new()),
            LIFETIME,
        );
        let request = Event::get("/login").cookie(&sealed.unwrap().stripped().to_string()).request();

        assert!(Attempt::find(&request, &cookies(), "x", noon()).is_err());
    }

    #[test]
    fn an_attempt_of_another_format_is_refused() {
        let next_format = Stored(VERSION + 1, noon(), Secret::new(""), Secret::new(""), String::new());
        let sealed = cookies().seal(Purpose::Login, "login-x", &next_format, LIFETIME).unwrap();
        let request = Event::get("/login").cookie(&sealed.stripped().to_string()).request();

        assert_eq!(
            Attempt::find(&request, &cookies(), "x", noon()).unwrap_err().row().reason.as_str(),
            "state_unknown"
        );
    }

    #[test]
    fn a_logout_removes_every_attempt() {
        let request = event(&[attempt("a", noon()), attempt("b", noon())]).request();
        assert_eq!(cleared(&removals(&request, &cookies())), ["a", "b"]);
    }
}
