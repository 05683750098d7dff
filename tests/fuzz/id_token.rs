//! Any ID token, any claims under a genuine signature, any key set: a token is accepted only as Globus has signed it, with a
//! key of the set, and only for this sign-in.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use globus_stand_in::{CLIENT_ID, StandIn};
use serde_json::Value;
use shared::globus::testing::verify_id_token;

use crate::{
    harness::{Target, has},
    json::Members,
    pages::runtime,
    sign_in::Pending,
};

/// A genuine ID token, in its parts.
struct Genuine {
    pending: Pending,
    key_set: Value,
    header: String,
    claims: String,
    signature: String,
}

impl Genuine {
    fn make() -> Self {
        let pending = runtime().block_on(Pending::begin());
        let parts: Vec<_> = pending.text("id_token").split('.').collect();
        let text = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let (header, claims, signature) = (text(parts[0]), text(parts[1]), parts[2].to_owned());
        let key_set = pending.world.stand_in.key_set().unwrap();
        Self { pending, key_set, header, claims, signature }
    }

    fn stand_in(&self) -> &StandIn {
        &self.pending.world.stand_in
    }

    /// Whether a token is accepted with these keys, for this sign-in.
    fn accepts(&self, token: &str, key_set: &[u8]) -> bool {
        let (nonce, access_token) = (&self.pending.nonce, self.pending.text("access_token"));
        verify_id_token(token, key_set, self.stand_in().url(), nonce, access_token, self.pending.world.now).is_ok()
    }

    /// The values for the placeholders of the corpus.
    fn made(&self) -> [(&'static str, &str); 7] {
        [
            ("{{ID token}}", self.pending.text("id_token")),
            ("{{header}}", &self.header),
            ("{{claims}}", &self.claims),
            ("{{signature}}", &self.signature),
            ("{{issuer}}", self.stand_in().url()),
            ("{{nonce}}", &self.pending.nonce),
            ("{{n}}", self.key_set["keys"][0]["n"].as_str().unwrap()),
        ]
    }
}

/// The lines of an input.
fn lines(input: &[u8]) -> Vec<&[u8]> {
    let input = input.strip_suffix(b"\n").unwrap_or(input);
    input.split(|byte| *byte == b'\n').collect()
}

/// An input is a token, or its header, its claims and its signature in three lines.
#[test]
fn id_tokens() {
    let genuine = Genuine::make();
    let key_set = genuine.key_set.to_string();
    Target::new("id-token", &genuine.made()).run(10_000, |input| {
        let token = match &lines(input)[..] {
            [token] => String::from_utf8_lossy(token).into_owned(),
            [header, claims, rest @ ..] => {
                let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
                format!("{header}.{claims}.{}", String::from_utf8_lossy(rest.first().unwrap_or(&&b""[..])))
            }
            [] => String::new(),
        };
        let accepted = genuine.accepts(&token, key_set.as_bytes());
        assert!(!accepted || token == genuine.pending.text("id_token"), "{token}");
        accepted
    });
}

/// An input is a header and claims in two lines. The stand-in signs them, whatever they are.
#[test]
fn signed_claims() {
    let genuine = Genuine::make();
    let key_set = genuine.key_set.to_string();
    Target::new("claims", &genuine.made()).run(2_000, |input| {
        let lines = lines(input);
        let (header, claims) = (lines[0], lines.get(1).copied().unwrap_or_default());
        let token = genuine.stand_in().sign(header, claims).unwrap();
        let accepted = genuine.accepts(&token, key_set.as_bytes());
        if accepted {
            let header = Members::of(header);
            assert!(header.get("alg") == "RS512" && header.get("crit").is_null());
            check_claims(&String::from_utf8_lossy(claims), &genuine);
        }
        accepted
    });
}

/// What claims must be to be accepted.
fn check_claims(claims: &str, genuine: &Genuine) {
    let all = Members::of(claims.as_bytes());
    let claim = |name: &str| all.get(name);
    let is_absent_or = |name: &str, expected: &Value| claim(name).is_null() || claim(name) == *expected;
    let at_hash = &Members::of(genuine.claims.as_bytes()).get("at_hash");
    let now = Value::from(genuine.pending.world.now.seconds()).as_f64().unwrap();
    let time = |name: &str| claim(name).as_f64().unwrap();

    assert_eq!(claim("iss"), genuine.stand_in().url(), "{claims}");
    assert!(claim("aud") == CLIENT_ID || claim("aud") == Value::from([CLIENT_ID].to_vec()), "{claims}");
    assert!(is_absent_or("azp", &CLIENT_ID.into()) && is_absent_or("at_hash", at_hash), "{claims}");
    assert_eq!(claim("nonce"), genuine.pending.nonce.as_str(), "{claims}");
    assert!(time("exp") > now - 300.0 && time("iat") <= now + 300.0, "{claims}");
    assert!(claim("nbf").is_null() || time("nbf") <= now + 300.0, "{claims}");
    let sub = claim("sub");
    let sub = sub.as_str().unwrap();
    assert!((1..=255).contains(&sub.len()) && sub.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{claims}");
}

#[test]
fn key_sets() {
    let genuine = Genuine::make();
    let made = genuine.made();
    let modulus = made.iter().find(|(name, _)| *name == "{{n}}").unwrap().1;
    genuine.stand_in().rotate_keys(false);
    let forged = genuine.stand_in().sign(genuine.header.as_bytes(), genuine.claims.as_bytes()).unwrap();
    Target::new("key-set", &made).run(10_000, |key_set| {
        assert!(!genuine.accepts(&forged, key_set), "signed with a key that is not in the set");
        let accepted = genuine.accepts(genuine.pending.text("id_token"), key_set);
        assert!(!accepted || has(key_set, modulus), "the key is not in the set");
        accepted
    });
}
