//! The ID token: checked in full before a word of it is believed.
//!
//! [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation), with
//! Globus's particulars: always RS512, and no `kid` in token or key set, so each key is tried.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, signature};
use serde::Deserialize;

use crate::{
    clock,
    error::{Kind, Result},
    session::Identity,
};

/// How far the clocks of Globus and of this function may be apart. Globus's own clients allow as much.
const SKEW: Duration = Duration::from_mins(5);

/// Globus's public keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), as far as they can sign an ID token.
#[derive(Clone, Debug)]
pub(super) struct KeySet(Vec<PublicKey>);

#[derive(Clone, Debug)]
struct PublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

#[derive(Deserialize)]
struct JsonKeySet {
    keys: Vec<JsonKey>,
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
    /// Reads a key set. A key of another kind, or for another purpose, is passed over.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        let unreadable = Kind::AnswerRefused("key_set_unreadable");
        let set: JsonKeySet = serde_json::from_slice(json).map_err(|_| unreadable.clone())?;
        let keys: Vec<_> = set.keys.into_iter().filter_map(JsonKey::into_rs512).collect();
        if keys.is_empty() { Err(unreadable.into()) } else { Ok(Self(keys)) }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.iter().any(|PublicKey { modulus, exponent }| {
            let key = signature::RsaPublicKeyComponents { n: modulus, e: exponent };
            key.verify(&signature::RSA_PKCS1_2048_8192_SHA512, message, signature).is_ok()
        })
    }
}

impl JsonKey {
    fn into_rs512(self) -> Option<PublicKey> {
        let fits = self.kty == "RSA"
            && self.alg.is_none_or(|alg| alg == "RS512")
            && self.usage.is_none_or(|usage| usage == "sig");
        let decode = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        fits.then_some(PublicKey { modulus: decode(self.n)?, exponent: decode(self.e)? })
    }
}

/// What the token must say to be ours.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) access_token: &'a str,
    pub(super) now: SystemTime,
}

/// Header fields are refused rather than followed: no `crit`, and neither `jku` nor `jwk` is ever read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde::de::IgnoredAny>,
}

/// Times are numbers: one given as text is not read, and so the token is refused.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    at_hash: Option<String>,
    #[serde(flatten)]
    person: Person,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What Globus says of a person, in an ID token and at its userinfo endpoint alike. Everything but `sub` may be null or
/// missing.
#[derive(Deserialize)]
pub(super) struct Person {
    pub(super) sub: String,
    pub(super) name: Option<String>,
    pub(super) preferred_username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) organization: Option<String>,
}

impl From<Person> for Identity {
    fn from(person: Person) -> Self {
        Self {
            sub: person.sub,
            name: person.name,
            username: person.preferred_username,
            email: person.email,
            organization: person.organization,
        }
    }
}

/// Why a token was refused. A wrong signature may be right under a key that Globus has made since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Signature,
    Other(&'static str),
}

/// Checks the token: signature first, then every claim. Returns whom it names.
pub(super) fn verify(token: &str, keys: &KeySet, expected: Expected<'_>) -> Result<Person, Refused> {
    let refused = Refused::Other;
    let (message, signature) = token.rsplit_once('.').ok_or(refused("id_token_malformed"))?;
    let (header, payload) = message.split_once('.').ok_or(refused("id_token_malformed"))?;

    let header: Header = decode(header).ok_or(refused("id_token_malformed"))?;
    if header.alg != "RS512" || header.crit.is_some() {
        return Err(refused("id_token_algorithm"));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused("id_token_malformed"))?;
    if !keys.verifies(message.as_bytes(), &signature) {
        return Err(Refused::Signature);
    }
    let claims: Claims = decode(payload).ok_or(refused("id_token_claims_unreadable"))?;
    claims.check(expected).map_err(refused)?;
    Ok(claims.person)
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

impl Claims {
    fn check(&self, expected: Expected<'_>) -> Result<(), &'static str> {
        let now = seconds(expected.now);
        let skew = SKEW.as_secs_f64();
        let checks = [
            (self.iss == expected.issuer, "id_token_issuer"),
            (self.aud.is_only(expected.client_id), "id_token_audience"),
            (self.azp.as_deref().is_none_or(|azp| azp == expected.client_id), "id_token_audience"),
            (now < self.exp + skew, "id_token_expired"),
            (self.iat <= now + skew, "id_token_from_the_future"),
            (self.nbf.is_none_or(|nbf| nbf <= now + skew), "id_token_from_the_future"),
            (self.nonce.as_deref() == Some(expected.nonce), "id_token_nonce"),
            (self.at_hash.as_deref().is_none_or(|hash| hash == at_hash(expected.access_token)), "id_token_at_hash"),
            (!self.person.sub.is_empty(), "id_token_subject"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, reason)| Err(reason))
    }
}

impl Audience {
    fn is_only(&self, client_id: &str) -> bool {
        match self {
            Self::One(audience) => audience == client_id,
            Self::Many(audiences) => {
                matches!(audiences.as_slice(), [audience] if audience == client_id)
            }
        }
    }
}

/// The left half of the access token's SHA-512, since the token is signed with RS512
/// ([section 3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken)).
fn at_hash(access_token: &str) -> String {
    let hash = digest::digest(&digest::SHA512, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..32).unwrap_or_default())
}

#[expect(clippy::cast_precision_loss, reason = "exact for the next 285 million years")]
fn seconds(time: SystemTime) -> f64 {
    clock::seconds(time) as f64
}
