//! Introspection: the token, the session, the identities, the policies.

use serde_json::json;

use super::*;
use crate::{UnknownPolicies, people, policies};

const INTROSPECT: &str = "/v2/oauth2/token/introspect";
const DETAILS: &str = "session_info,identity_set_detail";

/// The introspection of a new token for `person`, who was sent to Globus with `required`.
async fn introspect(stand_in: &StandIn, person: &str, required: Pairs<'_>, form: Pairs<'_>) -> Value {
    let top = tokens(stand_in, person, required).await;
    let form = [&[("token", text(&top["access_token"]))], form].concat();
    let received = post_basic(stand_in, INTROSPECT, &form).await;
    assert_eq!(received.status, StatusCode::OK, "{}", received.body);
    received.json()
}

/// The usernames of those who have authenticated.
fn authenticated(about: &Value) -> Vec<&str> {
    let authentications = about["session_info"]["authentications"].as_object().unwrap();
    let details = about["identity_set_detail"].as_array().unwrap().iter();
    details
        .filter(|detail| authentications.contains_key(text(&detail["sub"])))
        .map(|detail| text(&detail["username"]))
        .collect()
}

#[tokio::test]
async fn introspects_an_active_token() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    let form = [("token", text(&top["access_token"]))];
    let mut received = post_basic(&stand_in, INTROSPECT, &form).await.json();
    let mut moment = |name: &str| received[name].take().as_u64().unwrap();
    assert_eq!(moment("exp") - moment("iat"), 172_800);
    assert!(moment("nbf") > 0);
    let expected = json!({
        "active": true,
        "token_type": "Bearer",
        "scope": "email profile openid",
        "client_id": CLIENT_ID,
        "username": "ada@uchicago.example",
        "name": "Ada Lovelace",
        "email": "ada@uchicago.example",
        "sub": people::sub("ada"),
        "aud": ["auth.globus.org", CLIENT_ID],
        "iss": stand_in.url(),
        "exp": null, "iat": null, "nbf": null,
    });
    assert_eq!(received, expected, "no more than is included");
}

