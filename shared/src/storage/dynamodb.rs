//! Sessions in a DynamoDB table.
//!
//! The browser has a ticket: the user's UUID, the session id, and a key of its own. The table has the session, encrypted
//! with that key: a copy of the table opens nothing, and a change to it is noticed. A page view makes one strongly
//! consistent read.

mod connector;
mod failure;
mod item;
mod table;
#[cfg(any(test, feature = "testing"))]
mod testing;
mod ticket;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::try_join_all;
use lambda_http::Request;
use tokio::time::{Instant, sleep};

use super::{Created, Kept, Lease, NAME, Renewal, TokenStorage};
use crate::{
    config::{Config, TableConfig},
    cookies::{MAX_COOKIE, Opened, Purpose, SealedCookies},
    error::{Kind, Result},
    http_client,
    log::{self, Event, Outcome, Reason},
    session::{Session, Visitor},
    timestamp::Timestamp,
};
use item::Item;
use table::{Table, Written};
use ticket::Ticket;

/// How long one request may renew before another may try. It is longer than the request to Globus and the write after it,
/// so that only a request that has died loses its lease.
const LEASE: Duration = Duration::from_secs(12);
const _: () = assert!(LEASE.as_secs() > http_client::TIMEOUT.as_secs() + table::WAIT_FOR.as_secs());

/// How often a request that waits for another's renewal reads the item.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// Keeps sessions in a DynamoDB table.
#[derive(Debug)]
pub struct DynamoDbStorage {
    table: Table,
    idle: Duration,
    max: Duration,
    cookies: Arc<SealedCookies>,
}

impl DynamoDbStorage {
    /// The storage of this deployment.
    pub fn new(config: &Config, table: TableConfig, cookies: Arc<SealedCookies>) -> Result<Self> {
        Ok(Self { idle: table.idle, max: config.session_max, table: Table::new(table)?, cookies })
    }

    fn ticket(&self, request: &Request) -> Opened<Ticket> {
        match self.cookies.open(request, Purpose::Ticket, NAME) {
            Opened::Value(ticket) if !Ticket::is_known(&ticket) => Opened::Unreadable,
            opened => opened,
        }
    }

    /// The session that a ticket leads to, and its item; or the reason why there is none.
    async fn load(&self, ticket: &Ticket, now: Timestamp) -> Result<Result<(Session, Item), Reason>> {
        let Some(item) = self.table.get(ticket).await? else {
            return Ok(Err(Reason::SessionGone));
        };
        let Some(mut session) = item.open(ticket) else {
            return Ok(Err(Reason::SessionUnreadable));
        };
        if item.is_leased(now) {
            session.being_renewed(now);
        }
        Ok(Ok((session, item)))
    }

    /// The visitor with a session that was found. DynamoDB deletes an item some time after its session has ended.
    fn visitor_with(&self, session: Session, item: &Item, now: Timestamp) -> Visitor {
        if item.is_idle(self.idle, now) { Visitor::Expired(session) } else { session.visitor(self.max, now) }
    }

    /// Notes that the session is in use, at most every tenth of the idle limit. Returns `false` if the session has ended
    /// in the meantime. Any other failure is logged only: the user stays signed in.
    async fn note_use(&self, ticket: &Ticket, item: &Item, now: Timestamp) -> bool {
        if !item.is_idle(self.idle / 10, now) {
            return true;
        }
        match self.table.note_use(ticket, now).await {
            Ok(written) => written == Written::Yes,
            Err(error) => {
                log::write(Event::Request, Outcome::Partial, error.row().reason.into());
                true
            }
        }
    }

    /// The right to renew, unless another request has it or the session has changed.
    async fn take_lease(&self, ticket: &Ticket, item: &Item, now: Timestamp) -> Result<Option<Lease>> {
        let id = URL_SAFE_NO_PAD.encode(random::<16>()?);
        let written = self.table.take_lease(ticket, item.version, &id, now, now + LEASE).await?;
        Ok((written == Written::Yes).then_some(Lease::Exclusive { id, version: item.version }))
    }
}

