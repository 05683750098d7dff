//! Sessions in sealed cookies.
//!
//! This storage cannot end a session in another browser, refuse a copy of a cookie after a logout, or let only one of
//! several concurrent requests renew.

use std::sync::Arc;

use async_trait::async_trait;
use cookie::Cookie;
use lambda_http::Request;

use super::{Created, Ended, Kept, Lease, NAME, Renewal, TokenStorage, held::Held};
use crate::{
    Kind, Result, Timestamp,
    config::Config,
    cookies::{MAX_COOKIE, Opened, Purpose, SealedCookies},
    log::Reason,
    logout_mark,
    session::{Limits, Need, Session, Visitor},
};

/// Keeps each session in a cookie of its browser.
#[derive(Debug)]
pub struct CookieStorage {
    cookies: Arc<SealedCookies>,
    limits: Limits,
}

impl CookieStorage {
    /// The storage of this deployment.
    pub fn new(config: &Config, cookies: Arc<SealedCookies>) -> Self {
        Self { cookies, limits: config.limits() }
    }

    /// The cookie that holds the session until the session ends.
    fn cookie(&self, session: &Session, now: Timestamp) -> Result<Cookie<'static>> {
        let cookie = self.cookies.seal(Purpose::Session, NAME, session, session.time_left(self.limits.max, now))?;
        let size = cookie.to_string().len();
        if size > MAX_COOKIE {
            return Err(Kind::SessionTooLarge(size).into());
        }
        Ok(cookie)
    }

    fn held(&self, request: &Request) -> Held<Session> {
        Held::of(request, &self.cookies, Purpose::Session, Session::is_known)
    }

    fn read(&self, request: &Request, now: Timestamp) -> Visitor {
        match self.held(request).current(|session| &session.identity.sub) {
            Opened::Absent => Visitor::SignedOut,
            Opened::Unreadable => Visitor::Unusable(Reason::CookieUnreadable),
            Opened::Value(session) => {
                session.visitor(logout_mark::read(request, &self.cookies, now), &self.limits, now)
            }
        }
    }
}

#[async_trait]
impl TokenStorage for CookieStorage {
    async fn visitor(&self, request: &Request, now: Timestamp) -> Result<Visitor> {
        Ok(self.read(request, now))
    }

    async fn look(&self, request: &Request, now: Timestamp) -> Result<Visitor> {
        Ok(self.read(request, now))
    }

    fn subject(&self, request: &Request) -> Option<String> {
        self.held(request).values.into_iter().next().map(|session| session.identity.sub)
    }

    fn check_size(&self, session: &Session) -> Result<()> {
        self.cookie(session, session.begun()).map(drop)
    }

    async fn create(&self, request: &Request, session: &Session, now: Timestamp) -> Result<Created> {
        Ok(Created { cookie: self.cookie(session, now)?, replaced: self.held(request).values })
    }

    async fn end(&self, request: &Request) -> Result<Ended> {
        Ok(Ended { sessions: self.held(request).values, others_left: None })
    }

    fn can_end_everywhere(&self) -> bool {
        false
    }

    async fn end_everywhere(&self, request: &Request, _: Timestamp) -> Result<Ended> {
        self.end(request).await
    }

    async fn begin_renewal(&self, request: &Request, now: Timestamp) -> Result<Renewal> {
        let (Visitor::SignedIn(session) | Visitor::NeedsRenewal(session) | Visitor::LoginTooOld(session)) =
            self.read(request, now)
        else {
            return Ok(Renewal::SignInNeeded);
        };
        Ok(match session.need(&self.limits, now) {
            Need::Nothing => Renewal::NotNeeded,
            Need::Renewal => Renewal::Ours(session.into(), Lease::None),
            Need::Login => Renewal::LoginNeeded,
        })
    }

