//! The requests to the session table.
//!
//! | attribute | meaning |
//! | --- | --- |
//! | `sub`, `session_id` | the key: all sessions of a user are in one partition |
//! | `format` | the format of the item |
//! | `sealed`, `version` | the encrypted session, and how often it was written |
//! | `created_at`, `last_used_at` | seconds since the epoch |
//! | `expires_at` | the same; DynamoDB deletes the item some time after it |
//! | `lease_id`, `lease_until` | the request that renews, while one does |
//!
//! The SDK repeats a request whose response is lost. So the condition of each write also holds after that very write.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::update_item::builders::UpdateItemFluentBuilder,
    primitives::Blob,
    types::{AttributeValue, ReturnValue},
};

use super::{
    LEASE, connector,
    failure::failure,
    item::{self, Item},
    ticket::Ticket,
};
use crate::{
    Kind, Result, Timestamp, config::TableConfig, http_client, log::Reason, session::Session, timestamp::SKEW,
};

/// The time limits of one attempt, and of a request with all its attempts. A function that waits is paid for.
const ATTEMPT_FOR: Duration = Duration::from_millis(1500);
pub(super) const WAIT_FOR: Duration = Duration::from_secs(4);

/// The attributes of an item by name.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The name of each attribute.
pub(super) const SUB: &str = "sub";
pub(super) const SESSION_ID: &str = "session_id";
pub(super) const FORMAT: &str = "format";
pub(super) const SEALED: &str = "sealed";
pub(super) const VERSION: &str = "version";
pub(super) const CREATED_AT: &str = "created_at";
pub(super) const LAST_USED_AT: &str = "last_used_at";
pub(super) const EXPIRES_AT: &str = "expires_at";
pub(super) const LEASE_ID: &str = "lease_id";
pub(super) const LEASE_UNTIL: &str = "lease_until";

/// The session table and the client that reaches it.
#[derive(Debug)]
pub(super) struct Table {
    client: Client,
    name: String,
}

