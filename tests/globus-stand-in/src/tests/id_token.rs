//! ID tokens: the claims and the signature.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA512, digest},
    signature::{RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents},
};
use serde_json::json;

use super::*;
use crate::{Signing, people};

fn part(id_token: &str, index: usize) -> Vec<u8> {
    let part = id_token.split('.').nth(index).unwrap();
    URL_SAFE_NO_PAD.decode(part).unwrap()
}

fn header_of(id_token: &str) -> Value {
    serde_json::from_slice(&part(id_token, 0)).unwrap()
}

fn claims_of(id_token: &str) -> Value {
    serde_json::from_slice(&part(id_token, 1)).unwrap()
}

async fn keys(stand_in: &StandIn) -> Vec<Value> {
    let keys = get(stand_in, "/jwk.json").await.json();
    keys["keys"].as_array().unwrap().clone()
}

fn verifies(id_token: &str, key: &Value) -> bool {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(text(&key[name])).unwrap();
    let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    let (message, _) = id_token.rsplit_once('.').unwrap();
    public.verify(&RSA_PKCS1_2048_8192_SHA512, message.as_bytes(), &part(id_token, 2)).is_ok()
}

async fn id_token(stand_in: &StandIn, person: &str, changes: Pairs<'_>) -> String {
    text(&tokens(stand_in, person, changes).await["id_token"]).to_owned()
}

#[tokio::test]
async fn signs_with_rs512_and_a_listed_key_without_kid() {
    let stand_in = start().await;
    let id_token = id_token(&stand_in, "ada", &[]).await;
    assert_eq!(header_of(&id_token), json!({ "typ": "JWT", "alg": "RS512" }));
    let [key] = &keys(&stand_in).await[..] else {
        panic!("one key is listed");
    };
    assert!(verifies(&id_token, key));
    let names: Vec<_> = key.as_object().unwrap().keys().collect();
    assert_eq!(names, ["alg", "e", "kty", "n", "use"]);
    assert_eq!(text(&key["n"]).len(), 342, "2048 bits");
}

