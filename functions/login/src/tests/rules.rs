//! The access rules at a sign-in.

mod denied;
mod renewal;
mod responses;

use globus_stand_in::{
    Fault,
    groups::{self, BEAMLINE, Status},
    people::LAB,
    policies,
};
use serde_json::json;
use shared::{session::Token, testing::Log};

use super::*;

const DOMAIN: (&str, &str) = ("ALLOWED_DOMAINS", LAB);
const GROUP: (&str, &str) = ("ALLOWED_GROUPS", BEAMLINE);
const RECENT: (&str, &str) = ("MAX_AUTHENTICATION_MINUTES", "30");

/// How a sign-in ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The user is in.
    In,
    /// The user is sent to Globus again, to log in.
    LogInAgain,
    /// The user may not come in: the reasons on the page.
    Denied(Vec<String>),
    /// Any other response.
    Failed(i64),
}

/// How the sign-in of a user ends, from a callback.
async fn end(world: &World, browser: &mut Browser, callback: Event) -> End {
    let response = send(world, browser, callback).await;
    let session = world.session_of(browser).await;
    match response.status {
        302 if response.location().starts_with(world.stand_in.url()) => {
            assert!(session.is_none());
            End::LogInAgain
        }
        302 => {
            assert!(session.is_some(), "{response:?}");
            End::In
        }
        status => {
            assert!(session.is_none());
            assert_eq!(world.revoked(), world.stand_in.issued_tokens().len(), "every token is revoked");
            let rules = response.body.split("The rule is <code>").skip(1);
            let rules: Vec<_> = rules.map(|rest| rest.split('<').next().unwrap_or_default().to_owned()).collect();
            if status == 403 { End::Denied(rules) } else { End::Failed(status) }
        }
    }
}

/// How the sign-in of a user ends, in a fresh browser.
async fn enter(world: &World, person: &str) -> End {
    let mut browser = Browser::default();
    let url = begin(world, &mut browser, "/login?next=%2Ffiles").await;
    let callback = world.at_globus(&url, person).await;
    end(world, &mut browser, callback).await
}

/// The same for a user who takes a parameter out of the URL at Globus.
async fn enter_without(world: &World, person: &str, parameter: &str) -> End {
    let mut browser = Browser::default();
    let url = begin(world, &mut browser, "/login").await;
    let stripped = without(&url, parameter);
    assert_ne!(stripped, url);
    let callback = world.at_globus(&stripped, person).await;
    end(world, &mut browser, callback).await
}

fn without(url: &str, parameter: &str) -> String {
    let (before, query) = url.split_once('?').unwrap();
    let kept = query.split('&').filter(|pair| !pair.starts_with(parameter));
    format!("{before}?{}", kept.collect::<Vec<_>>().join("&"))
}

/// A browser whose user logged in too long ago, and the response that follows.
async fn after_a_login_that_is_too_old() -> (World, Browser, Received) {
    let (world, mut browser) = (World::with(&[RECENT]).await, Browser::default());
    world.stand_in.log_in_ago(31 * 60);
    let url = begin(&world, &mut browser, "/login").await;
    let callback = world.at_globus(&url, "ada").await;
    let again = send(&world, &mut browser, callback).await;
    (world, browser, again)
}

fn denied(rules: &[&str]) -> End {
    End::Denied(rules.iter().map(|&rule| rule.to_owned()).collect())
}

fn respond(status: u16, body: &str) -> Fault {
    Fault::Respond { status, content_type: "application/json", body: body.into() }
}

#[tokio::test]
async fn without_a_rule_no_request_more_is_sent() {
    let (world, mut browser) = (World::with(&[("RULES_EVERY_MINUTES", "1")]).await, Browser::default());
    let url = begin(&world, &mut browser, "/login").await;
    sign_in(&world, &mut browser, "ada").await;

    assert!(!url.contains("session_required") && !url.contains("groups"), "{url}");
    assert_eq!(world.stand_in.requests(Endpoint::Introspect), 0);
    assert_eq!(world.stand_in.requests(Endpoint::MyGroups), 0);
    assert_eq!(world.session_of(&browser).await.unwrap().admission, None);
}

