//! A part of an event that is not required: read if it has the expected type, and otherwise as if it were absent.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
use serde_json::value::RawValue;

/// A part of an event, of any type. It is not read before it is used, so nothing odd in it affects another part.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Part<'a>(#[serde(borrow)] Option<&'a RawValue>);

/// Text as it stands in the event, unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Part<'a> {
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        self.read().map(|Text(text)| text)
    }

    pub(super) fn is_true(self) -> bool {
        self.read() == Some(true)
    }

    pub(super) fn entries(self) -> Option<Vec<Part<'a>>> {
        self.read()
    }

    /// The members of an object, by name; none if the part is not an object.
    pub(super) fn members(self) -> BTreeMap<String, Part<'a>> {
        self.read().unwrap_or_default()
    }

    fn read<T: Deserialize<'a>>(self) -> Option<T> {
        serde_json::from_str(self.0?.get()).ok()
    }
}
