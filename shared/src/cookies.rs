//! Sealed cookies: values that only this deployment can read or make.
//!
//! A value is encrypted and authenticated with AES-256-GCM by the `cookie` crate's private jar, which also binds the
//! cookie's name. The key is derived by HKDF ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)) from a session key
//! and from what the cookie is for: purpose, issuer and client id. So a value cannot pass under another name, for
//! another purpose, or in another deployment that shares the session key.

use cookie::{Cookie, CookieJar, Key, SameSite, time::Duration};
use hkdf::Hkdf;
use lambda_http::{Request, http::header};
use serde::{Serialize, de::DeserializeOwned};
use sha2::Sha256;

use crate::{
    config::{Config, Origin, Secret},
    error::{Kind, Result},
};

/// The most a browser keeps of one cookie, in bytes: name, value and attributes together.
///
/// [RFC 6265 section 6.1](https://www.rfc-editor.org/rfc/rfc6265#section-6.1)
pub const MAX_COOKIE: usize = 4096;

/// What a sealed cookie is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The session of somebody who is signed in.
    Session,
    /// A sign-in on its way.
    Login,
}

/// What became of a cookie.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<T> {
    /// There was none.
    Absent,
    /// There was one, but it is not ours, altered, or sealed with a retired key.
    Unreadable,
    /// There was one, and this is what it holds.
    Value(T),
}

/// Seals and opens cookies with a ring of keys: the first one seals, any opens.
pub struct SealedCookies {
    session: Vec<Key>,
    login: Vec<Key>,
    secure: bool,
}

impl std::fmt::Debug for SealedCookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedCookies")
            .field("keys", &self.session.len())
            .finish_non_exhaustive()
    }
}

impl SealedCookies {
    /// The ring for this deployment.
    pub fn new(config: &Config) -> Self {
        let ring = |purpose| {
            config
                .session_keys
                .iter()
                .filter_map(|secret| derive(secret, purpose, config))
                .collect()
        };
        Self {
            session: ring("session"),
            login: ring("login"),
            // Without a `BASE_URL` the site is at the API's own name, which is on https.
            secure: config.base_url.as_ref().is_none_or(Origin::is_https),
        }
    }

    /// The cookie's full name: with the `__Host-` prefix, which keeps other hosts of the domain from planting it,
    /// wherever the site is on https.
    pub fn name(&self, name: &str) -> String {
        if self.secure {
            format!("__Host-{name}")
        } else {
            name.to_owned()
        }
    }

    /// Seals `value` under `name`; the browser keeps it for `max_age`.
    pub fn seal<T: Serialize>(
        &self,
        purpose: Purpose,
        name: &str,
        value: &T,
        max_age: std::time::Duration,
    ) -> Result<Cookie<'static>> {
        let name = self.name(name);
        let key = self
            .ring(purpose)
            .first()
            .ok_or(Kind::Internal("no_session_key"))?;
        let text =
            serde_json::to_string(value).map_err(|_| Kind::Internal("cookie_not_serialized"))?;
        let mut jar = CookieJar::new();
        jar.private_mut(key).add(Cookie::new(name.clone(), text));
        let sealed = jar
            .get(&name)
            .ok_or(Kind::Internal("cookie_not_sealed"))?
            .value()
            .to_owned();
        let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
        Ok(self.cookie(name, sealed, Duration::seconds(seconds)))
    }

    /// Opens the cookie called `name`. Of several by that name, the first that opens counts.
    pub fn open<T: DeserializeOwned>(
        &self,
        request: &Request,
        purpose: Purpose,
        name: &str,
    ) -> Opened<T> {
        let name = self.name(name);
        let mut found = Opened::Absent;
        for cookie in all(request).filter(|cookie| cookie.name() == name) {
            if let Some(value) = self.unseal(purpose, &cookie) {
                return Opened::Value(value);
            }
            found = Opened::Unreadable;
        }
        found
    }

    fn unseal<T: DeserializeOwned>(&self, purpose: Purpose, cookie: &Cookie<'_>) -> Option<T> {
        let mut jar = CookieJar::new();
        jar.add_original(cookie.clone().into_owned());
        self.ring(purpose).iter().find_map(|key| {
            let opened = jar.private(key).get(cookie.name())?;
            serde_json::from_str(opened.value()).ok()
        })
    }

    /// The full names of the request's cookies that begin with `prefix`, which is given without `__Host-`.
    pub fn names(&self, request: &Request, prefix: &str) -> Vec<String> {
        let prefix = self.name(prefix);
        all(request)
            .map(|cookie| cookie.name().to_owned())
            .filter(|name| name.starts_with(&prefix))
            .collect()
    }

    /// Takes a cookie away again; `name` as given to [`seal`](Self::seal). The attributes are the same, or browsers
    /// would take no notice.
    pub fn clear(&self, name: &str) -> Cookie<'static> {
        self.cookie(self.name(name), String::new(), Duration::ZERO)
    }

    fn cookie(&self, name: String, value: String, max_age: Duration) -> Cookie<'static> {
        Cookie::build((name, value))
            .path("/")
            .max_age(max_age)
            .http_only(true)
            // Lax, not Strict: the way back from Globus is a navigation from another site, and must bring the cookie.
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .build()
    }

    fn ring(&self, purpose: Purpose) -> &[Key] {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::Login => &self.login,
        }
    }
}

