//! What an update would change: another script compares the templates before and after it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Place, given, list, object, run, text};
use crate::Result;

/// What an update would do to the resources of a stack, by their names in the template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Those that are new.
    pub added: BTreeSet<String>,
    /// Those that are no longer there, each with what becomes of it, such as `Delete`.
    pub removed: BTreeMap<String, String>,
    /// Those that another takes the place of, each with the properties that are why, and what becomes of it.
    pub replaced: BTreeMap<String, (Vec<String>, String)>,
    /// Those that stay, each with the properties that change.
    pub changed: BTreeMap<String, Vec<String>>,
}

impl ChangeSet {
    /// From a template with its parameters to another, where the parameters that are not named have their defaults.
    pub fn between(before: (&str, &[(&str, &str)]), after: (&str, &[(&str, &str)])) -> Result<Self> {
        let given = |(template, parameters)| given(template, parameters, "sessions", Place::USUAL);
        let said = run("tests/change_set.py", &json!({ "before": given(before), "after": given(after) }))?;
        let texts = |value: &Value| list(value).iter().map(text).collect::<Vec<_>>();
        let replaced = |value: Value| (texts(&value["because"]), text(&value["policy"]));
        Ok(Self {
            added: list(&said["added"]).iter().map(text).collect(),
            removed: object(&said["removed"]).into_iter().map(|(name, policy)| (name, text(&policy))).collect(),
            replaced: object(&said["replaced"]).into_iter().map(|(name, value)| (name, replaced(value))).collect(),
            changed: object(&said["changed"]).into_iter().map(|(name, value)| (name, texts(&value))).collect(),
        })
    }
}
