//! Where sessions are kept between requests.
//!
//! Two storages, one trait. [`CookieStorage`] is the lighter one: the session itself travels in a sealed cookie, and a
//! page view asks nobody. [`DynamoDbStorage`] has room for any number of tokens, ends sessions for
//! good and everywhere, and lets one request of many renew. What both must not do: speak to Globus.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod cookie_storage;
mod dynamodb;

use std::{fmt, time::SystemTime};

use async_trait::async_trait;
use cookie::Cookie;
use lambda_http::Request;

use crate::{
    cookies::SealedCookies,
    error::Result,
    session::{Session, Visitor},
};

pub use cookie_storage::CookieStorage;
pub use dynamodb::DynamoDbStorage;

/// The session cookie, whatever it holds.
const NAME: &str = "session";

/// A place for sessions, each found through a cookie of the request. An error is the storage's own trouble: whoever
/// gets one is neither signed in nor signed out.
#[async_trait]
pub trait TokenStorage: fmt::Debug + Send + Sync {
    /// Who sent the request.
    async fn visitor(&self, request: &Request, now: SystemTime) -> Result<Visitor>;

    /// Keeps a new session, in the place of the one this browser had; gives the cookie that leads to it.
    async fn create(&self, request: &Request, session: &Session, now: SystemTime) -> Result<Cookie<'static>>;

    /// Ends this browser's session; gives what it was, so that its tokens can be revoked.
    async fn end(&self, request: &Request) -> Result<Option<Session>>;

    /// Whether sessions in other browsers can be ended.
    fn can_end_everywhere(&self) -> bool;

    /// Ends every session of whoever sent the request, in whatever browser; gives what this browser's was. The tokens of
    /// the others lie under keys that only those browsers have.
    async fn end_everywhere(&self, request: &Request) -> Result<Option<Session>>;

    /// Begins the renewal of this browser's session. Of many requests at once, one gets [`Renewal::Ours`], as far as the
    /// storage can see to it.
    async fn begin_renewal(&self, request: &Request, now: SystemTime) -> Result<Renewal>;

    /// Keeps what came of a renewal that was begun.
    async fn finish_renewal(
        &self,
        request: &Request,
        lease: &Lease,
        session: &Session,
        now: SystemTime,
    ) -> Result<Kept>;
}

/// Who renews.
#[derive(Debug)]
pub enum Renewal {
    /// Whoever gets this, and nobody else while the lease lasts.
    Ours(Session, Lease),
    /// Nobody: the tokens are good, or another request is about to renew them and these will do meanwhile.
    NotNeeded,
    /// Nobody can: a new sign-in is the way on.
    SignInNeeded,
}

/// The right to renew one session, for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Unguessable; empty where the storage has no leases.
    pub id: String,
    /// The version of the session that is renewed.
    pub version: u64,
}

/// What became of a renewed session.
#[derive(Debug)]
pub enum Kept {
    /// It is kept. A cookie is to be set where the session is in it.
    Yes(Option<Cookie<'static>>),
    /// It is not: the session has ended or changed meanwhile, and this is how it stands.
    No(Visitor),
}

/// Takes the session cookie away.
pub fn clear(cookies: &SealedCookies) -> Cookie<'static> {
    cookies.clear(NAME)
}
