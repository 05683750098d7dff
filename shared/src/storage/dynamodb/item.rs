//! What the table has of a session.

use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{Attributes, Ticket, random};
use crate::{
    clock,
    error::{Kind, Result},
    session::Session,
};

/// How items are written. A new format is read for one release before it is written.
pub(super) const FORMAT: u64 = 1;

/// A session as it is in the table.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) version: u64,
    format: u64,
    sealed: Vec<u8>,
    last_used_at: u64,
    lease_until: u64,
}

impl From<Attributes> for Item {
    /// Whatever is missing or of another kind makes an item that does not open.
    fn from(mut attributes: Attributes) -> Self {
        let number = |name: &str| attributes.get(name)?.as_n().ok()?.parse().ok();
        let [version, format, last_used_at, lease_until] =
            ["version", "format", "last_used_at", "lease_until"].map(|name| number(name).unwrap_or_default());
        let sealed = match attributes.remove("sealed") {
            Some(AttributeValue::B(sealed)) => sealed.into_inner(),
            _ => Vec::new(),
        };
        Self { version, format, sealed, last_used_at, lease_until }
    }
}

impl Item {
    /// The session, if the ticket opens it and nobody has edited it.
    pub(super) fn open(&self, ticket: &Ticket) -> Option<Session> {
        if self.format != FORMAT {
            return None;
        }
        let (nonce, sealed) = self.sealed.split_at_checked(NONCE_LEN)?;
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = key(ticket)?.open_in_place(nonce, context(ticket, self.version), &mut bytes).ok()?;
        serde_json::from_slice(plain).ok().filter(Session::is_known)
    }

    /// Whether nobody has looked at the session for that long.
    pub(super) fn is_idle(&self, limit: Duration, now: SystemTime) -> bool {
        // Whoever may write to the table can write any number.
        clock::seconds(now) >= self.last_used_at.saturating_add(limit.as_secs())
    }

    /// Whether somebody is renewing.
    pub(super) fn is_leased(&self, now: SystemTime) -> bool {
        clock::seconds(now) < self.lease_until
    }
}

/// The session, encrypted for its item: a random nonce, then ciphertext and tag of AES-256-GCM.
pub(super) fn seal(session: &Session, ticket: &Ticket, version: u64) -> Result<Vec<u8>> {
    let broken = || Kind::Internal("session_not_sealed");
    let nonce = random::<NONCE_LEN>()?;
    let mut bytes = serde_json::to_vec(session).map_err(|_| broken())?;
    let key = key(ticket).ok_or_else(broken)?;
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), context(ticket, version), &mut bytes)
        .map_err(|_| broken())?;
    Ok([&nonce[..], &bytes].concat())
}

fn key(ticket: &Ticket) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, &ticket.key()?).ok().map(LessSafeKey::new)
}

/// What the ciphertext belongs to: it opens in no other item, and in no other version of this one. No part holds a line
/// end.
fn context(ticket: &Ticket, version: u64) -> Aad<Vec<u8>> {
    Aad::from(format!("{FORMAT}\n{version}\n{}\n{}", ticket.id(), ticket.sub()).into_bytes())
}
