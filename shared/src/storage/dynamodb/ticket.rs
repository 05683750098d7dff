//! The ticket: what the browser has of a session in the table.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{Result, Secret, random};

/// The version of the stored form. A new version is read for one release before it is written.
const VERSION: u8 = 1;

/// The user's UUID, the session id, and the key that opens the session. Stored in the cookie as a JSON list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ticket(u8, String, String, Secret);

impl Ticket {
    /// A ticket for a new session: the session id has 128 random bits, the key 256.
    pub(super) fn new(sub: &str) -> Result<Self> {
        Ok(Self(VERSION, sub.to_owned(), random::text::<16>()?, Secret::new(random::text::<32>()?)))
    }

    /// A ticket to another browser's session: enough to delete it, not to open it.
    pub(super) fn without_key(sub: &str, id: String) -> Self {
        Self(VERSION, sub.to_owned(), id, Secret::new(""))
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

    /// The 32 bytes of the key, if they are that.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.3.expose()).ok()
    }
}
