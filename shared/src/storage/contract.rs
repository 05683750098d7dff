//! The contract of every storage: the same test cases run on each of them.

#![expect(clippy::panic, clippy::unwrap_used, reason = "an assertion is there to panic")]

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cookie::Cookie;
use lambda_http::Request;

use super::{Ended, Kept, Renewal, TokenStorage};
use crate::{
    config::Secret,
    log::Reason,
    logout_mark,
    session::{GLOBUS_AUTH, Session, Token, Visitor},
    testing::{Event, cookie_of_the_first_release, noon, sealed_cookies, session},
    timestamp::Timestamp,
};

/// How long the tokens of [`session`] live.
const TOKEN_LIFE: Duration = Duration::from_hours(48);

/// Runs every test case on a storage with the usual limits. Panics if one fails.
pub async fn check(storage: &dyn TokenStorage) {
    a_session_comes_back_whole(storage).await;
    no_cookie_differs_from_a_bad_cookie(storage).await;
    a_changed_byte_anywhere_in_the_cookie_is_noticed(storage).await;
    a_cookie_shows_nothing_when_it_is_decoded(storage).await;
    a_session_needs_renewal_or_expires_without_a_refresh_token(storage).await;
    a_renewed_session_replaces_the_old_one(storage).await;
    good_tokens_are_not_renewed(storage).await;
    the_session_of_another_user_is_kept(storage).await;
    ending_a_session_returns_it(storage).await;
    a_new_session_returns_the_one_that_it_replaces(storage).await;
    a_session_from_before_a_logout_of_this_browser_has_ended(storage).await;
    a_session_of_the_first_release_is_found_and_ended(storage).await;
    a_session_of_the_first_release_beside_a_newer_one_ends_with_it(storage).await;
    a_damaged_cookie_hides_no_session_under_the_other_name(storage).await;
    of_the_sessions_of_two_users_neither_is_believed(storage).await;
}

async fn a_session_comes_back_whole(storage: &dyn TokenStorage) {
    let session = session(noon());
    let request = begin(storage, &session).await;
    assert_eq!(storage.visitor(&request, noon()).await.unwrap(), Visitor::SignedIn(session));
}

async fn no_cookie_differs_from_a_bad_cookie(storage: &dyn TokenStorage) {
    let visitor = async |cookie| storage.visitor(&Event::get("/").cookie(cookie).request(), noon()).await.unwrap();
    assert_eq!(visitor("other=1").await, Visitor::SignedOut);
    assert_eq!(visitor("session=unprefixed").await, Visitor::SignedOut);
    assert_eq!(visitor("__Host-session-8af82921=garbage").await, Visitor::Unusable(Reason::CookieUnreadable));
    assert_eq!(visitor("__Host-session-8af82921=").await, Visitor::Unusable(Reason::CookieUnreadable));
}

async fn a_changed_byte_anywhere_in_the_cookie_is_noticed(storage: &dyn TokenStorage) {
    let cookie = storage.create(&Event::get("/").request(), &session(noon()), noon()).await.unwrap().cookie;
    let value = cookie.value();
    for index in (0..value.len()).step_by(7) {
        let mut bytes = value.as_bytes().to_vec();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let changed = format!("{}={}", cookie.name(), String::from_utf8(bytes).unwrap());
        let visitor = storage.visitor(&Event::get("/").cookie(&changed).request(), noon()).await.unwrap();
        assert_eq!(visitor, Visitor::Unusable(Reason::CookieUnreadable), "byte {index}");
    }
}

/// Of what is in [`session`]: `canary` is in each of its tokens.
async fn a_cookie_shows_nothing_when_it_is_decoded(storage: &dyn TokenStorage) {
    let cookie = storage.create(&Event::get("/").request(), &session(noon()), noon()).await.unwrap().cookie;
    let bytes = STANDARD.decode(cookie.value()).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for part in ["8c8b2a0e", "Grace", "gateway.example", "canary", "transfer"] {
        assert!(!text.contains(part), "{part} in {text}");
    }
}

async fn a_session_needs_renewal_or_expires_without_a_refresh_token(storage: &dyn TokenStorage) {
    let ends = noon() + TOKEN_LIFE;
    let mut session = session(noon());
    let request = begin(storage, &session).await;
    assert!(matches!(storage.visitor(&request, ends).await.unwrap(), Visitor::NeedsRenewal(_)));

    for token in &mut session.tokens {
        token.refresh_token = None;
    }
    let request = begin(storage, &session).await;
    assert!(matches!(storage.visitor(&request, ends).await.unwrap(), Visitor::Expired(_)));
    assert!(matches!(storage.begin_renewal(&request, ends).await.unwrap(), Renewal::SignInNeeded));
}

