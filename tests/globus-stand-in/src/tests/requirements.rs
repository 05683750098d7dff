//! What an application requires of the session: the parameters `session_required_…`.

use super::*;
use crate::{people, policies};

const DOMAIN: &str = "session_required_single_domain";
const POLICIES: &str = "session_required_policies";
const IDENTITIES: &str = "session_required_identities";
const MFA: (&str, &str) = ("session_required_mfa", "true");

/// Which usernames authenticate when `person` is sent to Globus with these parameters, and whether all did so with a
/// second factor; or the page that the user sees.
async fn authenticate(stand_in: &StandIn, person: &str, changes: Pairs<'_>) -> Result<(Vec<String>, bool), String> {
    let url = format!("{}{}", stand_in.url(), authorize_path(changes));
    let callback = stand_in.sign_in(&url, person).await?;
    let tokens = redeem(stand_in, &parameter(&callback, "code").unwrap(), &[]).await.json();
    let form = [("token", text(&tokens["access_token"])), ("include", "session_info,identity_set_detail")];
    let about = post_basic(stand_in, "/v2/oauth2/token/introspect", &form).await.json();
    assert_eq!(about["sub"].as_str(), people::sub(person), "the primary identity, whichever has authenticated");
    let authentications = about["session_info"]["authentications"].as_object().unwrap();
    let details = about["identity_set_detail"].as_array().unwrap().iter();
    let usernames = details.filter(|detail| authentications.contains_key(text(&detail["sub"])));
    let usernames = usernames.map(|detail| text(&detail["username"]).to_owned()).collect();
    let mfa = authentications.values().all(|authentication| authentication["amr"][0] == "mfa");
    Ok((usernames, mfa))
}

async fn assert_authenticates(stand_in: &StandIn, person: &str, changes: Pairs<'_>, usernames: &[&str], mfa: bool) {
    let (authenticated, with_mfa) = authenticate(stand_in, person, changes).await.unwrap();
    assert_eq!((authenticated.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), with_mfa), (usernames, mfa));
}

async fn assert_stays(stand_in: &StandIn, person: &str, changes: Pairs<'_>) {
    let page = authenticate(stand_in, person, changes).await.expect_err(person);
    assert_eq!(page, "The application requires another identity, or a second factor.", "{person}");
}

async fn press(stand_in: &StandIn, path: &str, cookie: &str, person: &str) -> Received {
    let path = path.replacen("/v2/oauth2/authorize", "/sign-in", 1);
    let request = request("POST", &path).header(header::COOKIE, cookie);
    send(stand_in, request.body(Body::from(format!("person={person}"))).unwrap()).await
}

#[tokio::test]
async fn a_required_domain_makes_the_user_log_in_with_a_linked_identity() {
    let stand_in = start().await;
    let required = [(DOMAIN, "elsewhere.example, LAB.example")];
    let (own, of_the_lab) = ("lise@globusid.example", "lise@lab.example");
    assert_authenticates(&stand_in, "lab-unused", &[], &[own], false).await;
    assert_authenticates(&stand_in, "lab-unused", &required, &[of_the_lab], false).await;
    assert_authenticates(&stand_in, "lab", &required, &["rosalind@lab.example"], false).await;
    assert_authenticates(&stand_in, "lab-upper", &required, &["Wu@LAB.EXAMPLE"], false).await;
    assert_authenticates(&stand_in, "lab", &[(DOMAIN, "globusid.example")], &["rosalind@globusid.example"], false)
        .await;
}

#[tokio::test]
async fn a_user_without_the_required_domain_stays_at_globus() {
    let stand_in = start().await;
    for person in ["ada", "lab-email", "lab-longer", "lab-below", "lab-twice"] {
        assert_stays(&stand_in, person, &[(DOMAIN, "lab.example")]).await;
    }
    let page = press(&stand_in, &authorize_path(&[(DOMAIN, "lab.example")]), "", "ada").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.body.contains("Log in with another identity"), "{}", page.body);
    assert_eq!((page.header(header::LOCATION), page.cookie().as_str()), ("", ""));
}

#[tokio::test]
async fn shows_the_message_of_the_application() {
    let stand_in = start().await;
    let path = authorize_path(&[(DOMAIN, "lab.example"), ("session_message", "Use your <lab> account.")]);
    for page in [get(&stand_in, &path).await, press(&stand_in, &path, "", "ada").await] {
        assert!(page.body.contains("Use your &lt;lab&gt; account."), "{}", page.body);
    }
}

