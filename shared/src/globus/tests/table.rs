//! What Globus may send, and what comes of it: one row for each odd response.

use super::*;

/// How a response is bent. A value is JSON text; `absent` leaves the member out.
#[derive(Clone, Copy, Debug)]
enum Bend {
    /// A member of the token response.
    Top(&'static str, &'static str),
    /// A member of the entry for Transfer in `other_tokens`.
    Other(&'static str, &'static str),
    /// One more entry in `other_tokens`.
    Entry(&'static str),
    /// A claim of the ID token.
    Claim(&'static str, &'static str),
    /// An entry before those of the key set.
    Key(&'static str),
    /// A member of the key that signs.
    OwnKey(&'static str, &'static str),
    /// A change to the number `n` of the key.
    Modulus(fn(&str) -> String),
    /// The key set: what is before it, and what is behind it.
    KeySet(&'static str, &'static str),
    /// A response of the userinfo endpoint, which is asked since the ID token has no username.
    Userinfo(u16, &'static str),
    /// A refusal by the token endpoint.
    Refusal(u16, &'static str),
    /// A member of the response to the renewal of the token for Globus Auth.
    Renewal(&'static str, &'static str),
}
use Bend::{Claim, Entry, Key, KeySet, Modulus, Other, OwnKey, Refusal, Renewal, Top, Userinfo};

/// What comes of it.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// A sign-in or renewal as if nothing was odd: nothing is revoked.
    Usual,
    /// A sign-in without the token for Transfer: that is revoked, and the log has this reason.
    Without(&'static str),
    /// A sign-in as usual, but the log has this reason.
    Noted(&'static str),
    /// A sign-in, with this value shown for the claim.
    Shown(Option<&'static str>),
    /// No sign-in or renewal, for this reason: every token in the response is revoked.
    Refused(&'static str),
}
use Effect::{Noted, Refused, Shown, Usual, Without};

/// Name, odd member, outcome.
const ROWS: &[(&str, Bend, Effect)] = &[
    ("a lifetime in text", Top("expires_in", r#""2700""#), Usual),
    ("a lifetime in text with blanks", Top("expires_in", r#"" 2700 ""#), Usual),
    ("a lifetime with a fraction", Top("expires_in", "2700.5"), Usual),
    ("a lifetime with an exponent", Top("expires_in", "2.7e3"), Usual),
    ("no lifetime", Top("expires_in", "absent"), Refused("token_lifetime_missing")),
    ("a lifetime of null", Top("expires_in", "null"), Refused("token_lifetime_missing")),
    ("an empty lifetime", Top("expires_in", r#""""#), Refused("token_lifetime_missing")),
    ("a lifetime of zero in text", Top("expires_in", r#""0""#), Refused("token_lifetime_missing")),
    ("a negative lifetime", Top("expires_in", "-1"), Refused("token_lifetime_missing")),
    ("a lifetime that is a list", Top("expires_in", "[2700]"), Refused("token_lifetime_missing")),
    ("a lifetime in words", Top("expires_in", r#""two days""#), Refused("token_lifetime_missing")),
    ("a type in lower case", Top("token_type", r#""bearer""#), Usual),
    ("a type in upper case", Top("token_type", r#""BEARER""#), Usual),
    ("another type", Top("token_type", r#""DPoP""#), Refused("token_type")),
    ("no type", Top("token_type", "absent"), Refused("token_type")),
    ("a type of null", Top("token_type", "null"), Refused("token_type")),
    ("no scope", Top("scope", "absent"), Usual),
    ("a scope of null", Top("scope", "null"), Usual),
    ("an empty scope", Top("scope", r#""""#), Usual),
    ("a scope that is a list", Top("scope", r#"["openid"]"#), Refused("token_response_unreadable")),
    ("a scope that is a number", Top("scope", "7"), Refused("token_response_unreadable")),
    ("no service", Top("resource_server", "absent"), Usual),
    ("a service of null", Top("resource_server", "null"), Usual),
    ("an empty service", Top("resource_server", r#""""#), Usual),
    ("no ID token", Top("id_token", "absent"), Refused("id_token_missing")),
    ("an ID token of null", Top("id_token", "null"), Refused("id_token_missing")),
    ("an empty ID token", Top("id_token", r#""""#), Refused("id_token_missing")),
    ("an ID token that is a number", Top("id_token", "7"), Refused("id_token_malformed")),
    ("this client as the authorized party", Claim("azp", r#""7fb58e00-0000-4000-8000-000000000000""#), Usual),
    ("a time of issue in text", Claim("iat", r#""1""#), Refused("id_token_claims_unreadable")),
    ("a beginning in text", Claim("nbf", r#""1""#), Refused("id_token_claims_unreadable")),
    ("an unknown member", Top("added_tomorrow", r#"{"x":[1]}"#), Usual),
    ("a state of null", Top("state", "null"), Usual),
    ("another service without a lifetime", Other("expires_in", "absent"), Without("token_lifetime_missing")),
    ("another service with a lifetime of null", Other("expires_in", "null"), Without("token_lifetime_missing")),
    ("another service with a lifetime in text", Other("expires_in", r#""2700""#), Usual),
    ("another service with an odd lifetime", Other("expires_in", "{}"), Without("token_lifetime_missing")),
    ("another service with another type", Other("token_type", r#""mac""#), Without("token_type")),
    ("another service with a type in lower case", Other("token_type", r#""bearer""#), Usual),
    ("another service without a type", Other("token_type", "absent"), Without("token_type")),
    ("another service with a list of scopes", Other("scope", r#"["a"]"#), Without("token_entry_unreadable")),
    ("another service without a scope", Other("scope", "absent"), Usual),
    ("another service without a name", Other("resource_server", "absent"), Without("token_entry_unreadable")),
    ("another service with a number as name", Other("resource_server", "7"), Without("token_entry_unreadable")),
    (
        "another service that is the first one",
        Other("resource_server", r#""auth.globus.org""#),
        Without("token_repeated"),
    ),
    ("an entry that is null", Entry("null"), Noted("token_entry_unreadable")),
    ("an entry that is text", Entry(r#""x""#), Noted("token_entry_unreadable")),
    ("an entry that is a list", Entry("[]"), Noted("token_entry_unreadable")),
    ("an empty entry", Entry("{}"), Noted("token_entry_unreadable")),
    (
        "an entry without an access token",
        Entry(r#"{"refresh_token":"x","token_type":"Bearer","expires_in":9}"#),
        Noted("token_entry_unreadable"),
    ),
    (
        "a second entry for a service",
        Entry(
            r#"{"resource_server":"transfer.api.globus.org","access_token":"x","token_type":"Bearer","expires_in":9}"#,
        ),
        Noted("token_repeated"),
    ),
    ("a name in Arabic", Claim("name", r#""محمد بن موسى""#), Shown(Some("محمد بن موسى"))),
    ("a name in Chinese", Claim("name", r#""祖冲之""#), Shown(Some("祖冲之"))),
    ("a name with emoji", Claim("name", r#""👩🏽‍🔬 Ada""#), Shown(Some("👩🏽‍🔬 Ada"))),
    ("a name with NUL", Claim("name", r#""Ada\u0000Lovelace""#), Shown(Some("Ada Lovelace"))),
    ("a name with CRLF", Claim("name", r#""Ada\r\nLovelace""#), Shown(Some("Ada Lovelace"))),
    ("an empty name", Claim("name", r#""""#), Shown(None)),
    ("a name of blanks", Claim("name", r#""  ""#), Shown(None)),
    ("a name of zero width", Claim("name", r#""\u200b\ufeff""#), Shown(None)),
    ("a name of control characters", Claim("name", r#""\u0000\u001b""#), Shown(None)),
    ("a name that is a number", Claim("name", "7"), Shown(None)),
    ("a name that is true", Claim("name", "true"), Shown(None)),
    ("a name of null", Claim("name", "null"), Shown(None)),
    ("an email that is a list", Claim("email", r#"["ada@uchicago.edu"]"#), Shown(None)),
    ("an email of null", Claim("email", "null"), Shown(None)),
    ("an organization that is an object", Claim("organization", r#"{"name":"x"}"#), Shown(None)),
    ("an organization that is a list of lists", Claim("organization", "[[[]]]"), Shown(None)),
    ("no email", Claim("email", "absent"), Shown(None)),
    ("emails in a list of their own", Claim("emails", r#"["ada@uchicago.edu"]"#), Usual),
    ("an unverified email", Claim("email_verified", r#""false""#), Usual),
    ("no organization", Claim("organization", "absent"), Shown(None)),
    ("linked identities without names", Claim("identity_set", r#"[{"sub":"x","name":null},null,7]"#), Usual),
    ("an audience that is a list of this client", Claim("aud", r#"["7fb58e00-0000-4000-8000-000000000000"]"#), Usual),
    ("an empty audience", Claim("aud", r#""""#), Refused("id_token_audience")),
    ("an authorized party of null", Claim("azp", "null"), Usual),
    ("an empty authorized party", Claim("azp", r#""""#), Refused("id_token_audience")),
    ("a hash of the access token of null", Claim("at_hash", "null"), Usual),
    ("an empty hash of the access token", Claim("at_hash", r#""""#), Refused("id_token_at_hash")),
    ("a beginning of null", Claim("nbf", "null"), Usual),
    ("an expiry with a fraction", Claim("exp", "9999999999.5"), Usual),
    ("an expiry with an exponent", Claim("exp", "1e300"), Usual),
    ("a negative expiry", Claim("exp", "-1e300"), Refused("id_token_expired")),
    ("a time of issue with an exponent", Claim("iat", "1.0e9"), Usual),
    ("a time of issue of null", Claim("iat", "null"), Refused("id_token_claims_unreadable")),
    ("an issuer with a slash", Claim("iss", r#""https://auth.globus.org/""#), Refused("id_token_issuer")),
    ("a nonce of null", Claim("nonce", "null"), Refused("id_token_nonce")),
    ("a subject that is a number", Claim("sub", "7"), Refused("id_token_claims_unreadable")),
    ("a nonce that is a list", Claim("nonce", r#"["x"]"#), Refused("id_token_claims_unreadable")),
    ("an expiry in text", Claim("exp", r#""9999999999""#), Refused("id_token_claims_unreadable")),
    ("an audience that is a number", Claim("aud", "7"), Refused("id_token_claims_unreadable")),
    ("a key of elliptic curves", Key(r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#), Usual),
    ("a post-quantum key", Key(r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#), Usual),
    ("an Edwards-curve key", Key(r#"{"kty":"OKP","crv":"Ed25519","x":"AA","alg":"EdDSA"}"#), Usual),
    ("a symmetric key", Key(r#"{"kty":"oct","k":"AA","alg":"HS512"}"#), Usual),
    ("a key for encryption", Key(r#"{"kty":"RSA","use":"enc","alg":"RSA-OAEP","n":"AQ","e":"AQAB"}"#), Usual),
    ("a key for another hash", Key(r#"{"kty":"RSA","use":"sig","alg":"RS256","n":"AQ","e":"AQAB"}"#), Usual),
    ("a key whose numbers are empty", Key(r#"{"kty":"RSA","n":"","e":""}"#), Usual),
    ("a key whose numbers are zero", Key(r#"{"kty":"RSA","n":"AAAA","e":"AA"}"#), Usual),
    ("a key whose modulus is not base64", Key(r#"{"kty":"RSA","n":"+/ ü","e":"AQAB"}"#), Usual),
    (
        "a key with a certificate",
        Key(r#"{"kty":"RSA","use":"sig","n":"AQ","e":"AQAB","x5c":["AA"],"x5t":"AA"}"#),
        Usual,
    ),
    ("a certificate of Globus's key", OwnKey("x5c", r#"["AA","AA"]"#), Usual),
    ("an odd certificate of Globus's key", OwnKey("x5c", "7"), Usual),
    ("the hash of a certificate", OwnKey("x5t#S256", r#""AA""#), Usual),
    ("an id of Globus's key", OwnKey("kid", r#""2026-01""#), Usual),
    ("what Globus's key may do", OwnKey("key_ops", r#"["verify"]"#), Usual),
    ("no algorithm", OwnKey("alg", "absent"), Usual),
    ("an algorithm of null", OwnKey("alg", "null"), Usual),
    ("no use", OwnKey("use", "absent"), Usual),
    ("another algorithm", OwnKey("alg", r#""RS256""#), Refused("key_set_unreadable")),
    ("another use", OwnKey("use", r#""enc""#), Refused("key_set_unreadable")),
    ("another type of key", OwnKey("kty", r#""EC""#), Refused("key_set_unreadable")),
    ("a modulus that is no base64url", OwnKey("n", r#""+/=""#), Refused("key_set_unreadable")),
    ("a key without a type", Key(r#"{"n":"AQ","e":"AQAB"}"#), Usual),
    ("a key whose type is a number", Key(r#"{"kty":1,"n":"AQ","e":"AQAB"}"#), Usual),
    ("a key whose use is a list", Key(r#"{"kty":"RSA","use":["sig"],"n":"AQ","e":"AQAB"}"#), Usual),
    ("a key without a modulus", Key(r#"{"kty":"RSA","e":"AQAB"}"#), Usual),
    ("a key that is null", Key("null"), Usual),
    ("a key that is text", Key(r#""RSA""#), Usual),
    ("a key that is a list", Key("[]"), Usual),
    ("a modulus with a zero before it", Modulus(zero_before), Usual),
    ("a modulus with padding", Modulus(|n| format!("{n}==")), Usual),
    ("a modulus with a blank before it", Modulus(|n| format!(" {n}")), Refused("key_set_unreadable")),
    ("a key set with white space around it", KeySet("\r\n\t ", "\n\n"), Usual),
    ("a key set with a byte order mark", KeySet("\u{feff}", ""), Refused("key_set_unreadable")),
    ("a key set in a list", KeySet("[", "]"), Refused("key_set_unreadable")),
    ("userinfo that is refused", Userinfo(403, r#"{"error":"insufficient_scope"}"#), Noted("userinfo_unreadable")),
    ("userinfo that is not found", Userinfo(404, ""), Noted("userinfo_unreadable")),
    ("userinfo that fails", Userinfo(500, "<h1>Internal Server Error</h1>"), Noted("globus_error_status")),
    ("userinfo that is signed", Userinfo(200, "eyJhbGciOiJSUzUxMiJ9.e30.AA"), Noted("userinfo_unreadable")),
    ("userinfo without a subject", Userinfo(200, r#"{"preferred_username":"x"}"#), Noted("userinfo_unreadable")),
    ("userinfo whose subject is a number", Userinfo(200, r#"{"sub":7}"#), Noted("userinfo_unreadable")),
    ("userinfo of another user", Userinfo(200, r#"{"sub":"someone-else"}"#), Refused("userinfo_subject")),
    ("a refusal", Refusal(400, r#"{"error":"invalid_grant"}"#), Refused("code_refused")),
    ("a refusal with status 200", Refusal(200, r#"{"error":"invalid_grant"}"#), Refused("code_refused")),
    (
        "a refusal with an odd description",
        Refusal(400, r#"{"error":"invalid_grant","error_description":["expired"],"error_uri":7}"#),
        Refused("code_refused"),
    ),
    (
        "a refusal with half a surrogate pair",
        Refusal(401, r#"{"error":"invalid_grant","error_description":"\ud800"}"#),
        Refused("code_refused"),
    ),
    (
        "a refusal of the client with a description of null",
        Refusal(401, r#"{"error":"invalid_client","error_description":null}"#),
        Refused("client_refused"),
    ),
    (
        "a refusal without a code",
        Refusal(400, r#"{"errorCode":"invalid_grant"}"#),
        Refused("token_response_unreadable"),
    ),
    (
        "a refusal whose code is an object",
        Refusal(400, r#"{"error":{"code":1}}"#),
        Refused("token_response_unreadable"),
    ),
    ("a refusal without a body", Refusal(400, ""), Refused("token_response_unreadable")),
    ("a renewal with an empty refresh token", Renewal("refresh_token", r#""""#), Usual),
    ("a renewal with a refresh token of null", Renewal("refresh_token", "null"), Usual),
    ("a renewal without a refresh token", Renewal("refresh_token", "absent"), Usual),
    ("a renewal without a scope", Renewal("scope", "absent"), Usual),
    ("a renewal with a scope of null", Renewal("scope", "null"), Usual),
    ("a renewal with an empty scope", Renewal("scope", r#""""#), Usual),
    ("a renewal without a service", Renewal("resource_server", "absent"), Usual),
    ("a renewal with a service of null", Renewal("resource_server", "null"), Usual),
    ("a renewal with an empty service", Renewal("resource_server", r#""""#), Usual),
    ("a renewal with a lifetime in text", Renewal("expires_in", r#""2700""#), Usual),
    ("a renewal with a type in lower case", Renewal("token_type", r#""bearer""#), Usual),
    ("a renewal with an ID token of null", Renewal("id_token", "null"), Usual),
    ("a renewal without an ID token", Renewal("id_token", "absent"), Usual),
    ("a renewal without other tokens", Renewal("other_tokens", "absent"), Usual),
    ("a renewal with an odd ID token", Renewal("id_token", "7"), Usual),
    ("a renewal with other tokens of null", Renewal("other_tokens", "null"), Usual),
    ("a renewal with other tokens in empty text", Renewal("other_tokens", r#""""#), Usual),
    ("a renewal with an object of other tokens", Renewal("other_tokens", "{}"), Refused("token_response_unreadable")),
    ("a renewal with a list of scopes", Renewal("scope", r#"["openid"]"#), Refused("token_response_unreadable")),
    ("a renewal with a number as refresh token", Renewal("refresh_token", "7"), Refused("token_response_unreadable")),
    ("a renewal with an odd lifetime", Renewal("expires_in", "[]"), Refused("token_lifetime_missing")),
    ("a renewal with another type", Renewal("token_type", r#""mac""#), Refused("token_type")),
    (
        "a renewal for another service",
        Renewal("resource_server", r#""other.example""#),
        Refused("renewal_of_another_service"),
    ),
];

/// As of libraries for which the highest bit is a sign.
fn zero_before(n: &str) -> String {
    let n = URL_SAFE_NO_PAD.decode(n).unwrap();
    URL_SAFE_NO_PAD.encode([&[0], &n[..]].concat())
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// Sets a member, to null as well.
fn bend(object: &mut Value, name: &str, json: &str) {
    let members = object.as_object_mut().unwrap();
    members.remove(name);
    if json != "absent" {
        members.insert(name.to_owned(), value(json));
    }
}

impl World {
    /// Lets the key set be another one from now on.
    async fn edit_keys(&self, edit: impl FnOnce(&mut Vec<Value>)) {
        let mut keys = self.key_set().await;
        edit(keys["keys"].as_array_mut().unwrap());
        self.stand_in.fault(Endpoint::Jwks, respond_with(200, "application/json", &keys.to_string()));
    }

    async fn apply(&self, odd: Bend) {
        match odd {
            Top(name, json) | Renewal(name, json) => {
                self.stand_in.edit_token_response(move |response| bend(response, name, json));
            }
            Other(name, json) => {
                self.stand_in.edit_token_response(move |response| bend(&mut response["other_tokens"][0], name, json));
            }
            Entry(json) => self.stand_in.edit_token_response(move |response| {
                let entries = response["other_tokens"].as_array_mut().unwrap();
                entries.push(value(json));
            }),
            Claim(name, json) => self.stand_in.edit_id_token(move |claims| bend(claims, name, json)),
            Key(json) => self.edit_keys(|keys| keys.insert(0, value(json))).await,
            OwnKey(name, json) => self.edit_keys(|keys| bend(&mut keys[0], name, json)).await,
            Modulus(change) => {
                self.edit_keys(|keys| keys[0]["n"] = change(keys[0]["n"].as_str().unwrap()).into()).await;
            }
            KeySet(before, behind) => {
                let keys = format!("{before}{}{behind}", self.key_set().await);
                self.stand_in.fault(Endpoint::Jwks, respond_with(200, "application/json", &keys));
            }
            Userinfo(status, body) => {
                self.stand_in.edit_id_token(|claims| bend(claims, "preferred_username", "absent"));
                self.stand_in.fault(Endpoint::Userinfo, respond_with(status, "application/json", body));
            }
            Refusal(status, body) => {
                self.stand_in.fault(Endpoint::Token, respond_with(status, "application/json", body));
            }
        }
    }

    async fn key_set(&self) -> Value {
        let keys = http_client::new().unwrap().get(format!("{}/jwk.json", self.stand_in.url())).send().await;
        serde_json::from_str(&keys.unwrap().text().await.unwrap()).unwrap()
    }
}

async fn check_renewal(name: &str, odd: Bend, expected: Effect) {
    let world = World::start().await;
    let mut session = testing::session(now());
    session.tokens = world.sign_in().await.unwrap().tokens.into_iter().take(1).collect();
    let (old, at_first) = (session.tokens[0].clone(), world.stand_in.issued_tokens());
    world.apply(odd).await;

    let renewed = world.globus().refresh(&session, now() + Duration::from_hours(48)).await;

    let issued = world.stand_in.issued_tokens().split_off(at_first.len());
    assert_eq!(issued.len(), 1, "{name}");
    assert_eq!(world.revoked(&at_first), 0, "{name}: a token in use was revoked");
    if let Refused(reason) = expected {
        assert_eq!(renewed.failures[0].row().reason.as_str(), reason, "{name}");
        assert_eq!((renewed.tokens.len(), world.revoked(&issued)), (0, 1), "{name}");
        return;
    }
    assert!(renewed.failures.is_empty(), "{name}: {:?}", renewed.failures);
    session.replace_tokens(renewed.tokens);
    session.note_renewal(now());
    let [new] = &session.tokens[..] else { panic!("{name}") };
    assert_eq!(world.revoked(&issued), 0, "{name}");
    assert_eq!(new.access_token.expose(), issued[0], "{name}");
    assert_eq!((&new.refresh_token, &new.resource_server), (&old.refresh_token, &old.resource_server), "{name}");
    assert_eq!(new.scope, old.scope, "{name}");
}

async fn check_sign_in(name: &str, odd: Bend, expected: Effect) {
    let log = Log::listen();
    let world = World::start().await;
    world.apply(odd).await;

    let result = world.sign_in().await;

    let issued = world.stand_in.issued_tokens();
    if let Refused(reason) = expected {
        assert_eq!(result.unwrap_err().row().reason.as_str(), reason, "{name}");
        let received = if matches!(odd, Refusal(..)) { 0 } else { 4 };
        assert_eq!((issued.len(), world.revoked(&issued)), (received, received), "{name}");
        return;
    }
    let SignedIn { identity, tokens } = result.unwrap_or_else(|error| panic!("{name}: {error}"));
    let left_out = matches!(expected, Without(_));
    assert_eq!(tokens.len(), if left_out { 1 } else { 2 }, "{name}");
    assert_eq!(world.revoked(&issued), if left_out { 2 } else { 0 }, "{name}");
    assert!(tokens.iter().flat_map(Token::secrets).all(|token| !world.stand_in.is_revoked(token.expose())), "{name}");
    if let Without(reason) | Noted(reason) = expected {
        log.assert_reason(reason);
    }
    if let Shown(text) = expected {
        let Claim(claim, _) = odd else { panic!("{name}") };
        let shown = match claim {
            "name" => identity.name,
            "email" => identity.email,
            "organization" => identity.organization,
            _ => identity.username,
        };
        assert_eq!(shown.as_ref().map(crate::session::DisplayText::for_display), text, "{name}");
    }
}

#[tokio::test]
async fn each_odd_response_has_the_outcome_of_its_row() {
    assert!(ROWS.len() >= 60, "{}", ROWS.len());
    for (name, odd, expected) in ROWS {
        match odd {
            Renewal(..) => check_renewal(name, *odd, *expected).await,
            _ => check_sign_in(name, *odd, *expected).await,
        }
    }
}