async fn a_renewed_session_replaces_the_old_one(storage: &dyn TokenStorage) {
    let ends = noon() + TOKEN_LIFE;
    let request = begin(storage, &session(noon())).await;
    let Renewal::Ours(mut session, lease) = storage.begin_renewal(&request, ends).await.unwrap() else {
        panic!("this request did not get the renewal");
    };
    session.replace_tokens(vec![renewed(ends)]);
    session.note_renewal(ends);
    let Kept::Yes(cookie) = storage.finish_renewal(&request, lease, &session, ends).await.unwrap() else {
        panic!("the renewed session was not kept");
    };
    let request = cookie.map_or(request, |cookie| sends(&cookie));
    assert_eq!(storage.visitor(&request, ends).await.unwrap(), Visitor::SignedIn((*session).clone()));
    assert_eq!(session.token(GLOBUS_AUTH, ends).unwrap(), "renewed");
}

async fn good_tokens_are_not_renewed(storage: &dyn TokenStorage) {
    let request = begin(storage, &session(noon())).await;
    assert!(matches!(storage.begin_renewal(&request, noon()).await.unwrap(), Renewal::NotNeeded));
    let without_cookie = Event::get("/").request();
    assert!(matches!(storage.begin_renewal(&without_cookie, noon()).await.unwrap(), Renewal::SignInNeeded));
}

async fn the_session_of_another_user_is_kept(storage: &dyn TokenStorage) {
    let mut other = session(noon());
    other.identity.sub.push_str("-of-another-user");
    let (one, another) = (begin(storage, &session(noon())).await, begin(storage, &other).await);

    let ended = storage.end_everywhere(&one, noon()).await.unwrap();
    assert_eq!(ended.sessions, [session(noon())]);

    assert_eq!(storage.visitor(&another, noon()).await.unwrap(), Visitor::SignedIn(other));
}

async fn ending_a_session_returns_it(storage: &dyn TokenStorage) {
    let request = begin(storage, &session(noon())).await;
    assert_eq!(storage.subject(&request).as_deref(), Some("8c8b2a0e-0000-4000-8000-000000000001"));
    let whole = Ended { sessions: vec![session(noon())], others_left: None };
    assert_eq!(storage.end(&request).await.unwrap(), whole);
    for request in [Event::get("/").request(), Event::get("/").cookie("__Host-session-8af82921=garbage").request()] {
        assert_eq!(storage.subject(&request), None);
        assert_eq!(storage.end(&request).await.unwrap(), Ended::default());
    }
}

async fn a_new_session_returns_the_one_that_it_replaces(storage: &dyn TokenStorage) {
    let request = begin(storage, &session(noon())).await;
    let replaced = async |request: Request| {
        let created = storage.create(&request, &session(noon()), noon()).await;
        created.unwrap().replaced
    };
    assert_eq!(replaced(request).await, [session(noon())]);
    assert_eq!(replaced(Event::get("/").request()).await, []);
    assert_eq!(replaced(Event::get("/").cookie("__Host-session-8af82921=garbage").request()).await, []);
}

async fn a_session_from_before_a_logout_of_this_browser_has_ended(storage: &dyn TokenStorage) {
    let cookie = storage.create(&Event::get("/").request(), &session(noon()), noon()).await.unwrap().cookie;
    let visitor = async |marked: Timestamp, now: Timestamp| {
        let mut event = Event::get("/").cookie(&cookie.stripped().to_string());
        event = event.cookie(&logged_out(marked).stripped().to_string());
        (
            storage.visitor(&event.request(), now).await.unwrap(),
            storage.begin_renewal(&event.request(), now).await.unwrap(),
        )
    };
    let due = noon() + TOKEN_LIFE;

    assert!(matches!(visitor(noon(), noon()).await, (Visitor::LoggedOut(_), Renewal::SignInNeeded)));
    assert!(matches!(visitor(noon(), due).await, (Visitor::LoggedOut(_), Renewal::SignInNeeded)));
    let before = noon() - Duration::from_secs(1);
    assert!(matches!(visitor(before, noon()).await, (Visitor::SignedIn(_), Renewal::NotNeeded)));
}

async fn a_session_of_the_first_release_is_found_and_ended(storage: &dyn TokenStorage) {
    let request = sends_all(&[of_the_first_release(storage, &session(noon())).await]);
    assert_eq!(storage.visitor(&request, noon()).await.unwrap(), Visitor::SignedIn(session(noon())));
    assert!(storage.subject(&request).is_some());
    assert_eq!(storage.end(&request).await.unwrap().sessions, [session(noon())]);
}