#[tokio::test]
async fn required_mfa_counts_only_beside_a_domain_or_identities() {
    let stand_in = start().await;
    let domain = (DOMAIN, "lab.example");
    let username = "sofya@lab.example";
    assert_authenticates(&stand_in, "mfa-when-required", &[MFA], &[username], false).await;
    assert_authenticates(&stand_in, "mfa-when-required", &[domain, MFA], &[username], true).await;
    assert_authenticates(&stand_in, "mfa-when-required", &[(IDENTITIES, username), MFA], &[username], true).await;
    assert_stays(&stand_in, "lab", &[domain, MFA]).await;
}

#[tokio::test]
async fn each_required_identity_has_to_log_in() {
    let stand_in = start().await;
    let both = ["lise@globusid.example", "lise@lab.example"];
    let subs: Vec<_> = people::find("lab-unused").unwrap().identities().map(|identity| identity.sub).collect();
    assert_authenticates(&stand_in, "lab-unused", &[(IDENTITIES, &subs.join(","))], &both, false).await;
    assert_authenticates(&stand_in, "lab-unused", &[(IDENTITIES, subs[1])], &both[1..], false).await;
    assert_stays(&stand_in, "lab", &[(IDENTITIES, subs[1])]).await;
}

#[tokio::test]
async fn every_required_policy_has_to_hold() {
    let stand_in = start().await;
    let all = [policies::MFA, policies::OF_THE_LAB, policies::RECENT].join(",");
    assert_authenticates(&stand_in, "mfa-when-required", &[(POLICIES, &all)], &["sofya@lab.example"], true).await;
    assert_authenticates(&stand_in, "lab", &[(POLICIES, policies::OF_THE_LAB)], &["rosalind@lab.example"], false).await;
    assert_stays(&stand_in, "lab", &[(POLICIES, &all)]).await;
    let unknown = authenticate(&stand_in, "mfa", &[(POLICIES, policies::UNKNOWN)]).await;
    assert_eq!(unknown.unwrap_err(), "Unknown policy.");
}

#[tokio::test]
async fn asks_a_remembered_user_only_if_the_session_does_not_suffice() {
    let stand_in = start().await;
    let plain = authorize_path(&[]);
    let required = authorize_path(&[(DOMAIN, "lab.example")]);
    let silent = authorize_path(&[(DOMAIN, "lab.example"), ("prompt", "none")]);
    let cookie = press(&stand_in, &plain, "", "lab-unused").await.cookie();
    assert_eq!(browse(&stand_in, &plain, &cookie).await.status, StatusCode::FOUND);
    assert_eq!(browse(&stand_in, &required, &cookie).await.status, StatusCode::OK, "the sign-in page");
    let refused = browse(&stand_in, &silent, &cookie).await;
    assert_eq!(parameter(refused.header(header::LOCATION), "error").as_deref(), Some("login_required"));

    let cookie = press(&stand_in, &required, &cookie, "lab-unused").await.cookie();
    let callback = browse(&stand_in, &silent, &cookie).await;
    let code = parameter(callback.header(header::LOCATION), "code").unwrap();
    let tokens = redeem(&stand_in, &code, &[]).await.json();
    let form = [("token", text(&tokens["access_token"])), ("include", "session_info")];
    let about = post_basic(&stand_in, "/v2/oauth2/token/introspect", &form).await.json();
    let authentications = about["session_info"]["authentications"].as_object().unwrap();
    assert_eq!(authentications.len(), 2, "the session has both identities");
}

#[tokio::test]
async fn keeps_the_parameters_of_each_authorization_request() {
    let stand_in = start().await;
    get(&stand_in, &authorize_path(&[(DOMAIN, "lab.example,other.example")])).await;
    let _page = authenticate(&stand_in, "ada", &[("prompt", "login"), ("client_id", "unknown")]).await;
    let [first, second] = &stand_in.authorize_requests()[..] else {
        panic!("each once");
    };
    assert!(first.contains(&(DOMAIN.to_owned(), "lab.example,other.example".to_owned())), "{first:?}");
    assert!(second.contains(&("prompt".to_owned(), "login".to_owned())), "{second:?}");
    assert_eq!(stand_in.last_authorize_parameter("client_id").as_deref(), Some("unknown"));
    assert_eq!(stand_in.last_authorize_parameter(DOMAIN), None);
}

#[tokio::test]
async fn hides_the_cases_for_access_rules_unless_something_is_required() {
    let stand_in = start().await;
    let usual = get(&stand_in, &authorize_path(&[])).await.body;
    let heading = usual.find("Cases for access rules").unwrap();
    assert!(usual.contains("<details>"), "{usual}");
    for person in &people::PEOPLE {
        let button = usual.find(&format!(r#"data-person="{}""#, person.id)).unwrap();
        assert_eq!(button > heading, person.case.is_some(), "{}", person.id);
    }
    let required = get(&stand_in, &authorize_path(&[(DOMAIN, "lab.example")])).await.body;
    assert!(required.contains("<details open>"), "{required}");
}
