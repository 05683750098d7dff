//! Sessions in a DynamoDB table.
//!
//! The browser has a ticket: whose session it is, which one, and a key of its own. The table has the rest, encrypted
//! with that key, so whoever copies the table can open nothing in it, and whoever edits it is noticed. One strongly
//! consistent read for a page view.
//!
//! | attribute | what it is |
//! | --- | --- |
//! | `sub`, `session_id` | the item's key: all sessions of one person are together |
//! | `format` | how the item is written |
//! | `sealed`, `version` | the session, and how often it has changed |
//! | `created_at`, `last_used_at` | seconds since the epoch |
//! | `expires_at` | the same; DynamoDB deletes the item some time after it |
//! | `lease_id`, `lease_until` | who renews, while somebody does |
//!
//! A request is sent again where its answer is lost: whatever a write asks for as its condition also holds once that very
//! write is done.

mod connector;
mod item;
mod ticket;
mod trouble;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
    operation::update_item::builders::UpdateItemFluentBuilder,
    primitives::Blob,
    types::{AttributeValue, ReturnValue},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::Cookie;
use futures_util::future::try_join_all;
use lambda_http::Request;
use tokio::time::{Instant, sleep};

use super::{Kept, Lease, NAME, Renewal, TokenStorage};
use crate::{
    clock,
    config::{Config, TableConfig},
    cookies::{MAX_COOKIE, Opened, Purpose, SealedCookies},
    error::{Kind, Result},
    http_client,
    session::{Session, Visitor},
};
use item::Item;
use ticket::Ticket;
use trouble::{is_refused_by_condition, trouble};

/// How long one try of one request may take, and all its tries together. A function that waits is paid for.
const TRY_FOR: Duration = Duration::from_millis(1500);
const WAIT_FOR: Duration = Duration::from_secs(4);

/// How long one request may renew before another may try. It outlives the request to Globus and the write after it, so
/// that only a holder that is dead loses its lease.
const LEASE: Duration = Duration::from_secs(12);
const _: () = assert!(LEASE.as_secs() > http_client::TIMEOUT.as_secs() + WAIT_FOR.as_secs());

/// How often a request that waits for another's renewal looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Keeps sessions in a table.
#[derive(Debug)]
pub struct DynamoDbStorage {
    client: Client,
    table: String,
    idle: Duration,
    max: Duration,
    cookies: Arc<SealedCookies>,
}