/// Every cookie of the request.
fn all(request: &Request) -> impl Iterator<Item = Cookie<'_>> {
    let headers = request.headers().get_all(header::COOKIE).iter();
    let texts = headers.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    texts.flat_map(|text| Cookie::split_parse(text).flatten())
}

/// The key for one purpose of this deployment. The cookie crate encrypts with the second half of its 64 bytes.
fn derive(secret: &Secret, purpose: &str, config: &Config) -> Option<Key> {
    // None of the three can hold a line end, so no two deployments share a context.
    let context = format!(
        "{purpose}\n{}\n{}",
        config.globus_auth.as_str(),
        config.client_id
    );
    let mut bytes = [0; 64];
    // HKDF refuses only to make more than 8,160 bytes.
    Hkdf::<Sha256>::new(None, secret.expose().as_bytes())
        .expand(context.as_bytes(), &mut bytes)
        .ok()?;
    Some(Key::from(&bytes))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{Event, KEY, configure};

    const NEW_KEY: &str = "another-session-key-that-is-long-enough";

    fn ring(pairs: &[(&str, &str)]) -> SealedCookies {
        SealedCookies::new(&configure(pairs, Config::read).unwrap())
    }

    fn seal(ring: &SealedCookies, value: &str) -> Cookie<'static> {
        ring.seal(Purpose::Session, "session", &value, Duration::from_mins(1))
            .unwrap()
    }

    fn open(ring: &SealedCookies, cookies: &[&str]) -> Opened<String> {
        let event = cookies
            .iter()
            .fold(Event::get("/"), |event, cookie| event.cookie(cookie));
        ring.open(&event.request(), Purpose::Session, "session")
    }

    fn sent(cookie: &Cookie<'_>) -> String {
        cookie.stripped().to_string()
    }

    #[test]
    fn a_value_comes_back_as_it_was_sealed() {
        let ring = ring(&[]);
        let cookie = seal(&ring, "Zoë; \"x\"");

        assert_eq!(
            open(&ring, &[&sent(&cookie)]),
            Opened::Value("Zoë; \"x\"".to_owned())
        );
        assert!(!cookie.value().contains("Zo"));
    }

    #[test]
    fn on_https_a_cookie_has_every_protection_a_browser_offers() {
        let cookie = seal(&ring(&[]), "x");
        let attributes = cookie.to_string().split_once("; ").unwrap().1.to_owned();

        assert!(cookie.name().starts_with("__Host-"));
        assert_eq!(
            attributes,
            "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
        );
    }

    #[test]
    fn on_plain_http_at_this_machine_a_browser_still_takes_the_cookie() {
        let cookie = seal(&ring(&[("BASE_URL", "http://localhost:9000")]), "x");

        assert_eq!(cookie.name(), "session");
        assert_eq!(cookie.secure(), Some(false));
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let ring = ring(&[]);
        let cookie = seal(&ring, "somebody");
        let value = cookie.value();

        for index in 0..value.len() {
            let mut bytes = value.as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = format!("{}={}", cookie.name(), String::from_utf8(bytes).unwrap());
            assert_eq!(open(&ring, &[&changed]), Opened::Unreadable, "byte {index}");
        }
        for changed in [
            &value[1..],
            &value[..value.len() - 4],
            &format!("{value}AAAA"),
            "",
            "=",
        ] {
            assert_eq!(
                open(&ring, &[&format!("{}={changed}", cookie.name())]),
                Opened::Unreadable
            );
        }
    }

    #[test]
    fn a_value_under_another_cookies_name_is_refused() {
        let ring = ring(&[]);
        let other = ring
            .seal(Purpose::Session, "other", &"x", Duration::from_mins(1))
            .unwrap();

        let pasted = format!("__Host-session={}", other.value());
        assert_eq!(open(&ring, &[&pasted]), Opened::Unreadable);
    }

    #[test]
    fn a_value_for_another_purpose_is_refused() {
        let ring = ring(&[]);
        let login = ring
            .seal(Purpose::Login, "session", &"x", Duration::from_mins(1))
            .unwrap();

        assert_eq!(open(&ring, &[&sent(&login)]), Opened::Unreadable);
    }

    #[test]
    fn a_value_from_another_deployment_with_the_same_key_is_refused() {
        let ours = ring(&[]);
        let value = sent(&seal(&ours, "x"));

        for other in [
            ("GLOBUS_CLIENT_ID", "other"),
            ("GLOBUS_AUTH_URL", "https://auth.preview.globus.org"),
        ] {
            assert_eq!(open(&ring(&[other]), &[&value]), Opened::Unreadable);
        }
    }

    #[test]
    fn during_a_key_change_functions_of_different_releases_open_each_others_cookies() {
        let both_ways = [format!("{KEY},{NEW_KEY}"), format!("{NEW_KEY},{KEY}")];
        let stages = [KEY, &both_ways[0], &both_ways[1], NEW_KEY];
        let rings = stages.map(|keys| ring(&[("SESSION_KEYS", keys)]));

        for (ahead, behind) in [(1, 0), (2, 1), (3, 2)] {
            let (ahead, behind) = (&rings[ahead], &rings[behind]);
            assert_eq!(
                open(behind, &[&sent(&seal(ahead, "x"))]),
                Opened::Value("x".to_owned())
            );
            assert_eq!(
                open(ahead, &[&sent(&seal(behind, "x"))]),
                Opened::Value("x".to_owned())
            );
        }
    }

    #[test]
    fn an_old_key_is_accepted_until_it_is_retired() {
        let old = sent(&seal(&ring(&[]), "x"));

        assert_eq!(
            open(
                &ring(&[("SESSION_KEYS", &format!("{NEW_KEY},{KEY}"))]),
                &[&old]
            ),
            Opened::Value("x".to_owned())
        );
        assert_eq!(
            open(&ring(&[("SESSION_KEYS", NEW_KEY)]), &[&old]),
            Opened::Unreadable
        );
    }

    #[test]
    fn of_several_cookies_by_one_name_the_readable_one_counts() {
        let ring = ring(&[]);
        let good = sent(&seal(&ring, "x"));

        for cookies in [
            ["__Host-session=bad", good.as_str()],
            [good.as_str(), "__Host-session=bad"],
        ] {
            assert_eq!(open(&ring, &cookies), Opened::Value("x".to_owned()));
        }
    }

    #[test]
    fn a_cookie_without_the_host_prefix_is_not_ours() {
        let ring = ring(&[]);
        let tossed = sent(&seal(&ring, "x")).replace("__Host-", "");

        assert_eq!(open(&ring, &[&tossed]), Opened::Absent);
    }

    #[test]
    fn foreign_cookies_however_many_or_odd_take_nothing_away() {
        let ring = ring(&[]);
        let good = sent(&seal(&ring, "x"));
        let long = format!("long={}", "\"\\".repeat(5_000));
        let mut cookies: Vec<_> = (0..20)
            .map(|number| format!("foreign-{number}=%zz"))
            .collect();
        cookies.extend([
            good,
            long,
            "bell=\u{7}".into(),
            "=".into(),
            ";;;".into(),
            "é".into(),
        ]);

        let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
        assert_eq!(open(&ring, &cookies), Opened::Value("x".to_owned()));
    }

    #[test]
    fn every_seal_of_one_value_is_different() {
        let ring = ring(&[]);
        assert_ne!(seal(&ring, "x").value(), seal(&ring, "x").value());
    }

    #[test]
    fn a_cookie_is_cleared_with_the_attributes_it_was_set_with() {
        let cleared = ring(&[]).clear("session").to_string();
        assert_eq!(
            cleared,
            "__Host-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"
        );
    }
}
