//! The ID token, validated by
//! [OpenID Connect Core section 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation).
//!
//! Globus signs with RS512, and neither token nor key set has a key id, so each key is tried.

use std::{collections::HashMap, fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use serde::{
    Deserialize, Deserializer as _,
    de::{DeserializeOwned, Visitor},
};
use serde_json::value::RawValue;

use super::{key_set::KeySet, require};
use crate::{
    Timestamp,
    log::Reason,
    session::{DisplayText, Identity},
};

/// The largest difference between the clocks of Globus and of this function. Globus's own clients allow the same.
const SKEW: Duration = Duration::from_mins(5);

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

/// The claims of the protocol. Times are numbers, as the specification says: text is refused, and a claim that comes twice.
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
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// The one claim about the user that decides anything.
#[derive(Deserialize)]
struct Subject {
    sub: String,
}

/// Reads the claims about the user, in an ID token or in a userinfo response. All but `sub` is shown and decides nothing,
/// so it must not refuse a sign-in, whatever it is. Of two by one name the last counts, as
/// [RFC 7519 section 4](https://www.rfc-editor.org/rfc/rfc7519#section-4) allows; a second `sub` is refused.
pub(super) fn identity(json: &[u8]) -> Option<Identity> {
    let Subject { sub } = parse(json)?;
    let shown: HashMap<String, Box<RawValue>> = parse(json)?;
    let text = |name| display_text(shown.get(name)?);
    Some(Identity {
        sub,
        name: text("name"),
        username: text("preferred_username"),
        email: text("email"),
        organization: text("organization"),
        provider: text("identity_provider_display_name"),
    })
}

/// The text of a JSON string, or nothing. Half of a surrogate pair, which is no text, becomes U+FFFD.
fn display_text(raw: &RawValue) -> Option<DisplayText> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }

    // As bytes: `serde_json` refuses half a pair in a `String`.
    let text = serde_json::Deserializer::from_str(raw.get()).deserialize_bytes(Text).ok()?;
    DisplayText::new(&text)
}

/// Validates the token: first the signature, then every claim. Returns the claims about the user.
///
/// Step 1 (decryption) does not apply, since Globus does not encrypt; step 6 (TLS instead of a signature) is not used;
/// steps 12 and 13 (`acr`, `auth_time`) do not apply, since neither is requested. Where Globus sends them, `nbf` (RFC 7519
/// section 4.1.5) and `at_hash` (section 3.1.3.8) are checked as well.
pub(super) fn verify(token: &str, keys: &KeySet, expected: Expected<'_>) -> Result<Identity, Reason> {
    let (message, signature) = token.rsplit_once('.').ok_or(Reason::IdTokenMalformed)?;
    let (header, payload) = message.split_once('.').ok_or(Reason::IdTokenMalformed)?;
    let header: Header = decode(header).ok_or(Reason::IdTokenMalformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Reason::IdTokenMalformed)?;

    // Steps 7 and 8: the algorithm is the registered one, whatever the header says.
    require(header.alg == "RS512" && header.crit.is_none(), Reason::IdTokenAlgorithm)?;
    require(keys.has_signed(message, &signature), Reason::IdTokenSignature)?;

    let (id_token, user) = claims(payload).ok_or(Reason::IdTokenClaimsUnreadable)?;
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
    require(is_subject(&user.sub), Reason::IdTokenSubject)?;
    Ok(user)
}

fn claims(payload: &str) -> Option<(IdToken, Identity)> {
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    Some((parse(&payload)?, identity(&payload)?))
}

/// Reads JSON. A byte that is not UTF-8 becomes U+FFFD, which no claim of the protocol may have.
fn parse<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_str(&String::from_utf8_lossy(json)).ok()
}

fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn name(json: &str) -> Option<String> {
        let identity = identity(format!("{{\"sub\":\"ada\",\"name\":{json}}}").as_bytes()).unwrap();
        identity.name.map(|name| name.for_display().to_owned())
    }

    #[test]
    fn what_is_only_shown_is_text_or_absent_whatever_it_is() {
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        for absent in ["null", "7", "1e999", "true", "[]", "[65]", r#"["x"]"#, r#"{"a":"\ud800"}"#, r#""""#, &deep] {
            assert_eq!(name(absent), None, "{absent}");
        }
        assert_eq!(name(r#""Ada""#).as_deref(), Some("Ada"));
        assert_eq!(name(r#""A\u0064a \ud83d\ude00""#).as_deref(), Some("Ada 😀"));
    }

    #[test]
    fn half_a_surrogate_pair_is_shown_as_a_replacement_character() {
        for half in [r#""Ada \ud800""#, r#""Ada \udc00""#, r#""Ada \ud800x""#, r#""Ada \ud800\ud800""#] {
            let shown = name(half).unwrap();
            assert!(shown.starts_with("Ada \u{fffd}"), "{half}: {shown}");
        }
        let not_utf8 = identity(b"{\"sub\":\"ada\",\"name\":\"Ada \xff\"}").unwrap();
        assert_eq!(not_utf8.name.unwrap().for_display(), "Ada \u{fffd}");
    }

    /// The claims about the user in an ID token with this content, unless it is refused.
    fn read(json: &str) -> Option<Identity> {
        claims(&URL_SAFE_NO_PAD.encode(json)).map(|(_, identity)| identity)
    }

    #[test]
    fn a_claim_that_is_only_shown_may_come_twice_and_the_last_is_shown() {
        for (twice, shown) in [
            (r#""name":"Eve","name":"Ada""#, Some("Ada")),
            (r#""name":["Eve"],"name":"Ada""#, Some("Ada")),
            (r#""name":"Ada","name":null"#, None),
            (r#""name":"Ada","email":7,"email":{},"unknown":1,"unknown":2"#, Some("Ada")),
        ] {
            let claims = read(&format!(r#"{{"iss":"i","aud":"a","exp":1,"iat":1,"sub":"s",{twice}}}"#)).unwrap();
            assert_eq!(claims.name.as_ref().map(DisplayText::for_display), shown, "{twice}");
        }
    }

    /// Two readers could each use another one.
    #[test]
    fn a_claim_of_the_protocol_that_comes_twice_is_refused() {
        let whole = r#"{"iss":"i","aud":"a","azp":"a","exp":1,"iat":1,"nbf":1,"nonce":"n","at_hash":"h","sub":"s""#;
        assert!(read(&format!("{whole}}}")).is_some());
        for twice in [
            r#""iss":"i""#,
            r#""aud":"a""#,
            r#""azp":"a""#,
            r#""exp":1"#,
            r#""iat":1"#,
            r#""nbf":1"#,
            r#""nonce":"n""#,
            r#""at_hash":"h""#,
            r#""sub":"s""#,
            r#""sub":null"#,
        ] {
            assert!(read(&format!("{whole},{twice}}}")).is_none(), "{twice}");
        }
        assert!(identity(br#"{"sub":"s","sub":"s"}"#).is_none(), "in userinfo too");
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_in_a_claim_of_the_protocol() {
        let read = |json: &str| read(json).is_some();
        assert!(read(r#"{"iss":"i","aud":"a","exp":1,"iat":1,"sub":"s","name":"\ud800"}"#));
        assert!(!read(r#"{"iss":"\ud800","aud":"a","exp":1,"iat":1,"sub":"s"}"#));
        assert!(!read(r#"{"iss":"i","aud":"a","exp":1,"iat":1,"sub":"\ud800"}"#));
        assert!(!read(r#"{"iss":"i","aud":"a","exp":1,"iat":1,"sub":7}"#));
    }

    /// The keys of no one, each with its signature of [`SIGNED`]: of 1,024 bits, and of 2,048.
    const KEYS: [(&str, &str); 2] = [
        (
            "nY4vH0zPoxliXb6pS5lePj66iRnE2oQ_C_Ie4gpn3e5WD7D-BzFVOuFK30Ojs_hBmI2MvaccLOvrxkjB912Kp7VsWQbT_25e3w7v\
    qQOExyodzPuMOlNwYtfN9GQPaF-HgQ0n9lXOIqZ7ruut4fAe7SOmOKcykWufCt7Dwn4UYbM",
            "HY3ztH_RfDQMtfizpBYmhzs3hY2IjRkLOXdQ876fP3ZPEz0womn8EhHGSwtvHjxGfSQDTgsPJvKQHSbnVPC6XIO-AyKh1pIRqEhs\
    XL9KzzYhw-gM1Gns9JhN_ttcd6czi6_2FfXBAQl0oFbz5EQLqydFUxqUqAWjaF8_1s4KeSY",
        ),
        (
            "slzilWvg5rJ8WXwlPELqIvA36BkrvNocg8MNGRmCT-rDqtMA7kQMJmCm-q7X-dPC4JTUP3axsqUFnLo1fOgDEAk-tHeqbrHS2JD2\
    w1xO55t4Sj5I466WAuQGJgbGFxfl6RRMqvdoCC71KVMQTMgd8KsVOcDi80s3Ptad_AZSqIYrvRq7Xysx9iIrrCGnKtJFQd1aRErY\
    INTWy4dJQhROfYqs0S4QxN78YPnB4t5Kl9dGXF6-slXdpZkMpyZwH7zGoVV0vhdOmDclDeBsEmjz8x3jTfydm-iBNRysfN0JGGNV\
    CMd9DaZaCzVdiCQ6YEY0joXZxM9MtRdRjD90IdrzDQ",
            "C12QinAhqaxTxTlvVJizU3Wehh2ErS8vag2MZTbTt3_Dc7v-7sWbvA5jyXDemO9nlxRkK78gTiIZ9Ps5SPKxnnihLtTcvew4f6f2\
    p63Aei9OtjHcEdqyK4uBE6agtAT0RZh3hIS2ujJ-y7jPcS-0fvoCU0SpwG79Kx0cui9B_YF7gdzyFqKbhzIGgoxToTRNQHqJWtbI\
    THvyjuNDLotcCeJBsshaDhVfq4Jl-chofXY6S7xmQhEwiJxFivVqSIltbwViVmhAceuEQGH9JGFsiQXfnOneCRgtNjWt34unxmcS\
    joT-u6S9LxLW7bKGADL58qFGr7z5OBX-vAmrLhXZ2g",
        ),
    ];

    /// The claims `iss`: `i`, `aud`: `a`, `exp` in 2096, `iat`: 1, `nonce`: `n`, `sub`: `s`.
    const SIGNED: &str = "eyJhbGciOiJSUzUxMiJ9.eyJpc3MiOiJpIiwiYXVkIjoiYSIsImV4cCI6NDAwMDAwMDAwMCwiaWF0IjoxLCJub25jZSI6Im4iLCJzdWIiOiJzIn0";

    /// A key of 1,024 bits can be found by others.
    #[test]
    fn a_good_signature_by_a_key_of_1024_bits_is_refused() {
        let expected = |now| Expected { issuer: "i", client_id: "a", nonce: "n", access_token: "", now };
        let [of_1024, of_2048] = KEYS.map(|(modulus, signature)| {
            let set = format!(r#"{{"keys":[{{"kty":"RSA","alg":"RS512","use":"sig","e":"AQAB","n":"{modulus}"}}]}}"#);
            let now = Timestamp::from_seconds(2_000_000_000);
            let keys = KeySet::parse(set.as_bytes(), now).unwrap();
            verify(&format!("{SIGNED}.{signature}"), &keys, expected(now)).map(|claims| claims.sub)
        });
        assert_eq!(of_2048, Ok("s".to_owned()));
        assert_eq!(of_1024, Err(Reason::IdTokenSignature));
    }
}