impl DynamoDbStorage {
    /// The storage of this deployment.
    pub fn new(config: &Config, table: TableConfig, cookies: Arc<SealedCookies>) -> Result<Self> {
        let (id, key, token) = table.credentials;
        let token = token.map(|token| token.expose().to_owned());
        let credentials = Credentials::new(id, key.expose(), token, None, "the function's role");
        let retry = RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::from_millis(50))
            .with_max_backoff(Duration::from_millis(400));
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(TRY_FOR).operation_timeout(WAIT_FOR).build();
        let mut sdk = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(table.region))
            .credentials_provider(credentials)
            .http_client(connector::through(http_client::new()?))
            .retry_config(retry)
            .timeout_config(timeouts)
            // Answers are short, and the time limits above hold for them as well.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        sdk.set_endpoint_url(table.endpoint);
        Ok(Self {
            client: Client::from_conf(sdk.build()),
            table: table.name,
            idle: table.idle,
            max: config.session_max,
            cookies,
        })
    }

    fn ticket(&self, request: &Request) -> Opened<Ticket> {
        match self.cookies.open(request, Purpose::Ticket, NAME) {
            Opened::Value(ticket) if !Ticket::is_known(&ticket) => Opened::Unreadable,
            opened => opened,
        }
    }

    async fn get(&self, ticket: &Ticket) -> Result<Option<Item>> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(ticket.item_key()));
        let answer = get.consistent_read(true).send().await.map_err(|error| trouble(&error))?;
        Ok(answer.item.map(Item::from))
    }

    /// The session behind a ticket, and its item; or why there is none that can be used.
    async fn load(&self, ticket: &Ticket, now: SystemTime) -> Result<Result<(Session, Item), &'static str>> {
        let Some(item) = self.get(ticket).await? else {
            return Ok(Err("session_gone"));
        };
        let Some(mut session) = item.open(ticket) else {
            return Ok(Err("session_unreadable"));
        };
        if item.is_leased(now) {
            session.being_renewed(now);
        }
        Ok(Ok((session, item)))
    }

    /// Where somebody stands whose session was found. DynamoDB deletes an item only some time after it has ended.
    fn standing(&self, session: Session, item: &Item, now: SystemTime) -> Visitor {
        if item.is_idle(self.idle, now) { Visitor::Expired(session) } else { session.visitor(self.max, now) }
    }

    /// Notes that the session is in use, now and then; gives `false` if it has ended meanwhile. Every other trouble is
    /// for the log: whoever is signed in stays so.
    async fn note_use(&self, ticket: &Ticket, item: &Item, now: SystemTime) -> bool {
        if !item.is_idle(self.idle / 10, now) {
            return true;
        }
        let update = self.update(ticket).update_expression("SET last_used_at = :now");
        let update = update.expression_attribute_values(":now", number(clock::seconds(now)));
        match update.condition_expression("attribute_exists(session_id)").send().await {
            Ok(_) => true,
            Err(error) if is_refused_by_condition(&error) => false,
            Err(error) => {
                tracing::warn!(reason = trouble(&error).reason(), "the last use of a session is not noted");
                true
            }
        }
    }

    fn update(&self, ticket: &Ticket) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).set_key(Some(ticket.item_key()))
    }

    /// Takes the right to renew, unless another has it or the session has changed.
    async fn take_lease(&self, ticket: &Ticket, item: &Item, now: SystemTime) -> Result<Option<Lease>> {
        let lease = Lease { id: URL_SAFE_NO_PAD.encode(random::<16>()?), version: item.version };
        let until = clock::seconds(now + LEASE);
        let taken = self
            .update(ticket)
            .update_expression("SET lease_id = :id, lease_until = :until")
            .condition_expression(
                "version = :version AND (attribute_not_exists(lease_until) OR lease_until <= :now OR lease_id = :id)",
            )
            .expression_attribute_values(":id", text(&lease.id))
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":version", number(item.version))
            .expression_attribute_values(":now", number(clock::seconds(now)))
            .send()
            .await;
        match taken {
            Ok(_) => Ok(Some(lease)),
            Err(error) if is_refused_by_condition(&error) => Ok(None),
            Err(error) => Err(trouble(&error)),
        }
    }

    async fn delete(&self, ticket: &Ticket) -> Result<Option<Item>> {
        let delete = self.client.delete_item().table_name(&self.table).set_key(Some(ticket.item_key()));
        let answer = delete.return_values(ReturnValue::AllOld).send().await.map_err(|error| trouble(&error))?;
        Ok(answer.attributes.map(Item::from))
    }

    /// The ids of every session of a person.
    async fn sessions_of(&self, sub: &str) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        let mut from = None;
        loop {
            let query = self.client.query().table_name(&self.table).consistent_read(true);
            let query = query.key_condition_expression("#sub = :sub").projection_expression("session_id");
            let query = query.expression_attribute_names("#sub", "sub").expression_attribute_values(":sub", text(sub));
            let page = query.set_exclusive_start_key(from).send().await.map_err(|error| trouble(&error))?;
            ids.extend(
                page.items.into_iter().flatten().filter_map(|item| item.get("session_id")?.as_s().ok().cloned()),
            );
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(ids);
            }
        }
    }

    /// Keeps a session under the id of the one that the request's cookie leads to: what would happen if random numbers
    /// repeated.
    #[cfg(any(test, feature = "testing"))]
    pub async fn create_with_the_same_id(&self, request: &Request, session: &Session, now: SystemTime) -> Result<()> {
        match self.ticket(request) {
            Opened::Value(ticket) => self.put(&ticket, session, now).await,
            Opened::Absent | Opened::Unreadable => Ok(()),
        }
    }

    async fn put(&self, ticket: &Ticket, session: &Session, now: SystemTime) -> Result<()> {
        let now_seconds = clock::seconds(now);
        let sealed = AttributeValue::B(Blob::new(item::seal(session, ticket, 1)?));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(ticket.item_key()))
            .item("format", number(item::FORMAT))
            .item("version", number(1))
            .item("sealed", sealed.clone())
            .item("created_at", number(now_seconds))
            .item("last_used_at", number(now_seconds))
            .item("expires_at", number(clock::seconds(now + session.time_left(self.max, now))))
            // Whatever the source of random numbers gives: nobody's session is written over.
            .condition_expression("attribute_not_exists(session_id) OR sealed = :sealed")
            .expression_attribute_values(":sealed", sealed);
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_refused_by_condition(&error) => Err(Kind::Internal("session_id_taken").into()),
            Err(error) => Err(trouble(&error)),
        }
    }
}

