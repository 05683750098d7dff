//! The ID token, validated by
//! [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation).
//!
//! Globus signs with RS512, and neither token nor key set has a key id, so each key is tried.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, signature};
use serde::Deserialize;

use super::require;
use crate::{log::Reason, session::Identity, timestamp::Timestamp};

/// The largest difference between the clocks of Globus and of this function. Globus's own clients allow the same.
const SKEW: Duration = Duration::from_mins(5);

type PublicKey = signature::RsaPublicKeyComponents<Vec<u8>>;

/// Globus's public keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), those that can sign an ID token.
#[derive(Clone, Debug)]
pub(super) struct KeySet {
    keys: Arc<[PublicKey]>,
    pub(super) fetched: Timestamp,
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
    /// Reads a key set, and leaves out each key of another type or for another use. One without any key is of no use.
    pub(super) fn parse(json: &[u8], fetched: Timestamp) -> Option<Self> {
        let set: JsonKeySet = serde_json::from_slice(json).ok()?;
        let keys: Arc<[_]> = set.keys.into_iter().filter_map(JsonKey::into_rs512).collect();
        (!keys.is_empty()).then_some(Self { keys, fetched })
    }
}

impl JsonKey {
    fn into_rs512(self) -> Option<PublicKey> {
        let fits = self.kty == "RSA"
            && self.alg.is_none_or(|alg| alg == "RS512")
            && self.usage.is_none_or(|usage| usage == "sig");
        let decode = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        fits.then_some(PublicKey { n: decode(self.n)?, e: decode(self.e)? })
    }
}

/// The values that the token must have.
#[derive(Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) access_token: &'a str,
    pub(super) now: Timestamp,
}

/// The header. Of its fields, `jku` and `jwk` are never read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde::de::IgnoredAny>,
}

/// The claims of the protocol. Times are numbers, as the specification says: text is refused.
#[derive(Deserialize)]
struct IdToken {
    iss: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nbf: Option<f64>,
    nonce: Option<String>,
    at_hash: Option<String>,
    #[serde(flatten)]
    claims: Claims,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// The claims about the user, in an ID token and in a userinfo response. All but `sub` may be null or missing.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    pub(super) name: Option<String>,
    pub(super) preferred_username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) identity_provider_display_name: Option<String>,
}

impl From<Claims> for Identity {
    fn from(claims: Claims) -> Self {
        let Claims { sub, name, preferred_username, email, organization, identity_provider_display_name } = claims;
        let (username, provider) = (preferred_username, identity_provider_display_name);
        Self { sub, name, username, email, organization, provider }
    }
}

/// Validates the token: first the signature, then every claim. Returns the claims about the user.
///
/// Step 1 (decryption) does not apply, since Globus does not encrypt; step 6 (TLS instead of a signature) is not used;
/// steps 12 and 13 (`acr`, `auth_time`) do not apply, since neither is requested. Where Globus sends them, `nbf` (RFC 7519
/// section 4.1.5) and `at_hash` (section 3.1.3.8) are checked as well.
pub(super) fn verify(token: &str, keys: &KeySet, expected: Expected<'_>) -> Result<Claims, Reason> {
    let (message, signature) = token.rsplit_once('.').ok_or(Reason::IdTokenMalformed)?;
    let (header, payload) = message.split_once('.').ok_or(Reason::IdTokenMalformed)?;
    let header: Header = decode(header).ok_or(Reason::IdTokenMalformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Reason::IdTokenMalformed)?;

    // Steps 7 and 8: the algorithm is the registered one, whatever the header says.
    require(header.alg == "RS512" && header.crit.is_none(), Reason::IdTokenAlgorithm)?;
    let signs = |key: &PublicKey| key.verify(&signature::RSA_PKCS1_2048_8192_SHA512, message.as_bytes(), &signature);
    require(keys.keys.iter().any(|key| signs(key).is_ok()), Reason::IdTokenSignature)?;

    let id_token: IdToken = decode(payload).ok_or(Reason::IdTokenClaimsUnreadable)?;
    let (now, skew) = (Duration::from_secs(expected.now.seconds()).as_secs_f64(), SKEW.as_secs_f64());
    let audience = match &id_token.aud {
        Audience::One(audience) => std::slice::from_ref(audience),
        Audience::Many(audiences) => audiences,
    };
    let is_client = |azp: &str| azp == expected.client_id;
    let is_hash = |hash: &str| hash == at_hash(expected.access_token);

    require(id_token.iss == expected.issuer, Reason::IdTokenIssuer)?; // step 2
    require(audience == [expected.client_id], Reason::IdTokenAudience)?; // step 3: no other one is trusted
    require(id_token.azp.as_deref().is_none_or(is_client), Reason::IdTokenAudience)?; // steps 4 and 5
    require(now < id_token.exp + skew, Reason::IdTokenExpired)?; // step 9
    require(id_token.iat <= now + skew, Reason::IdTokenFromTheFuture)?; // step 10
    require(id_token.nbf.is_none_or(|nbf| nbf <= now + skew), Reason::IdTokenFromTheFuture)?;
    require(id_token.nonce.as_deref() == Some(expected.nonce), Reason::IdTokenNonce)?; // step 11
    require(id_token.at_hash.as_deref().is_none_or(is_hash), Reason::IdTokenAtHash)?;
    require(is_subject(&id_token.claims.sub), Reason::IdTokenSubject)?;
    Ok(id_token.claims)
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Whether `sub` is what [section 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken) allows: at most 255
/// ASCII characters. Control characters are refused as well, since it is logged.
fn is_subject(sub: &str) -> bool {
    (1..=255).contains(&sub.len()) && sub.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The left half of the access token's SHA-512, since the token is signed with RS512
/// ([section 3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken)).
fn at_hash(access_token: &str) -> String {
    let hash = digest::digest(&digest::SHA512, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..32).unwrap_or_default())
}