#[tokio::test]
async fn the_rules_are_sent_to_globus_with_the_sign_in() {
    let policies = format!("{},{}", policies::MFA, policies::OF_THE_LAB);
    let two = ("ALLOWED_DOMAINS", "lab.example,anl.gov");
    let world = World::with(&[two, GROUP, ("REQUIRED_POLICIES", &policies)]).await;
    let url = begin(&world, &mut Browser::default(), "/login").await;

    assert_eq!(query(&url, "session_required_single_domain"), "anl.gov%2Clab.example");
    assert_eq!(query(&url, "session_required_policies"), policies.replace(',', "%2C"));
    assert!(query(&url, "scope").ends_with("groups.api.globus.org%3Aview_my_groups_and_memberships"), "{url}");
    assert_eq!(query(&url, "prompt"), "");
}

#[tokio::test]
async fn a_rule_that_is_not_set_and_a_scope_that_is_configured_are_not_sent_once_more() {
    let scope = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships";
    let world = World::with(&[DOMAIN, GROUP, ("GLOBUS_SCOPES", &format!("openid {scope}"))]).await;
    let url = begin(&world, &mut Browser::default(), "/login").await;

    assert_eq!(query(&url, "scope"), format!("openid+{}", scope.replace(':', "%3A")));
    assert!(!url.contains("session_required_policies"), "{url}");
}

#[tokio::test]
async fn one_introspection_and_one_request_to_groups_answer_all_rules() {
    let world = World::with(&[DOMAIN, RECENT, GROUP, ("ROLE_GROUPS", &format!("user={BEAMLINE}"))]).await;
    world.stand_in.set_membership("lab", BEAMLINE, Status::Active).unwrap();

    assert_eq!(enter(&world, "lab").await, End::In);
    let requests = [Endpoint::Token, Endpoint::Introspect, Endpoint::MyGroups, Endpoint::Userinfo];
    assert_eq!(requests.map(|endpoint| world.stand_in.requests(endpoint)), [1, 1, 1, 0]);
}

#[tokio::test]
async fn a_user_of_the_domain_comes_in_with_a_linked_identity_or_in_upper_case() {
    let world = World::with(&[DOMAIN]).await;
    for person in ["lab", "lab-unused", "lab-upper", "mfa"] {
        assert_eq!(enter(&world, person).await, End::In, "{person}");
    }
}

#[tokio::test]
async fn a_domain_that_is_stripped_from_the_url_is_checked_all_the_same() {
    for person in ["ada", "lab-unused", "lab-email", "lab-longer", "lab-below", "lab-twice"] {
        let world = World::with(&[DOMAIN]).await;
        let end = enter_without(&world, person, "session_required_single_domain").await;
        assert_eq!(end, denied(&["ALLOWED_DOMAINS"]), "{person}");
    }
}

#[tokio::test]
async fn a_policy_that_is_stripped_from_the_url_is_checked_all_the_same() {
    let required = ("REQUIRED_POLICIES", policies::MFA);
    for (person, expected) in [("mfa", End::In), ("ada", denied(&["REQUIRED_POLICIES"]))] {
        let world = World::with(&[required]).await;
        assert_eq!(enter_without(&world, person, "session_required_policies").await, expected, "{person}");
    }
    let world = World::with(&[required]).await;
    assert_eq!(enter(&world, "mfa-when-required").await, End::In, "Globus asks for the second factor");
}

#[tokio::test]
async fn a_policy_that_globus_does_not_know_lets_nobody_in() {
    let both = format!("{},{}", policies::MFA, policies::UNKNOWN);
    let world = World::with(&[("REQUIRED_POLICIES", &both)]).await;
    let end = enter_without(&world, "mfa", "session_required_policies").await;
    assert_eq!(end, denied(&["REQUIRED_POLICIES"]));

    let world = World::with(&[("REQUIRED_POLICIES", &both)]).await;
    world.stand_in.unknown_policies(globus_stand_in::UnknownPolicies::Refused);
    assert_eq!(enter_without(&world, "mfa", "session_required_policies").await, End::Failed(502));
}

