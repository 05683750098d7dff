//! Globus's public keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Globus, http};
use crate::{Kind, Result, Timestamp, log::Reason};

/// How long the key set is trusted, and a key in it that Globus has withdrawn since.
const KEYS_FOR: Duration = Duration::from_hours(1);

/// How long the key set is not fetched again if a signature fits none of its keys.
const KEYS_AGAIN_AFTER: Duration = Duration::from_mins(1);

type PublicKey = RsaPublicKeyComponents<Vec<u8>>;

/// The keys that can sign an ID token.
#[derive(Clone, Debug)]
pub(super) struct KeySet {
    keys: Arc<[PublicKey]>,
    fetched: Timestamp,
}

#[derive(Deserialize)]
struct JsonKeySet {
    keys: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct JsonKey {
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// Reads a key set, and leaves out each key of another type or for another use, and each that is not understood
    /// ([section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)). One without any key is of no use.
    pub(super) fn parse(json: &[u8], fetched: Timestamp) -> Option<Self> {
        let set: JsonKeySet = serde_json::from_slice(json).ok()?;
        let key = |raw: Box<RawValue>| serde_json::from_str::<JsonKey>(raw.get()).ok()?.into_rs512();
        let keys: Arc<[_]> = set.keys.into_iter().filter_map(key).collect();
        (!keys.is_empty()).then_some(Self { keys, fetched })
    }

    /// Whether one of the keys has signed this with RS512.
    pub(super) fn has_signed(&self, message: &str, signature: &[u8]) -> bool {
        let signs = |key: &PublicKey| key.verify(&RSA_PKCS1_2048_8192_SHA512, message.as_bytes(), signature);
        self.keys.iter().any(|key| signs(key).is_ok())
    }

    /// Whether it is worth while to look for a new key at Globus.
    pub(super) fn may_be_old(&self, now: Timestamp) -> bool {
        now.since(self.fetched) >= KEYS_AGAIN_AFTER
    }
}

impl JsonKey {
    fn into_rs512(self) -> Option<PublicKey> {
        let fits = self.kty == "RSA"
            && self.alg.is_none_or(|alg| matches!(alg.as_str(), "RS512" | ""))
            && self.usage.is_none_or(|usage| matches!(usage.as_str(), "sig" | ""));
        fits.then_some(PublicKey { n: number(&self.n?)?, e: number(&self.e?)? })
    }
}

/// A number of a key, without the zeros and the padding that some libraries add
/// ([RFC 7518 section 6.3.1.1](https://www.rfc-editor.org/rfc/rfc7518#section-6.3.1.1)): ring refuses a zero.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

impl Globus {
    /// The key set, which is fetched once an hour.
    pub(super) async fn keys(&self, now: Timestamp) -> Result<KeySet> {
        let cached = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match cached {
            Some(keys) if now.since(keys.fetched) < KEYS_FOR => Ok(keys),
            _ => self.fetch_keys(now).await,
        }
    }

    pub(super) async fn fetch_keys(&self, now: Timestamp) -> Result<KeySet> {
        let response = http::send(self.http.get(format!("{}/jwk.json", self.issuer))).await?;
        let keys = KeySet::parse(response.body(), now).filter(|_| response.status().is_success());
        let keys = keys.ok_or(Kind::ResponseRefused(Reason::KeySetUnreadable))?;
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(keys.clone());
        Ok(keys)
    }
}