    async fn finish_renewal(&self, _: &Request, _: Lease, session: &Session, now: Timestamp) -> Result<Kept> {
        self.cookie(session, now).map(|cookie| Kept::Yes(Some(cookie)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        App,
        config::Secret,
        storage::contract::{self, sends},
        testing::{Event, configure, noon, of_the_first_release, sealed_cookies, session},
    };

    fn storage() -> CookieStorage {
        let config = configure(&[], Config::read).unwrap();
        CookieStorage::new(&config, Arc::new(sealed_cookies(&[]).unwrap()))
    }

    /// The visitor whose session cookie has this content.
    fn visitor_with(stored: &serde_json::Value) -> Visitor {
        let storage = storage();
        let sealed = storage.cookies.seal(Purpose::Session, NAME, stored, Duration::from_mins(1)).unwrap();
        storage.read(&sends(&sealed), noon())
    }

    #[tokio::test]
    async fn fulfills_the_contract() {
        contract::check(&storage()).await;
    }

    #[tokio::test]
    async fn without_a_session_table_sessions_cannot_be_ended_everywhere() {
        let app = configure(&[], App::read).unwrap();
        assert!(!app.storage.can_end_everywhere());
    }

    #[test]
    fn eight_services_fit_into_a_cookie_and_ten_are_refused() {
        let with = |count: usize| {
            let mut session = session(noon());
            session.identity.provider = crate::session::DisplayText::new("University of Chicago");
            let mut token = session.tokens.remove(1);
            // As long as Globus's tokens are.
            (token.access_token, token.refresh_token) =
                (Secret::new("A".repeat(91)), Some(Secret::new("R".repeat(93))));
            session.tokens = vec![token; count];
            storage().cookie(&session, noon())
        };
        assert!(with(8).unwrap().to_string().len() <= 4_096);
        assert!(matches!(with(10).unwrap_err().kind(), Kind::SessionTooLarge(size) if *size > 4_096));
    }

    #[test]
    fn the_browser_keeps_the_cookie_as_long_as_the_session_can_last() {
        let max_age = |now| storage().cookie(&session(noon()), now).unwrap().max_age().unwrap().whole_seconds();
        assert_eq!(max_age(noon()), 168 * 3600);
        assert_eq!(max_age(noon() + Duration::from_hours(100)), 68 * 3600);
    }

    #[test]
    fn a_session_of_another_format_is_refused() {
        let mut next_format = serde_json::to_value(session(noon())).unwrap();
        next_format["v"] = 2.into();
        for stored in [next_format, serde_json::json!({}), serde_json::json!([]), serde_json::Value::Null] {
            assert_eq!(visitor_with(&stored), Visitor::Unusable(Reason::CookieUnreadable), "{stored}");
        }
    }

    #[test]
    fn a_ticket_is_not_accepted_as_a_session() {
        let storage = storage();
        let sealed = storage.cookies.seal(Purpose::Ticket, NAME, &session(noon()), Duration::from_mins(1)).unwrap();
        assert_eq!(storage.read(&sends(&sealed), noon()), Visitor::Unusable(Reason::CookieUnreadable));
    }

    /// Sealed when the format was new. If this test fails, the next release would log out every user.
    #[test]
    fn a_cookie_of_the_first_release_can_be_read() {
        let cookie = include_str!("samples/session-1.txt").trim();
        let request = Event::get("/").cookie(&format!("__Host-session={cookie}")).request();
        assert_eq!(storage().read(&request, noon()), Visitor::SignedIn(of_the_first_release(session(noon()))));
    }

    #[tokio::test]
    async fn a_new_session_removes_the_cookie_of_the_first_release() {
        let first = format!("__Host-session={}", include_str!("samples/session-1.txt").trim());
        let request = Event::get("/login").cookie(&first).request();
        let storage = storage();
        let created = storage.create(&request, &session(noon()), noon()).await.unwrap();

        let set: Vec<_> = crate::storage::keeping(&request, &storage.cookies, created.cookie).collect();

        let names: Vec<_> = set.iter().map(|cookie| (cookie.name(), cookie.value().is_empty())).collect();
        assert_eq!(names, [("__Host-session-8af82921", false), ("__Host-session", true)]);
        assert_eq!(created.replaced, [of_the_first_release(session(noon()))]);
    }
}
