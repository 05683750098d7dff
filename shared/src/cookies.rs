//! Sealed cookies: values that only this deployment can read or make.
//!
//! A value is encrypted and authenticated with AES-256-GCM by the `cookie` crate's private jar, which also binds the
//! cookie's name. The name carries a mark of the deployment: two of them at one host leave each other's cookies alone.
//! The key is derived by HKDF ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)) from a session key
//! and from the context of the cookie: purpose, issuer and client id. So a value is not accepted under another name,
//! for another purpose, or in another deployment that shares the session key.

use std::sync::OnceLock;

use cookie::{Cookie, CookieJar, Key, SameSite, time::Duration};
use hkdf::Hkdf;
use lambda_http::{Request, http::header};
use memchr::memchr_iter;
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use sha2::{Digest as _, Sha256};

use crate::{
    Kind, Result,
    config::{Config, Site},
    log::Reason,
};

/// The largest cookie that every browser accepts, in bytes: name, value and attributes together.
///
/// [RFC 6265 section 6.1](https://www.rfc-editor.org/rfc/rfc6265#section-6.1)
pub const MAX_COOKIE: usize = 4096;

/// What a sealed cookie is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A session, if sessions are kept in cookies.
    Session,
    /// The ticket to a session that is kept in DynamoDB.
    Ticket,
    /// A sign-in in progress.
    Login,
    /// The mark of a logout.
    LogoutMark,
}

/// The result of opening a cookie of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<T> {
    /// There is none.
    Absent,
    /// There is one, but it is foreign, altered, or sealed with a retired key.
    Unreadable,
    /// There is one, with this value.
    Value(T),
}

/// Seals and opens cookies with a ring of keys: the first key seals, and each of them opens.
pub struct SealedCookies {
    /// The session keys, from which the key for each purpose is derived.
    session_keys: Vec<Hkdf<Sha256>>,
    /// What binds the derived keys to this deployment.
    context: String,
    /// The derived keys, each when it is first needed: deriving all of them is a tenth of a small function's start.
    session: OnceLock<Vec<Key>>,
    ticket: OnceLock<Vec<Key>>,
    login: OnceLock<Vec<Key>>,
    logout_mark: OnceLock<Vec<Key>>,
    /// What the names of this deployment end with.
    suffix: String,
    secure: bool,
}

impl std::fmt::Debug for SealedCookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedCookies").field("keys", &self.session_keys.len()).finish_non_exhaustive()
    }
}

impl SealedCookies {
    /// With the keys of this deployment.
    pub fn new(config: &Config, site: &Site) -> Self {
        let secrets = config.session_keys.iter().map(|secret| secret.expose().as_bytes());
        Self {
            session_keys: secrets.map(|secret| Hkdf::new(None, secret)).collect(),
            context: format!("{}\n{}", config.globus_auth.as_str(), config.client_id),
            session: OnceLock::new(),
            ticket: OnceLock::new(),
            login: OnceLock::new(),
            logout_mark: OnceLock::new(),
            suffix: suffix(config, site),
            secure: site.is_https(),
        }
    }