impl Table {
    pub(super) fn new(table: TableConfig) -> Result<Self> {
        let token = table.token.map(|token| token.expose().to_owned());
        let key = table.key.expose();
        let credentials = Credentials::new(table.key_id, key, token, None, "the function's role");
        let retry = RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::from_millis(50))
            .with_max_backoff(Duration::from_millis(400));
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_FOR).operation_timeout(WAIT_FOR).build();
        let mut sdk = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(table.region))
            .credentials_provider(credentials)
            .http_client(connector::through(http_client::new()?))
            .retry_config(retry)
            .timeout_config(timeouts)
            // Responses are short, and the time limits above cover them.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        sdk.set_endpoint_url(table.endpoint);
        Ok(Self { client: Client::from_conf(sdk.build()), name: table.name })
    }

    /// A strongly consistent read of one item.
    pub(super) async fn get(&self, ticket: &Ticket) -> Result<Option<Item>> {
        let get = self.client.get_item().table_name(&self.name).set_key(Some(key(ticket)));
        let response = get.consistent_read(true).send().await.map_err(|error| failure(&error))?;
        Ok(response.item.map(Item::from))
    }

    /// Writes a new item. It never overwrites a session, even if the random numbers repeat.
    pub(super) async fn put(
        &self,
        ticket: &Ticket,
        session: &Session,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<()> {
        let sealed = AttributeValue::B(Blob::new(item::seal(session, ticket, 1)?));
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(key(ticket)))
            .item(FORMAT, number(item::FORMAT_VERSION))
            .item(VERSION, number(1))
            .item(SEALED, sealed.clone())
            .item(CREATED_AT, time(now))
            .item(LAST_USED_AT, time(now))
            .item(EXPIRES_AT, time(expires))
            .condition_expression(format!("attribute_not_exists({SESSION_ID}) OR {SEALED} = :sealed"))
            .expression_attribute_values(":sealed", sealed);
        if is_written(put.send().await)? { Ok(()) } else { Err(Kind::Internal(Reason::SessionIdTaken).into()) }
    }

    /// Deletes an item; returns it.
    pub(super) async fn delete(&self, ticket: &Ticket) -> Result<Option<Item>> {
        let delete = self.client.delete_item().table_name(&self.name).set_key(Some(key(ticket)));
        let response = delete.return_values(ReturnValue::AllOld).send().await.map_err(|error| failure(&error))?;
        Ok(response.attributes.map(Item::from))
    }

    /// All sessions of a user: when each was created, and its id.
    pub(super) async fn sessions(&self, sub: &str) -> Result<Vec<(Timestamp, String)>> {
        let mut sessions = Vec::new();
        let mut from = None;
        loop {
            let query = self.client.query().table_name(&self.name).consistent_read(true);
            let query = query
                .key_condition_expression("#sub = :sub")
                .projection_expression(format!("{SESSION_ID}, {CREATED_AT}"));
            let query = query.expression_attribute_names("#sub", SUB).expression_attribute_values(":sub", text(sub));
            let page = query.set_exclusive_start_key(from).send().await.map_err(|error| failure(&error))?;
            sessions.extend(page.items.into_iter().flatten().filter_map(|item| {
                let created = item.get(CREATED_AT).and_then(|created| created.as_n().ok()?.parse().ok());
                let id = item.get(SESSION_ID)?.as_s().ok()?.clone();
                Some((Timestamp::from_seconds(created.unwrap_or_default()), id))
            }));
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(sessions);
            }
        }
    }

    /// Notes when the session was last used, unless it has ended. Returns whether it has not.
    pub(super) async fn note_use(&self, ticket: &Ticket, now: Timestamp) -> Result<bool> {
        let update = self
            .update(ticket)
            .update_expression(format!("SET {LAST_USED_AT} = :now"))
            .condition_expression(format!("attribute_exists({SESSION_ID})"))
            .expression_attribute_values(":now", time(now));
        is_written(update.send().await)
    }

    /// Takes the lease `id`, unless another one is valid by the clock of any instance, or the item is of another version. Returns
    /// whether it has taken it.
    pub(super) async fn take_lease(&self, ticket: &Ticket, version: u64, id: &str, now: Timestamp) -> Result<bool> {
        let update = self
            .update(ticket)
            .update_expression(format!("SET {LEASE_ID} = :id, {LEASE_UNTIL} = :until"))
            .condition_expression(format!(
                "{VERSION} = :version AND (attribute_not_exists({LEASE_UNTIL}) OR {LEASE_ID} = :id OR NOT {LEASE_UNTIL} BETWEEN :past AND :future)"
            ))
            .expression_attribute_values(":id", text(id))
            .expression_attribute_values(":until", time(now + LEASE))
            .expression_attribute_values(":version", number(version))
            // Inclusive at both ends: a lease that ended at `now - SKEW` is over.
            .expression_attribute_values(":past", time(now - SKEW + Duration::from_secs(1)))
            .expression_attribute_values(":future", time(now + LEASE + SKEW));
        is_written(update.send().await)
    }

    /// Replaces the session and gives the lease back, if the item still has it. A session that has ended has none, so it
    /// is not brought back. Returns whether it was replaced.
    pub(super) async fn replace(&self, ticket: &Ticket, session: &Session, version: u64, lease: &str) -> Result<bool> {
        let sealed = AttributeValue::B(Blob::new(item::seal(session, ticket, version)?));
        let update = self
            .update(ticket)
            .update_expression(format!("SET {SEALED} = :sealed, {VERSION} = :version REMOVE {LEASE_ID}, {LEASE_UNTIL}"))
            .condition_expression(format!("{LEASE_ID} = :lease OR {SEALED} = :sealed"))
            .expression_attribute_values(":sealed", sealed)
            .expression_attribute_values(":version", number(version))
            .expression_attribute_values(":lease", text(lease));
        is_written(update.send().await)
    }

    fn update(&self, ticket: &Ticket) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.name).set_key(Some(key(ticket)))
    }
}

/// Whether a write was carried out: not if its condition did not hold.
fn is_written<T, E: ProvideErrorMetadata>(response: Result<T, SdkError<E>>) -> Result<bool> {
    match response {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(failure(&error)),
    }
}

/// The key of a ticket's item.
fn key(ticket: &Ticket) -> Attributes {
    [(SUB.to_owned(), text(ticket.sub())), (SESSION_ID.to_owned(), text(ticket.id()))].into()
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn time(time: Timestamp) -> AttributeValue {
    number(time.seconds())
}