#[tokio::test]
async fn id_token_names_the_user_and_the_client() {
    let stand_in = start().await;
    let response = tokens(&stand_in, "ada", &[("nonce", "the-nonce")]).await;
    let mut claims = claims_of(text(&response["id_token"]));
    let now = crate::grants::now();
    let mut moment = |name: &str| claims[name].take().as_u64().unwrap();
    let (issued, expires, authenticated) = (moment("iat"), moment("exp"), moment("last_authentication"));
    assert!(now - issued < 60 && now - authenticated < 60);
    let set = claims.as_object_mut().unwrap().remove("identity_set").unwrap();
    assert_eq!(set[0]["last_authentication"], authenticated);
    assert_eq!(expires - issued, 172_800);

    let hash = digest(&SHA512, text(&response["access_token"]).as_bytes());
    let expected = json!({
        "iss": stand_in.url(),
        "aud": CLIENT_ID,
        "iat": null,
        "exp": null,
        "last_authentication": null,
        "nonce": "the-nonce",
        "at_hash": URL_SAFE_NO_PAD.encode(&hash.as_ref()[..32]),
        "sub": people::sub("ada"),
        "name": "Ada Lovelace",
        "preferred_username": "ada@uchicago.example",
        "email": "ada@uchicago.example",
        "organization": "University of Chicago",
        "identity_provider": "41143743-f3c8-4d60-bbdb-eeecaba85bd9",
        "identity_provider_display_name": "Globus ID",
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn id_token_has_only_the_claims_that_the_scopes_allow() {
    let stand_in = start().await;
    let claims_for = async |scope: &str| {
        let changes = [("scope", scope)];
        let claims = claims_of(&id_token(&stand_in, "ada", &changes).await);
        let has = |claim: &str| claims.get(claim).is_some();
        ["sub", "name", "preferred_username", "email", "identity_set", "nonce"].map(has)
    };
    let set = "openid urn:globus:auth:scope:auth.globus.org:view_identity_set";
    let (yes, no) = (true, false);
    assert_eq!(claims_for("openid").await, [yes, no, no, no, yes, no]);
    assert_eq!(claims_for("openid profile").await, [yes, yes, yes, no, yes, no]);
    assert_eq!(claims_for("openid email").await, [yes, no, no, yes, yes, no]);
    stand_in.leave_out_identity_set(true);
    assert_eq!(claims_for(set).await, [yes, no, no, no, no, no]);
}

#[tokio::test]
async fn unknown_name_is_null_and_other_unknown_claims_are_absent() {
    let stand_in = start().await;
    let claims = claims_of(&id_token(&stand_in, "sparse", &[]).await);
    assert_eq!(claims["sub"].as_str(), people::sub("sparse"));
    assert!(claims["preferred_username"].is_string());
    assert_eq!(claims.get("name"), Some(&Value::Null));
    assert_eq!(claims.get("email"), None);
    assert_eq!(claims.get("organization"), None);
}

#[tokio::test]
async fn lists_the_twenty_linked_identities_of_a_user() {
    let stand_in = start().await;
    let id_token = id_token(&stand_in, "linked", &[]).await;
    assert!(id_token.len() > 8_000, "{}", id_token.len());
    let claims = claims_of(&id_token);
    let identities = claims["identity_set"].as_array().unwrap();
    assert_eq!(identities.len(), 21);
    assert_eq!(identities[0]["sub"], claims["sub"]);
    assert_eq!(identities[0]["username"], claims["preferred_username"]);
    let subs: std::collections::HashSet<_> = identities.iter().map(|identity| text(&identity["sub"])).collect();
    assert_eq!(subs.len(), 21);
}

#[tokio::test]
async fn names_the_primary_identity_whichever_has_authenticated() {
    let stand_in = start().await;
    let claims = claims_of(&id_token(&stand_in, "lab", &[]).await);
    assert_eq!(claims["sub"].as_str(), people::sub("lab"));
    assert_eq!(claims["preferred_username"], "rosalind@globusid.example");
    assert_eq!(claims["last_authentication"], Value::Null, "it is the other identity that has authenticated");
    let [primary, linked] = &claims["identity_set"].as_array().unwrap()[..] else {
        panic!("{claims}");
    };
    assert_eq!(primary["last_authentication"], Value::Null);
    assert_eq!(linked["username"], "rosalind@lab.example");
    assert!(linked["last_authentication"].is_u64());
}

#[tokio::test]
async fn each_user_has_a_unique_uuid_and_one_username_has_two_at_signs() {
    let mut subs: Vec<_> = people::PEOPLE.iter().map(|person| person.sub).collect();
    subs.sort_unstable();
    subs.dedup();
    assert_eq!(subs.len(), people::PEOPLE.len());
    let form = |sub: &str| sub.split('-').map(str::len).collect::<Vec<_>>();
    assert!(subs.iter().all(|sub| form(sub) == [8, 4, 4, 4, 12]));
    let twice = people::find("twice").unwrap();
    assert_eq!(twice.username, "x@globus.org@accounts.google.com");
}

#[tokio::test]
async fn signs_with_a_new_key_after_a_rotation() {
    let stand_in = start().await;
    let before = id_token(&stand_in, "ada", &[]).await;
    let old = keys(&stand_in).await.remove(0);
    stand_in.rotate_keys(true);
    let [first, second] = &keys(&stand_in).await[..] else {
        panic!("two keys are listed");
    };
    let after = id_token(&stand_in, "ada", &[]).await;
    assert_eq!(*first, old);
    assert!(verifies(&before, first) && !verifies(&before, second));
    assert!(verifies(&after, second) && !verifies(&after, first));

    stand_in.rotate_keys(false);
    let third = keys(&stand_in).await;
    assert_eq!(third.len(), 1);
    assert!(verifies(&id_token(&stand_in, "ada", &[]).await, &third[0]));
    assert!(!verifies(&after, &third[0]));
}

#[tokio::test]
async fn signs_with_a_wrong_key_or_algorithm_if_set() {
    let stand_in = start().await;
    let listed = keys(&stand_in).await;
    stand_in.sign_id_tokens(Signing::OtherKey);
    let other = id_token(&stand_in, "ada", &[]).await;
    assert_eq!(header_of(&other)["alg"], "RS512");
    assert_eq!(part(&other, 2).len(), 256);
    assert!(!verifies(&other, &listed[0]));
    assert_eq!(keys(&stand_in).await, listed);

    stand_in.sign_id_tokens(Signing::Unsigned);
    let unsigned = id_token(&stand_in, "ada", &[]).await;
    assert_eq!(header_of(&unsigned)["alg"], "none");
    assert!(unsigned.ends_with('.'));

    stand_in.sign_id_tokens(Signing::HmacWithPublicKey);
    let confused = id_token(&stand_in, "ada", &[]).await;
    assert_eq!(header_of(&confused)["alg"], "HS512");
    assert_eq!(part(&confused, 2).len(), 64);

    stand_in.sign_id_tokens(Signing::Normal);
    let normal = id_token(&stand_in, "ada", &[]).await;
    assert!(verifies(&normal, &listed[0]));
}

#[tokio::test]
async fn signs_the_claims_as_edited() {
    let stand_in = start().await;
    stand_in.edit_id_token(|claims| claims["aud"] = "another-client".into());
    let id_token = id_token(&stand_in, "ada", &[]).await;
    assert_eq!(claims_of(&id_token)["aud"], "another-client");
    assert!(verifies(&id_token, &keys(&stand_in).await[0]));
}
