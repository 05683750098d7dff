//! Query strings and forms, as OAuth defines them.

use std::collections::BTreeMap;

use url::form_urlencoded;

/// Parameters by name. One without a value counts as absent, and none may occur twice
/// ([RFC 6749, section 3.1](https://www.rfc-editor.org/rfc/rfc6749#section-3.1)).
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads a query string or the body of a form; `None` if a parameter occurs twice.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if params.insert(name.into_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
        params.retain(|_, value| !value.is_empty());
        Some(Self(params))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
