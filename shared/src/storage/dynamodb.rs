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
pub(super) mod testing;
mod ticket;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use lambda_http::Request;
use tokio::time::{Instant, sleep, timeout};

use super::{Created, Ended, Kept, Lease, NAME, Renewal, TokenStorage, held::Held};
use crate::{
    Error, Kind, Result, Timestamp,
    config::{Config, TableConfig},
    cookies::{MAX_COOKIE, Opened, Purpose, SealedCookies},
    http_client,
    log::{self, Event, Outcome, Reason},
    logout_mark, random,
    session::{Limits, Need, Session, Visitor},
    timestamp::SKEW,
};
use item::Item;
use table::Table;
use ticket::Ticket;

/// How long one request may renew before another may try, beside the skew of clocks. It is longer than the requests to
/// Globus, for the tokens and then for the access rules, and the write after them, so that only a request that has died
/// loses its lease.
const LEASE: Duration = Duration::from_secs(17);
const _: () = assert!(LEASE.as_secs() > 2 * http_client::TIMEOUT.as_secs() + table::WAIT_FOR.as_secs());

/// How often a request that waits for another's renewal reads the item.
const POLL_EVERY: Duration = Duration::from_millis(200);

/// How long a request waits for another's renewal.
const WAIT_FOR_RENEWAL: Duration = Duration::from_secs(4);

/// How many sessions a user can have. A new one more ends the oldest.
const MOST_SESSIONS: usize = 50;

/// How many items are deleted at once.
const DELETE_AT_ONCE: usize = 16;

/// How long a logout goes on ending other sessions, and how long a sign-in does.
const END_ALL_WITHIN: Duration = Duration::from_secs(8);
const END_OLDEST_WITHIN: Duration = Duration::from_secs(2);

/// Keeps sessions in a DynamoDB table.
#[derive(Debug)]
pub struct DynamoDbStorage {
    table: Table,
    idle: Duration,
    limits: Limits,
    cookies: Arc<SealedCookies>,
}

impl DynamoDbStorage {
    /// The storage of this deployment.
    pub fn new(config: &Config, table: TableConfig, cookies: Arc<SealedCookies>) -> Result<Self> {
        Ok(Self { idle: table.idle, limits: config.limits(), table: Table::new(table)?, cookies })
    }

    fn held(&self, request: &Request) -> Held<Ticket> {
        Held::of(request, &self.cookies, Purpose::Ticket, Ticket::is_known)
    }

    fn ticket(&self, request: &Request) -> Opened<Ticket> {
        self.held(request).current(Ticket::sub)
    }

    /// The session that a ticket leads to, and its item; or the reason why there is none.
    async fn load(&self, ticket: &Ticket, now: Timestamp) -> Result<Result<(Session, Item), Reason>> {
        let Some(mut item) = self.table.get(ticket).await? else {
            return Ok(Err(Reason::SessionGone));
        };
        let Some(session) = item.open(ticket) else {
            return Ok(Err(Reason::SessionUnreadable));
        };
        item.disbelieve_the_future(&session, now);
        Ok(Ok((session, item)))
    }

    /// The visitor with a session that was found. DynamoDB deletes an item some time after its session has ended.
    fn visitor_with(&self, session: Session, item: &Item, request: &Request, now: Timestamp) -> Visitor {
        let idle = item.is_idle(self.idle, now);
        match session.visitor(logout_mark::read(request, &self.cookies, now), &self.limits, now) {
            Visitor::SignedIn(session) | Visitor::NeedsRenewal(session) | Visitor::LoginTooOld(session) if idle => {
                Visitor::Expired(session)
            }
            visitor => visitor,
        }
    }

    /// The visitor who sent the request, and the item of the session if there is one.
    async fn find(&self, request: &Request, now: Timestamp) -> Result<(Visitor, Option<(Ticket, Item)>)> {
        let ticket = match self.ticket(request) {
            Opened::Absent => return Ok((Visitor::SignedOut, None)),
            Opened::Unreadable => return Ok((Visitor::Unusable(Reason::CookieUnreadable), None)),
            Opened::Value(ticket) => ticket,
        };
        let (mut session, item) = match self.load(&ticket, now).await? {
            Ok(found) => found,
            Err(reason) => return Ok((Visitor::Unusable(reason), None)),
        };
        // For longer than the login function does, whose clock may be behind: it would send the browser back at once.
        if item.is_leased(now - SKEW) {
            session.being_renewed(now);
        }
        Ok((self.visitor_with(session, &item, request, now), Some((ticket, item))))
    }