#[async_trait]
impl TokenStorage for DynamoDbStorage {
    async fn visitor(&self, request: &Request, now: SystemTime) -> Result<Visitor> {
        let ticket = match self.ticket(request) {
            Opened::Absent => return Ok(Visitor::SignedOut),
            Opened::Unreadable => return Ok(Visitor::Unusable("cookie_unreadable")),
            Opened::Value(ticket) => ticket,
        };
        let (session, item) = match self.load(&ticket, now).await? {
            Ok(found) => found,
            Err(reason) => return Ok(Visitor::Unusable(reason)),
        };
        let visitor = self.standing(session, &item, now);
        let ended = matches!(visitor, Visitor::SignedIn(_)) && !self.note_use(&ticket, &item, now).await;
        Ok(if ended { Visitor::Unusable("session_gone") } else { visitor })
    }

    async fn create(&self, request: &Request, session: &Session, now: SystemTime) -> Result<Cookie<'static>> {
        let ticket = Ticket::new(&session.identity.sub)?;
        let cookie = self.cookies.seal(Purpose::Ticket, NAME, &ticket, session.time_left(self.max, now))?;
        if cookie.to_string().len() > MAX_COOKIE {
            return Err(Kind::AnswerRefused("subject_too_long").into());
        }
        self.put(&ticket, session, now).await?;
        if let Opened::Value(old) = self.ticket(request)
            && let Err(error) = self.delete(&old).await
        {
            // Nobody has its ticket any more, and it runs out by itself.
            tracing::warn!(reason = error.reason(), "the session before this one is not deleted");
        }
        Ok(cookie)
    }

    async fn end(&self, request: &Request) -> Result<Option<Session>> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(None);
        };
        // What there was is read first: where the answer to the deletion is lost, the next try finds nothing any more.
        let before = self.get(&ticket).await?;
        let item = self.delete(&ticket).await?.or(before);
        Ok(item.and_then(|item| item.open(&ticket)))
    }

    fn can_end_everywhere(&self) -> bool {
        true
    }

    async fn end_everywhere(&self, request: &Request) -> Result<Option<Session>> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(None);
        };
        // Only for who is signed in: the ticket of a session that has ended must not end newer ones.
        if self.get(&ticket).await?.and_then(|item| item.open(&ticket)).is_none() {
            return Ok(None);
        }
        let ids = self.sessions_of(ticket.sub()).await?.into_iter().filter(|id| id != ticket.id());
        let others = ids.map(|id| Ticket::without_key(ticket.sub(), id));
        try_join_all(others.map(|other| async move { self.delete(&other).await })).await?;
        // This one last: if another could not be ended, whoever asked for it can ask again.
        self.end(request).await
    }

    async fn begin_renewal(&self, request: &Request, now: SystemTime) -> Result<Renewal> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(Renewal::SignInNeeded);
        };
        let begun = Instant::now();
        loop {
            let now = now + begun.elapsed();
            let Ok((session, item)) = self.load(&ticket, now).await? else {
                return Ok(Renewal::SignInNeeded);
            };
            let (Visitor::SignedIn(session) | Visitor::NeedsRenewal(session)) = self.standing(session, &item, now)
            else {
                return Ok(Renewal::SignInNeeded);
            };
            if !session.needs_renewal(now) {
                return Ok(Renewal::NotNeeded);
            }
            if !item.is_leased(now)
                && let Some(lease) = self.take_lease(&ticket, &item, now).await?
            {
                return Ok(Renewal::Ours(session, lease));
            }
            // Another renews. A lease that it does not give back runs out, and then somebody else's turn comes.
            if begun.elapsed() > LEASE + LOOK_EVERY * 5 {
                return Err(Kind::GlobusUnavailable("renewal_takes_too_long").into());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn finish_renewal(
        &self,
        request: &Request,
        lease: &Lease,
        session: &Session,
        now: SystemTime,
    ) -> Result<Kept> {
        let Opened::Value(ticket) = self.ticket(request) else {
            return Ok(Kept::No(Visitor::Unusable("cookie_unreadable")));
        };
        let version = lease.version + 1;
        let kept = self
            .update(&ticket)
            .update_expression("SET sealed = :sealed, version = :version REMOVE lease_id, lease_until")
            // The lease goes with the item: a session that has ended is not brought back.
            .condition_expression("lease_id = :lease OR sealed = :sealed")
            .expression_attribute_values(
                ":sealed",
                AttributeValue::B(Blob::new(item::seal(session, &ticket, version)?)),
            )
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":lease", text(&lease.id))
            .send()
            .await;
        match kept {
            Ok(_) => Ok(Kept::Yes(None)),
            Err(error) if is_refused_by_condition(&error) => Ok(Kept::No(self.visitor(request, now).await?)),
            Err(error) => Err(trouble(&error)),
        }
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Random bytes from the system, by ring, which the TLS stack uses too.
fn random<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    filled.map(|()| bytes).map_err(|_| Kind::Internal("no_random_numbers").into())
}

type Attributes = HashMap<String, AttributeValue>;

#[cfg(test)]
mod tests;