/// As after a response that a function of the first release has sent while another one was updated.
async fn a_session_of_the_first_release_beside_a_newer_one_ends_with_it(storage: &dyn TokenStorage) {
    let both = async || {
        let newer = sealed(storage, &session(noon())).await;
        sends_all(&[of_the_first_release(storage, &another(noon())).await, newer])
    };
    let ended = [session(noon()), another(noon())];

    let request = both().await;
    assert_eq!(storage.visitor(&request, noon()).await.unwrap(), Visitor::SignedIn(session(noon())));
    assert_eq!(storage.end(&request).await.unwrap(), Ended { sessions: ended.to_vec(), others_left: None });
    assert_eq!(storage.end_everywhere(&both().await, noon()).await.unwrap().sessions, ended);
    assert_eq!(storage.create(&both().await, &session(noon()), noon()).await.unwrap().replaced, ended);
}

async fn a_damaged_cookie_hides_no_session_under_the_other_name(storage: &dyn TokenStorage) {
    for (damaged, cookie) in [
        ("__Host-session-8af82921", of_the_first_release(storage, &session(noon())).await),
        ("__Host-session", sealed(storage, &session(noon())).await),
    ] {
        let request = sends_all(&[(damaged, "garbage").into(), cookie]);
        assert_eq!(storage.visitor(&request, noon()).await.unwrap(), Visitor::SignedIn(session(noon())), "{damaged}");
        assert_eq!(storage.end(&request).await.unwrap().sessions, [session(noon())], "{damaged}");
    }
}

/// On a shared computer, for example after a return to the first release and back.
async fn of_the_sessions_of_two_users_neither_is_believed(storage: &dyn TokenStorage) {
    let mut other = session(noon());
    other.identity.sub.push_str("-of-another-user");
    let newer = sealed(storage, &session(noon())).await;
    let request = sends_all(&[newer, of_the_first_release(storage, &other).await]);

    let visitor = storage.visitor(&request, noon()).await.unwrap();
    assert_eq!(visitor, Visitor::Unusable(Reason::CookieUnreadable));
    let renewal = storage.begin_renewal(&request, noon() + TOKEN_LIFE).await.unwrap();
    assert!(matches!(renewal, Renewal::SignInNeeded));
    let ended = storage.end_everywhere(&request, noon()).await.unwrap();
    assert_eq!(ended.sessions, [session(noon()), other]);
}

/// Another session of the same user, with tokens of its own.
fn another(begun: Timestamp) -> Session {
    let Session { identity, mut tokens, .. } = session(begun);
    for token in &mut tokens {
        token.access_token = Secret::new("of-another-session");
    }
    Session::new("session-id-2".to_owned(), identity, tokens, begun)
}

/// Keeps a session; returns the cookie that leads to it.
async fn sealed(storage: &dyn TokenStorage, session: &Session) -> Cookie<'static> {
    storage.create(&Event::get("/").request(), session, noon()).await.unwrap().cookie
}

/// The same as the first release did it.
async fn of_the_first_release(storage: &dyn TokenStorage, session: &Session) -> Cookie<'static> {
    cookie_of_the_first_release(&sealed_cookies(&[]).unwrap(), &sealed(storage, session).await)
}

/// A request that sends these cookies.
fn sends_all(cookies: &[Cookie<'_>]) -> Request {
    let event = |event: Event, cookie: &Cookie<'_>| event.cookie(&cookie.stripped().to_string());
    cookies.iter().fold(Event::get("/"), event).request()
}

/// The cookie of a logout at this time, in a browser without a session.
fn logged_out(now: Timestamp) -> Cookie<'static> {
    let request = Event::get("/").request();
    logout_mark::cookie(&request, &sealed_cookies(&[]).unwrap(), None, Duration::from_hours(168), now).unwrap()
}

/// Keeps a session; returns a request of the browser that has it.
pub async fn begin(storage: &dyn TokenStorage, session: &Session) -> Request {
    sends(&sealed(storage, session).await)
}

/// A request that sends the cookie.
pub fn sends(cookie: &Cookie<'_>) -> Request {
    sends_all(std::slice::from_ref(cookie))
}

/// A token for Globus Auth, received `now`.
pub fn renewed(now: Timestamp) -> Token {
    let token = session(noon()).tokens.remove(0);
    Token { access_token: Secret::new("renewed"), received: now, ..token }
}
