//! Where sessions are kept between requests: one trait, two storages.
//!
//! [`CookieStorage`] is the lighter one: the session itself travels in a sealed cookie, and a page view makes no request.
//! [`DynamoDbStorage`] has room for any number of tokens, ends sessions for good and everywhere, and lets exactly one of
//! several concurrent requests renew. Neither calls Globus.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod cookie_storage;
mod dynamodb;
mod held;

use std::fmt;

use async_trait::async_trait;
use cookie::Cookie;
use lambda_http::Request;

use crate::{
    Result, Timestamp,
    cookies::SealedCookies,
    log::Reason,
    session::{Session, Visitor},
};

pub use cookie_storage::CookieStorage;
pub use dynamodb::DynamoDbStorage;
#[cfg(any(test, feature = "testing"))]
pub use dynamodb::testing::create_with_the_same_id;

/// The name of the session cookie, without `__Host-`.
const NAME: &str = "session";

/// A place for sessions. A request leads to its session by a cookie.
///
/// An error means that the storage failed: the visitor then counts neither as signed in nor as signed out.
#[async_trait]
pub trait TokenStorage: fmt::Debug + Send + Sync {
    /// The visitor who sent the request, which counts as a use of the session.
    async fn visitor(&self, request: &Request, now: Timestamp) -> Result<Visitor>;

    /// The same, without counting as a use: the idle limit goes on.
    async fn look(&self, request: &Request, now: Timestamp) -> Result<Visitor>;

    /// The user that the session cookie names, without a look at the session.
    fn subject(&self, request: &Request) -> Option<String>;

    /// Refuses a session that is too large to be kept.
    fn check_size(&self, session: &Session) -> Result<()>;

    /// Keeps a new session in place of all that this browser had.
    async fn create(&self, request: &Request, session: &Session, now: Timestamp) -> Result<Created>;

    /// Ends every session of this browser: it has two if a cookie of the first release is left beside a newer one.
    async fn end(&self, request: &Request) -> Result<Ended>;

    /// Whether sessions in other browsers can be ended.
    fn can_end_everywhere(&self) -> bool;

    /// Ends every session of this browser, and then those of its user in other browsers. Their tokens are encrypted with
    /// keys that only those browsers have. A session that has ended already ends no other.
    async fn end_everywhere(&self, request: &Request, now: Timestamp) -> Result<Ended>;

    /// Begins the renewal of this browser's session. Of several concurrent requests, exactly one gets [`Renewal::Ours`],
    /// if the storage has leases.
    async fn begin_renewal(&self, request: &Request, now: Timestamp) -> Result<Renewal>;

    /// Keeps a session whose renewal was begun with this lease.
    async fn finish_renewal(&self, request: &Request, lease: Lease, session: &Session, now: Timestamp) -> Result<Kept>;
}

/// A new session that is kept.
#[derive(Debug)]
pub struct Created {
    /// The cookie that leads to it.
    pub cookie: Cookie<'static>,
    /// The sessions that this browser had, if they could be opened. The tokens of another user's are to be revoked.
    pub replaced: Vec<Session>,
}

/// What a logout has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// This browser's sessions, if they could be opened. Their tokens are to be revoked.
    pub sessions: Vec<Session>,
    /// Why sessions in other browsers are left, if they were to be ended and are not.
    pub others_left: Option<Reason>,
}

/// Which request renews a session.
#[derive(Debug)]
pub enum Renewal {
    /// This request, and no other while it holds the lease.
    Ours(Box<Session>, Lease),
    /// None: the tokens are good, or another request is renewing them and these can be used until then.
    NotNeeded,
    /// None: only a new sign-in helps.
    SignInNeeded,
    /// None: only a new sign-in helps at which the user logs in again, since the last login is too old.
    LoginNeeded,
}

/// The right to renew one session for a limited time.
#[derive(Debug)]
pub enum Lease {
    /// The storage has no leases: several requests may renew at once.
    None,
    /// An exclusive right.
    Exclusive {
        /// Random, so that no other request has the same.
        id: String,
        /// The version of the session that is renewed.
        version: u64,
    },
}

/// Whether a renewed session was kept.
#[derive(Debug)]
pub enum Kept {
    /// Yes. If the session is in a cookie, this is the cookie.
    Yes(Option<Cookie<'static>>),
    /// No: it has ended or changed in the meantime. This is the visitor now.
    No(Visitor),
}

/// The cookies to set for a session: its own, and the removal of that of the first release, if the browser has one.
pub fn keeping(
    request: &Request,
    cookies: &SealedCookies,
    cookie: Cookie<'static>,
) -> impl Iterator<Item = Cookie<'static>> {
    std::iter::once(cookie).chain(cookies.removal_of_first(request, NAME))
}

/// The cookies that remove the session cookie of the request.
pub fn removals(request: &Request, cookies: &SealedCookies) -> impl Iterator<Item = Cookie<'static>> {
    cookies.removals(request, NAME)
}