    /// The cookie's full name. On https it has the prefix `__Host-`: other hosts of the domain cannot set such a
    /// cookie.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{}", self.first_name(name), self.suffix)
    }

    /// The name in the first release, which is read until every session of that release has ended.
    pub(crate) fn first_name(&self, name: &str) -> String {
        if self.secure { format!("__Host-{name}") } else { name.to_owned() }
    }

    /// Seals `value` in a cookie called `name`, which the browser keeps for `max_age`.
    pub fn seal<T: Serialize>(
        &self,
        purpose: Purpose,
        name: &str,
        value: &T,
        max_age: std::time::Duration,
    ) -> Result<Cookie<'static>> {
        self.seal_as(purpose, self.name(name), value, max_age)
    }

    /// The same, in a cookie with this full name.
    pub(crate) fn seal_as<T: Serialize>(
        &self,
        purpose: Purpose,
        name: String,
        value: &T,
        max_age: std::time::Duration,
    ) -> Result<Cookie<'static>> {
        let key = self.ring(purpose).first().ok_or(Kind::Internal(Reason::CookieNotSealed))?;
        let text = serde_json::to_string(value).map_err(|_| Kind::Internal(Reason::CookieNotSealed))?;
        let mut jar = CookieJar::new();
        jar.private_mut(key).add(Cookie::new(name.clone(), text));
        let sealed = jar.get(&name).ok_or(Kind::Internal(Reason::CookieNotSealed))?.value().to_owned();
        let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
        Ok(self.cookie(name, sealed, Duration::seconds(seconds)))
    }

    /// Opens the cookie called `name`.
    pub fn open<T: DeserializeOwned + PartialEq>(&self, request: &Request, purpose: Purpose, name: &str) -> Opened<T> {
        self.open_one(request, purpose, &self.name(name))
    }

    /// Opens the cookie that was called `name` in the first release. One that does not open is another app's: its name does
    /// not say whose it is.
    pub fn open_first<T: DeserializeOwned + PartialEq>(
        &self,
        request: &Request,
        purpose: Purpose,
        name: &str,
    ) -> Opened<T> {
        match self.open_one(request, purpose, &self.first_name(name)) {
            Opened::Unreadable => Opened::Absent,
            opened => opened,
        }
    }

    /// Opens the cookie with this full name. Several by that name, of which one opens, may come from an attacker who cannot
    /// seal; if they open to different values, none of them is believed.
    fn open_one<T: DeserializeOwned + PartialEq>(&self, request: &Request, purpose: Purpose, name: &str) -> Opened<T> {
        let mut found = Opened::Absent;
        for (_, value) in all(request).filter(|(found, _)| *found == name.as_bytes()) {
            found = match (found, self.unseal(purpose, name, value)) {
                (Opened::Value(one), Some(other)) if one != other => return Opened::Unreadable,
                (Opened::Value(value), _) | (_, Some(value)) => Opened::Value(value),
                _ => Opened::Unreadable,
            };
        }
        found
    }

    /// The cookies that remove the request's cookie called `name` and that of the first release.
    pub fn removals(&self, request: &Request, name: &str) -> impl Iterator<Item = Cookie<'static>> {
        let full_name = self.name(name);
        let sent = all(request).any(|(found, _)| found == full_name.as_bytes());
        sent.then(|| self.removal(name)).into_iter().chain(self.removal_of_first(request, name))
    }

    /// The cookie that removes the one called `name` in the first release, if this deployment has sealed it: the name
    /// does not say whose it is.
    pub fn removal_of_first(&self, request: &Request, name: &str) -> Option<Cookie<'static>> {
        let name = self.first_name(name);
        let mut values = all(request).filter(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value);
        let own = values.any(|value| {
            let opens = |purpose| self.unseal::<IgnoredAny>(purpose, &name, value).is_some();
            opens(Purpose::Session) || opens(Purpose::Ticket)
        });
        own.then(|| self.cookie(name, String::new(), Duration::ZERO))
    }

    fn unseal<T: DeserializeOwned>(&self, purpose: Purpose, name: &str, value: &[u8]) -> Option<T> {
        let value = std::str::from_utf8(value).ok()?;
        self.ring(purpose).iter().find_map(|key| {
            let sealed = Cookie::new(name.to_owned(), value.to_owned());
            let opened = CookieJar::new().private(key).decrypt(sealed)?;
            serde_json::from_str(opened.value()).ok()
        })
    }

    /// A cookie that removes the one called `name`, as given to [`seal`](Self::seal). Browsers ignore it unless its
    /// attributes are the same.
    pub fn removal(&self, name: &str) -> Cookie<'static> {
        self.cookie(self.name(name), String::new(), Duration::ZERO)
    }

    fn cookie(&self, name: String, value: String, max_age: Duration) -> Cookie<'static> {
        Cookie::build((name, value))
            .path("/")
            .max_age(max_age)
            .http_only(true)
            // Lax, not Strict: the redirect from Globus is a navigation from another site, which must send the cookie.
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .build()
    }

    fn ring(&self, purpose: Purpose) -> &[Key] {
        let (name, ring) = match purpose {
            Purpose::Session => ("session", &self.session),
            Purpose::Ticket => ("ticket", &self.ticket),
            Purpose::Login => ("login", &self.login),
            Purpose::LogoutMark => ("logout mark", &self.logout_mark),
        };
        ring.get_or_init(|| {
            // None of the three parts can hold a line end, so no two deployments share a context.
            let context = format!("{name}\n{}", self.context);
            self.session_keys.iter().filter_map(|key| derive(key, &context)).collect()
        })
    }
}

/// Every cookie of the request: name and value, byte for byte. A value may stand in double quotes
/// ([RFC 6265 section 4.1.1](https://www.rfc-editor.org/rfc/rfc6265#section-4.1.1)); some clients add them to a value with
/// `=` or `/` in it.
///
/// Only SP and HTAB are stripped, as browsers do ([RFC 6265 section 5.2](https://www.rfc-editor.org/rfc/rfc6265#section-5.2)).
/// A parser that trims Unicode white space takes `U+2000 __Host-session`, which a sibling domain can set, for
/// `__Host-session`, which it cannot.
fn all(request: &Request) -> impl Iterator<Item = (&[u8], &[u8])> {
    let headers = request.headers().get_all(header::COOKIE).iter();
    let pairs = headers.flat_map(|value| split(value.as_bytes()));
    pairs.filter_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at_checked(equals)?;
        Some((stripped(name), unquoted(stripped(value.get(1..)?))))
    })
}

/// The pairs of a header, which is searched several times for each page: a sealed cookie has kilobytes.
fn split(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut start = 0;
    memchr_iter(b';', header).chain([header.len()]).filter_map(move |end| {
        let pair = header.get(start..end);
        start = end + 1;
        pair
    })
}

fn stripped(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn unquoted(text: &[u8]) -> &[u8] {
    if let [b'"', inner @ .., b'"'] = text { inner } else { text }
}

/// What marks the cookies of this deployment: 32 bits of a hash of what tells it from another at the same host.
fn suffix(config: &Config, site: &Site) -> String {
    let base_url = site.base_url.as_ref().map(|address| address.url("")).unwrap_or_default();
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(format!("{}\n{base_url}", config.client_id)));
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// The key for one context. The cookie crate encrypts with the second half of its 64 bytes.
fn derive(session_key: &Hkdf<Sha256>, context: &str) -> Option<Key> {
    let mut bytes = [0; 64];
    // HKDF fails only for an output of more than 8,160 bytes.
    session_key.expand(context.as_bytes(), &mut bytes).ok()?;
    Some(Key::from(&bytes))
}

#[cfg(test)]
mod tests;