/// As after a silent single sign-on at Globus.
#[tokio::test]
async fn where_globus_names_no_login_it_asks_for_one_once() {
    let (world, mut browser) = (World::with(&[DOMAIN]).await, Browser::default());
    world.stand_in.forget_authentications(true);
    let url = begin(&world, &mut browser, "/login?next=%2Ffiles").await;
    let callback = world.at_globus(&url, "lab").await;

    let again = send(&world, &mut browser, callback).await;

    let url = again.location().to_owned();
    assert_eq!((query(&url, "prompt"), query(&url, "session_required_single_domain")), ("login", LAB));
    assert_eq!(world.revoked(), world.stand_in.issued_tokens().len(), "the first tokens are revoked");

    let callback = world.at_globus(&url, "lab").await;
    assert_eq!(end(&world, &mut browser, callback).await, denied(&["ALLOWED_DOMAINS"]), "and not in a circle");
}

/// With so long a path, both attempts are in the same slot of the browser.
#[tokio::test]
async fn the_second_login_survives_the_removal_of_the_first_attempt() {
    let (world, mut browser) = (World::with(&[DOMAIN]).await, Browser::default());
    let next = format!("/{}", "x".repeat(400));
    world.stand_in.forget_authentications(true);
    let url = begin(&world, &mut browser, &format!("/login?next={next}")).await;
    let callback = world.at_globus(&url, "lab").await;
    let again = send(&world, &mut browser, callback).await;

    world.stand_in.forget_authentications(false);
    let callback = world.at_globus(again.location(), "lab").await;
    let response = send(&world, &mut browser, callback).await;
    response.assert_redirect(302, &format!("https://gateway.example{next}"));
}

#[tokio::test]
async fn a_login_that_is_too_old_is_repeated_at_globus_and_not_denied() {
    let (world, mut browser, again) = after_a_login_that_is_too_old().await;
    assert_eq!(query(again.location(), "prompt"), "login");

    world.stand_in.log_in_ago(60);
    let callback = world.at_globus(again.location(), "ada").await;
    assert_eq!(end(&world, &mut browser, callback).await, End::In);
    let expires = world.state().0.expires(&world.session_of(&browser).await.unwrap());
    let left = expires.since(world.now).as_secs();
    assert!((28 * 60..=29 * 60 + 5).contains(&left), "{left} s");
}

#[tokio::test]
async fn one_who_asked_for_another_account_is_asked_to_log_in_once_only() {
    let (world, mut browser) = (World::with(&[RECENT]).await, Browser::default());
    world.stand_in.log_in_ago(31 * 60);
    let url = begin(&world, &mut browser, "/login?account=other").await;
    let callback = world.at_globus(&url, "ada").await;
    assert_eq!(end(&world, &mut browser, callback).await, denied(&["MAX_AUTHENTICATION_MINUTES"]));
}

#[tokio::test]
async fn two_users_with_the_same_username_stay_two() {
    let world = World::with(&[("ALLOWED_DOMAINS", "globusid.example,lab.example")]).await;
    let mut subs = Vec::new();
    for person in ["lab", "mfa"] {
        let mut browser = Browser::default();
        world.stand_in.edit_id_token(|claims| claims["preferred_username"] = json!("same@lab.example"));
        sign_in(&world, &mut browser, person).await.assert_redirect(302, "https://gateway.example/");
        subs.push(world.session_of(&browser).await.unwrap().identity.sub);
    }
    assert_ne!(subs[0], subs[1]);
}

#[tokio::test]
async fn roles_are_in_the_session_and_let_nobody_in_or_out() {
    let roles = format!("scientist={BEAMLINE},admin={}", groups::with(Status::Active));
    let world = World::with(&[("ROLE_GROUPS", &roles)]).await;
    for (person, expected) in [("member", &["scientist"][..]), ("every-status", &["admin"]), ("ada", &[])] {
        let mut browser = Browser::default();
        sign_in(&world, &mut browser, person).await.assert_redirect(302, "https://gateway.example/");
        assert_eq!(world.session_of(&browser).await.unwrap().roles(), expected, "{person}");
    }
    assert_eq!(world.stand_in.requests(Endpoint::Introspect), 0, "no rule asks for it");
}