#[async_trait]
impl TokenStorage for DynamoDbStorage {
    async fn visitor(&self, request: &Request, now: Timestamp) -> Result<Visitor> {
        let ticket = match self.ticket(request) {
            Opened::Absent => return Ok(Visitor::SignedOut),
            Opened::Unreadable => return Ok(Visitor::Unusable(Reason::CookieUnreadable)),
            Opened::Value(ticket) => ticket,
        };
        let (session, item) = match self.load(&ticket, now).await? {
            Ok(found) => found,
            Err(reason) => return Ok(Visitor::Unusable(reason)),
        };
        let visitor = self.visitor_with(session, &item, now);
        let ended = matches!(visitor, Visitor::SignedIn(_)) && !self.note_use(&ticket, &item, now).await;
        Ok(if ended { Visitor::Unusable(Reason::SessionGone) } else { visitor })
    }

    async fn create(&self, request: &Request, session: &Session, now: Timestamp) -> Result<Created> {
        let ticket = Ticket::new(&session.identity.sub)?;
        let time_left = session.time_left(self.max, now);
        let cookie = self.cookies.seal(Purpose::Ticket, NAME, &ticket, time_left)?;
        if cookie.to_string().len() > MAX_COOKIE {
            return Err(Kind::ResponseRefused(Reason::SubjectTooLong).into());
        }
        self.table.put(&ticket, session, now, now + time_left).await?;
        let replaced = self.end(request).await.unwrap_or_else(|error| {
            // No browser has its ticket any more, and DynamoDB deletes it after its end.
            log::write(Event::SignIn, Outcome::Partial, error.row().reason.into());
            None
        });
        Ok(Created { cookie, replaced })
    }

    async fn end(&self, request: &Request) -> Result<Option<Session>> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(None);
        };
        // Read first: if the response to the deletion is lost, the SDK's next try finds nothing any more.
        let before = self.table.get(&ticket).await?;
        let item = self.table.delete(&ticket).await?.or(before);
        Ok(item.and_then(|item| item.open(&ticket)))
    }

    fn can_end_everywhere(&self) -> bool {
        true
    }

    async fn end_everywhere(&self, request: &Request) -> Result<Option<Session>> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(None);
        };
        // Only for a signed-in user: the ticket of a session that has ended must not end newer ones.
        if self.table.get(&ticket).await?.and_then(|item| item.open(&ticket)).is_none() {
            return Ok(None);
        }
        let ids = self.table.session_ids(ticket.sub()).await?.into_iter().filter(|id| id != ticket.id());
        let others = ids.map(|id| Ticket::without_key(ticket.sub(), id));
        try_join_all(others.map(|other| async move { self.table.delete(&other).await })).await?;
        // This one last: if another could not be ended, the user can try again.
        self.end(request).await
    }

    async fn begin_renewal(&self, request: &Request, now: Timestamp) -> Result<Renewal> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(Renewal::SignInNeeded);
        };
        let begun = Instant::now();
        loop {
            let now = now + begun.elapsed();
            let Ok((session, item)) = self.load(&ticket, now).await? else {
                return Ok(Renewal::SignInNeeded);
            };
            let (Visitor::SignedIn(session) | Visitor::NeedsRenewal(session)) = self.visitor_with(session, &item, now)
            else {
                return Ok(Renewal::SignInNeeded);
            };
            if !session.needs_renewal(now) {
                return Ok(Renewal::NotNeeded);
            }
            if !item.is_leased(now)
                && let Some(lease) = self.take_lease(&ticket, &item, now).await?
            {
                return Ok(Renewal::Ours(session.into(), lease));
            }
            // Another request renews. If it dies, its lease ends, and one of those that wait takes the next.
            if begun.elapsed() > LEASE + POLL_EVERY * 5 {
                return Err(Kind::GlobusUnavailable(Reason::RenewalTakesTooLong).into());
            }
            sleep(POLL_EVERY).await;
        }
    }

    async fn finish_renewal(&self, request: &Request, lease: Lease, session: &Session, now: Timestamp) -> Result<Kept> {
        let (Opened::Value(ticket), Lease::Exclusive { id, version }) = (self.ticket(request), lease) else {
            return Ok(Kept::No(Visitor::Unusable(Reason::CookieUnreadable)));
        };
        match self.table.replace(&ticket, session, version + 1, &id).await? {
            Written::Yes => Ok(Kept::Yes(None)),
            Written::No => Ok(Kept::No(self.visitor(request, now).await?)),
        }
    }
}

/// Random bytes from the system, by ring, which the TLS stack uses too.
fn random<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    filled.map(|()| bytes).map_err(|_| Kind::Internal(Reason::NoRandomNumbers).into())
}

#[cfg(test)]
mod tests;