#[tokio::test]
async fn takes_the_clients_secret_in_the_header_or_in_the_form_but_not_in_both() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    let token = ("token", text(&top["access_token"]));
    let in_form = [token, ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    let received = post(&stand_in, INTROSPECT, "", &in_form).await;
    assert_eq!(received.json()["active"], true);

    assert_eq!(post_basic(&stand_in, INTROSPECT, &in_form).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(post_basic(&stand_in, INTROSPECT, &[]).await.status, StatusCode::BAD_REQUEST);
    for authorization in [String::new(), basic(CLIENT_ID, "wrong")] {
        let received = post(&stand_in, INTROSPECT, &authorization, &[token]).await;
        assert_api_error(&received, 401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn says_of_an_inactive_token_only_that_it_is_inactive() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    stand_in.revoke_person("ada");
    let form =
        [("token", text(&top["access_token"])), ("include", DETAILS), ("authentication_policies", policies::UNKNOWN)];
    let received = post_basic(&stand_in, INTROSPECT, &form).await;
    assert_eq!((received.status, received.json()), (StatusCode::OK, json!({ "active": false })));
}

#[tokio::test]
async fn includes_the_session_with_each_authentication() {
    let stand_in = start().await;
    let mut about = introspect(&stand_in, "mfa", &[], &[("include", "session_info")]).await;
    let sub = people::sub("mfa").unwrap();
    let time = about["session_info"]["authentications"][sub]["auth_time"].take().as_u64().unwrap();
    assert!(crate::grants::now() - time < 60);
    assert_eq!(text(&about["session_info"]["session_id"].take()).len(), 36);
    let expected = json!({ "session_id": null, "authentications": { sub: {
        "idp": "1ab00000-0000-4f1d-b0e8-8fe3a09f7e00",
        "auth_time": null,
        "acr": null,
        "amr": ["mfa"],
        "custom_claims": {},
    } } });
    assert_eq!(about["session_info"], expected);
    assert_eq!(about.get("identity_set_detail"), None);

    let about = introspect(&stand_in, "ada", &[], &[("include", "session_info")]).await;
    let sub = people::sub("ada").unwrap();
    assert_eq!(about["session_info"]["authentications"][sub]["amr"], Value::Null);
}

#[tokio::test]
async fn tells_how_long_ago_the_user_logged_in() {
    let stand_in = start().await;
    stand_in.log_in_ago(7_200);
    let about = introspect(&stand_in, "ada", &[], &[("include", DETAILS)]).await;
    let authentication = &about["session_info"]["authentications"][people::sub("ada").unwrap()];
    let age = crate::grants::now() - authentication["auth_time"].as_u64().unwrap();
    assert!((7_200..7_260).contains(&age), "{age}");
}

#[tokio::test]
async fn includes_every_identity_and_which_of_them_has_authenticated() {
    let stand_in = start().await;
    for (person, usernames, in_session) in [
        ("lab", ["rosalind@globusid.example", "rosalind@lab.example"], "rosalind@lab.example"),
        ("lab-unused", ["lise@globusid.example", "lise@lab.example"], "lise@globusid.example"),
    ] {
        let about = introspect(&stand_in, person, &[], &[("include", DETAILS)]).await;
        assert_eq!(about["username"], usernames[0], "the primary identity");
        let details = about["identity_set_detail"].as_array().unwrap();
        assert_eq!(details.iter().map(|detail| text(&detail["username"])).collect::<Vec<_>>(), usernames);
        assert_eq!(authenticated(&about), [in_session]);
        for detail in details {
            // Not whether it has authenticated in this session.
            assert_eq!((text(&detail["status"]), text(&detail["identity_type"])), ("used", "login"));
        }
    }
    let about = introspect(&stand_in, "linked", &[], &[("include", "identity_set,identity_set_detail")]).await;
    let details = about["identity_set_detail"].as_array().unwrap();
    assert_eq!((text(&details[0]["status"]), text(&details[20]["status"])), ("used", "unused"));
    assert_eq!(about["identity_set"].as_array().unwrap().len(), 21);
    assert_eq!(about["identity_set"][0], about["sub"]);
}

#[tokio::test]
async fn shows_an_empty_session_as_after_a_silent_sign_on() {
    let stand_in = start().await;
    stand_in.forget_authentications(true);
    let form = [("include", DETAILS), ("authentication_policies", policies::MFA)];
    let about = introspect(&stand_in, "mfa", &[], &form).await;
    assert_eq!(about["session_info"]["authentications"], json!({}));
    assert_eq!(about["policy_evaluations"], json!({ policies::MFA: { "evaluation": false } }));
}

#[tokio::test]
async fn evaluates_each_policy_by_what_has_authenticated() {
    let stand_in = start().await;
    let all = [policies::MFA, policies::OF_THE_LAB, policies::RECENT].join(",");
    let form = [("authentication_policies", all.as_str())];
    for (person, expected) in [
        ("mfa", [true, true, true]),
        ("lab", [false, true, true]),
        ("lab-unused", [false, false, true]),
        ("lab-email", [false, false, true]),
        ("lab-longer", [false, false, true]),
        ("lab-below", [false, false, true]),
        ("lab-twice", [false, false, true]),
        ("lab-upper", [false, true, true]),
        ("mfa-when-required", [false, true, true]),
    ] {
        let about = introspect(&stand_in, person, &[], &form).await;
        let evaluations = all.split(',').map(|policy| about["policy_evaluations"][policy]["evaluation"].as_bool());
        assert_eq!(evaluations.collect::<Vec<_>>(), expected.map(Some), "{person}");
    }
    stand_in.log_in_ago(policies::RECENT_SECONDS);
    let about = introspect(&stand_in, "mfa", &[], &[("authentication_policies", policies::RECENT)]).await;
    assert_eq!(about["policy_evaluations"][policies::RECENT]["evaluation"], false);
}

#[tokio::test]
async fn leaves_an_unknown_policy_out_or_refuses_the_request() {
    let stand_in = start().await;
    let asked = [policies::UNKNOWN, policies::RECENT].join(",");
    let form = [("authentication_policies", asked.as_str())];
    let about = introspect(&stand_in, "ada", &[], &form).await;
    assert_eq!(about["policy_evaluations"], json!({ policies::RECENT: { "evaluation": true } }));

    stand_in.unknown_policies(UnknownPolicies::Refused);
    let top = tokens(&stand_in, "ada", &[]).await;
    let form = [("token", text(&top["access_token"])), form[0]];
    let received = post_basic(&stand_in, INTROSPECT, &form).await;
    assert_eq!((received.status.as_u16(), received.json()), (400, json!({ "error": "invalid_request" })));
}

#[tokio::test]
async fn sends_the_introspection_as_edited() {
    let stand_in = start().await;
    stand_in.edit_introspection(|about| about["session_info"] = Value::Null);
    let about = introspect(&stand_in, "ada", &[], &[("include", DETAILS)]).await;
    assert_eq!(about["session_info"], Value::Null);
}
