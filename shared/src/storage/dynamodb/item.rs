//! The item: what the table has of a session.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{
    LEASE,
    table::{self, Attributes},
    ticket::Ticket,
};
use crate::{Kind, Result, Timestamp, log::Reason, random, session::Session, timestamp::SKEW};

/// The format of items. A new format is read for one release before it is written.
pub(super) const FORMAT_VERSION: u64 = 1;

/// A session as the table has it.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) version: u64,
    format: u64,
    sealed: Vec<u8>,
    last_used_at: Timestamp,
    lease_until: Timestamp,
}

impl From<Attributes> for Item {
    /// An item in which an attribute is missing or has another type does not open.
    fn from(mut attributes: Attributes) -> Self {
        let number = |name: &str| attributes.get(name)?.as_n().ok()?.parse().ok();
        let number = |name| number(name).unwrap_or_default();
        let time = |name| Timestamp::from_seconds(number(name));
        let (version, format) = (number(table::VERSION), number(table::FORMAT));
        let (last_used_at, lease_until) = (time(table::LAST_USED_AT), time(table::LEASE_UNTIL));
        let sealed = match attributes.remove(table::SEALED) {
            Some(AttributeValue::B(sealed)) => sealed.into_inner(),
            _ => Vec::new(),
        };
        Self { version, format, sealed, last_used_at, lease_until }
    }
}

impl Item {
    /// The session, if the ticket opens it and it was not changed.
    pub(super) fn open(&self, ticket: &Ticket) -> Option<Session> {
        if self.format != FORMAT_VERSION {
            return None;
        }
        let (nonce, sealed) = self.sealed.split_at_checked(NONCE_LEN)?;
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = key(ticket)?.open_in_place(nonce, context(ticket, self.version), &mut bytes).ok()?;
        serde_json::from_slice(plain).ok().filter(Session::is_known)
    }

    /// Whether the session was not used for that long.
    pub(super) fn is_idle(&self, limit: Duration, now: Timestamp) -> bool {
        now >= self.last_used_at + limit
    }

    /// Whether a request is renewing the session: until its lease ends by the clock of any instance.
    pub(super) fn is_leased(&self, now: Timestamp) -> bool {
        now < self.lease_until + SKEW
    }

    /// The numbers of an item are not authenticated. A time that no instance can have written is replaced: the last use by
    /// the last time that is known for certain, a lease by none.
    pub(super) fn disbelieve_the_future(&mut self, session: &Session, now: Timestamp) {
        if self.last_used_at > now + SKEW {
            self.last_used_at = session.last_renewal();
        }
        if self.lease_until > now + LEASE + SKEW {
            self.lease_until = Timestamp::default();
        }
    }
}

/// The session, encrypted for its item: a random nonce, then ciphertext and tag of AES-256-GCM.
pub(super) fn seal(session: &Session, ticket: &Ticket, version: u64) -> Result<Vec<u8>> {
    let broken = || Kind::Internal(Reason::SessionNotSealed);
    let nonce = random::bytes::<NONCE_LEN>()?;
    let mut bytes = serde_json::to_vec(session).map_err(|_| broken())?;
    let key = key(ticket).ok_or_else(broken)?;
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), context(ticket, version), &mut bytes)
        .map_err(|_| broken())?;
    Ok([&nonce[..], &bytes].concat())
}

fn key(ticket: &Ticket) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, &ticket.key()?).ok().map(LessSafeKey::new)
}

/// The associated data: the ciphertext opens in no other item, and in no other version of this item. No part contains a
/// line end.
fn context(ticket: &Ticket, version: u64) -> Aad<Vec<u8>> {
    Aad::from(format!("{FORMAT_VERSION}\n{version}\n{}\n{}", ticket.id(), ticket.sub()).into_bytes())
}