    /// Whether the ticket leads to a session that has not ended.
    async fn is_living(&self, ticket: &Ticket, request: &Request, now: Timestamp) -> Result<bool> {
        let found = self.load(ticket, now).await?;
        Ok(found.is_ok_and(|(session, item)| self.visitor_with(session, &item, request, now).living().is_some()))
    }

    /// Ends the session of a ticket; returns it, if it could be opened.
    async fn end_one(&self, ticket: &Ticket) -> Result<Option<Session>> {
        // Read first: if the response to the deletion is lost, the SDK's next try finds nothing any more. A read that fails
        // does not keep the session alive.
        let before = self.table.get(ticket).await;
        let item = match self.table.delete(ticket).await? {
            Some(item) => Some(item),
            // If the read has failed too, the tokens are not known, and the page must say that they are left.
            None => before?,
        };
        Ok(item.and_then(|item| item.open(ticket)))
    }

    /// Ends the session of each ticket of this browser; returns those that could be opened.
    async fn end_each(&self, request: &Request) -> Result<Vec<Session>> {
        let mut sessions = Vec::new();
        for ticket in self.held(request).values {
            sessions.extend(self.end_one(&ticket).await?);
        }
        Ok(sessions)
    }

    /// Ends the sessions of a user but for the `newest` ones and that of `ticket`, as many as can be ended in time.
    async fn end_others(&self, ticket: &Ticket, newest: usize, within: Duration) -> Result<()> {
        let in_time = timeout(within, self.end_all_others(ticket, newest)).await;
        in_time.unwrap_or_else(|_| Err(Kind::StoreUnavailable(Reason::StoreTimeout).into()))
    }

    async fn end_all_others(&self, ticket: &Ticket, newest: usize) -> Result<()> {
        let mut others = self.table.sessions(ticket.sub()).await?;
        others.retain(|(_, id)| id != ticket.id());
        others.sort_unstable_by_key(|(created, _)| std::cmp::Reverse(*created));
        let surplus = others.into_iter().skip(newest).map(|(_, id)| Ticket::without_key(ticket.sub(), id));
        let deletions = stream::iter(surplus).map(|other| async move { self.table.delete(&other).await.map(drop) });
        deletions.buffer_unordered(DELETE_AT_ONCE).fold(Ok(()), async |before, deleted| before.and(deleted)).await
    }

    /// Notes that the session is in use, at most every tenth of the idle limit. Returns `false` if the session has ended
    /// in the meantime. Any other failure is logged only: the user stays signed in.
    async fn note_use(&self, ticket: &Ticket, item: &Item, now: Timestamp) -> bool {
        if !item.is_idle(self.idle / 10, now) {
            return true;
        }
        self.table.note_use(ticket, now).await.unwrap_or_else(|error| {
            log::write(Event::Request, Outcome::Partial, error.row().reason.into());
            true
        })
    }

    /// The right to renew, unless another request has it or the session has changed.
    async fn take_lease(&self, ticket: &Ticket, item: &Item, now: Timestamp) -> Result<Option<Lease>> {
        let id = random::text::<16>()?;
        let written = self.table.take_lease(ticket, item.version, &id, now).await?;
        Ok(written.then_some(Lease::Exclusive { id, version: item.version }))
    }
}

#[async_trait]
impl TokenStorage for DynamoDbStorage {
    async fn visitor(&self, request: &Request, now: Timestamp) -> Result<Visitor> {
        let (visitor, found) = self.find(request, now).await?;
        Ok(match (&visitor, found) {
            (Visitor::SignedIn(_), Some((ticket, item))) if !self.note_use(&ticket, &item, now).await => {
                Visitor::Unusable(Reason::SessionGone)
            }
            _ => visitor,
        })
    }

    async fn look(&self, request: &Request, now: Timestamp) -> Result<Visitor> {
        self.find(request, now).await.map(|(visitor, _)| visitor)
    }

