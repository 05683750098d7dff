//! ID tokens, as Globus makes them: signed with RS512 by a key without an id (`kid`).

use std::io;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA512, digest},
    hmac,
};
use serde_json::{Value, json};

use crate::{
    CLIENT_ID, Signing, claims,
    grants::Grant,
    keys::Key,
    provider::{LIFETIME, Settings},
};

/// The ID token that belongs to an access token.
pub(crate) fn make(
    settings: &Settings,
    issuer: &str,
    grant: &Grant,
    access_token: &str,
    now: u64,
) -> io::Result<String> {
    let mut claims = claims::of(&grant.session, &grant.scopes, settings);
    for (claim, value) in [
        ("iss", Value::from(issuer)),
        ("aud", CLIENT_ID.into()),
        ("exp", (now + LIFETIME).into()),
        ("iat", now.into()),
        ("at_hash", at_hash(access_token).into()),
    ] {
        claims.insert(claim.to_owned(), value);
    }
    if let Some(nonce) = &grant.nonce {
        claims.insert("nonce".to_owned(), nonce.as_str().into());
    }
    let mut claims = Value::Object(claims);
    if let Some(edit) = &settings.edit_id_token {
        edit(&mut claims);
    }
    sign(settings, issuer, &claims)
}

fn sign(settings: &Settings, issuer: &str, claims: &Value) -> io::Result<String> {
    let with_header = |header: &Value| {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}", part(header), part(claims))
    };
    let message = |alg| with_header(&json!({ "typ": "JWT", "alg": alg }));
    let (message, signature) = match settings.signing {
        Signing::Normal => {
            let message = message("RS512");
            let signature = settings.keys.current()?.sign(message.as_bytes())?;
            (message, signature)
        }
        Signing::OtherKey => {
            let message = message("RS512");
            let signature = settings.keys.other()?.sign(message.as_bytes())?;
            (message, signature)
        }
        Signing::OtherKeyInHeader => {
            let key = settings.keys.other()?;
            let there = format!("{issuer}/other-jwk.json");
            let header =
                json!({ "typ": "JWT", "alg": "RS512", "jwk": key.jwk(), "jku": there, "x5u": there, "kid": "0" });
            let message = with_header(&header);
            let signature = key.sign(message.as_bytes())?;
            (message, signature)
        }
        Signing::Unsigned => (message("none"), Vec::new()),
        Signing::HmacWithPublicKey => {
            let message = message("HS512");
            let key = settings.keys.current()?;
            let key = hmac::Key::new(hmac::HMAC_SHA512, key.public_der());
            let signature = hmac::sign(&key, message.as_bytes()).as_ref().to_vec();
            (message, signature)
        }
    };
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// A token with this header and these claims, whatever they are, signed with RS512.
pub(crate) fn signed(key: &Key, header: &[u8], claims: &[u8]) -> io::Result<String> {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(message.as_bytes())?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The left half of the access token's SHA-512, since the algorithm is RS512
/// ([section 3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken)).
fn at_hash(access_token: &str) -> String {
    let hash = digest(&SHA512, access_token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}
