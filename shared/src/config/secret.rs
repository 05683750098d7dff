//! Text that must not be shown.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A key, token, or other text that must not be shown: `Debug` prints `[redacted]`.
///
/// Serialized, it is in clear: serialize only what is encrypted afterwards, or goes to a function that is to have it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides `text` from now on.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text in clear. Never log it, and never put it into a URL or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
