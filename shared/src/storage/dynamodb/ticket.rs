//! What the browser has of a session in the table.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{Attributes, random, text};
use crate::error::Result;

/// The version of the stored form. A new one is read for one release before it is written.
const VERSION: u8 = 1;

/// Whose session it is, which one, and the key that opens it. Stored in the cookie as a JSON list.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket(u8, String, String, String);

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl Ticket {
    /// A ticket for a new session. Session id and key are 128 and 256 random bits.
    pub(super) fn new(sub: &str) -> Result<Self> {
        let [id, key] = [URL_SAFE_NO_PAD.encode(random::<16>()?), URL_SAFE_NO_PAD.encode(random::<32>()?)];
        Ok(Self(VERSION, sub.to_owned(), id, key))
    }

    /// What is known of a session in another browser: enough to delete it, and no more.
    pub(super) fn without_key(sub: &str, id: String) -> Self {
        Self(VERSION, sub.to_owned(), id, String::new())
    }

    pub(super) fn is_known(&self) -> bool {
        self.0 == VERSION
    }

    pub(super) fn sub(&self) -> &str {
        &self.1
    }

    pub(super) fn id(&self) -> &str {
        &self.2
    }

    /// The 32 bytes that open the session.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(&self.3).ok()
    }

    /// The key of the item in the table.
    pub(super) fn item_key(&self) -> Attributes {
        let entry = |name: &str, value: &str| -> (String, AttributeValue) { (name.to_owned(), text(value)) };
        [entry("sub", self.sub()), entry("session_id", self.id())].into()
    }
}