    fn subject(&self, request: &Request) -> Option<String> {
        self.held(request).values.first().map(|ticket| ticket.sub().to_owned())
    }

    fn check_size(&self, _: &Session) -> Result<()> {
        Ok(())
    }

    async fn create(&self, request: &Request, session: &Session, now: Timestamp) -> Result<Created> {
        let ticket = Ticket::new(&session.identity.sub)?;
        let time_left = session.time_left(self.limits.max, now);
        let cookie = self.cookies.seal(Purpose::Ticket, NAME, &ticket, time_left)?;
        if cookie.to_string().len() > MAX_COOKIE {
            return Err(Kind::ResponseRefused(Reason::SubjectTooLong).into());
        }
        self.table.put(&ticket, session, now, now + time_left).await?;
        // Old sessions that stay are no reason to refuse the new one: DynamoDB deletes them after their end.
        let failed = |error: Error| log::write(Event::SignIn, Outcome::Partial, error.row().reason.into());
        let replaced = self.end_each(request).await.map_err(failed).unwrap_or_default();
        self.end_others(&ticket, MOST_SESSIONS - 1, END_OLDEST_WITHIN).await.unwrap_or_else(failed);
        Ok(Created { cookie, replaced })
    }

    async fn end(&self, request: &Request) -> Result<Ended> {
        Ok(Ended { sessions: self.end_each(request).await?, others_left: None })
    }

    fn can_end_everywhere(&self) -> bool {
        true
    }

    async fn end_everywhere(&self, request: &Request, now: Timestamp) -> Result<Ended> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(Ended { sessions: self.end_each(request).await?, others_left: Some(Reason::SessionEnded) });
        };
        let living = self.is_living(&ticket, request, now).await;
        let sessions = self.end_each(request).await?;
        let others = match living {
            Ok(true) => self.end_others(&ticket, 0, END_ALL_WITHIN).await,
            Ok(false) => return Ok(Ended { sessions, others_left: Some(Reason::SessionEnded) }),
            Err(error) => Err(error),
        };
        Ok(Ended { sessions, others_left: others.err().map(|error| error.row().reason) })
    }

    async fn begin_renewal(&self, request: &Request, now: Timestamp) -> Result<Renewal> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(Renewal::SignInNeeded);
        };
        let begun = Instant::now();
        loop {
            let now = now + begun.elapsed();
            let Ok((mut session, item)) = self.load(&ticket, now).await? else {
                return Ok(Renewal::SignInNeeded);
            };
            if item.is_leased(now) {
                // As by a clock that is ahead, like that of the function may be that sent the browser here.
                session.being_renewed(now + SKEW);
            }
            let (Visitor::SignedIn(session) | Visitor::NeedsRenewal(session) | Visitor::LoginTooOld(session)) =
                self.visitor_with(session, &item, request, now)
            else {
                return Ok(Renewal::SignInNeeded);
            };
            match session.need(&self.limits, now) {
                Need::Nothing => return Ok(Renewal::NotNeeded),
                Need::Login => return Ok(Renewal::LoginNeeded),
                Need::Renewal => {}
            }
            if !item.is_leased(now)
                && let Some(lease) = self.take_lease(&ticket, &item, now).await?
            {
                return Ok(Renewal::Ours(session.into(), lease));
            }
            // Another request renews. If it dies, its lease ends, and a later request takes the next.
            if begun.elapsed() > WAIT_FOR_RENEWAL {
                return Err(Kind::RenewalBusy.into());
            }
            sleep(POLL_EVERY).await;
        }
    }

    async fn finish_renewal(&self, request: &Request, lease: Lease, session: &Session, now: Timestamp) -> Result<Kept> {
        let (Opened::Value(ticket), Lease::Exclusive { id, version }) = (self.ticket(request), lease) else {
            return Ok(Kept::No(Visitor::Unusable(Reason::CookieUnreadable)));
        };
        if self.table.replace(&ticket, session, version + 1, &id).await? {
            return Ok(Kept::Yes(None));
        }
        Ok(Kept::No(self.visitor(request, now).await?))
    }
}

#[cfg(test)]
mod tests;
