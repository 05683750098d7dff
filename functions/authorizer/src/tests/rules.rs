//! The access rules, as the guard reads their result in the session.

use std::time::Duration;

use shared::testing::admitted;

use super::*;

const GROUP: (&str, &str) = ("ALLOWED_GROUPS", "69070000-0001-4ba1-8f4e-2ea86a5b4c01");
const OTHER: (&str, &str) = ("ALLOWED_GROUPS", "69070000-0002-4ba1-8f4e-2ea86a5b4c02");
const RECENT: (&str, &str) = ("MAX_AUTHENTICATION_MINUTES", "20");

/// What a user who was let in at noon by the rule `by` is told by a guard with these settings, this number of minutes
/// later: the name, `no`, or the login.
async fn told(by: (&str, &str), here: &[(&str, &str)], minutes: u64) -> String {
    let authorizer = authorizer(&[by]);
    let (app, _) = authorizer.state().unwrap();
    let session = admitted(&[by], &["admin", "editor"], noon());
    let mut browser = Browser::default();
    browser.keep(&app.storage.create(&Event::get("/").request(), &session, noon()).await.unwrap().cookie);
    let event = browser.with_cookies(Event::get("/report"));
    let result = result(here, &event, noon() + Duration::from_mins(minutes)).await;
    let context = &result["context"];
    match result["isAuthorized"].as_bool() {
        Some(true) => context["name"].as_str().or(context["login"].as_str()).unwrap_or_default().to_owned(),
        _ => "no".to_owned(),
    }
}

#[tokio::test]
async fn a_route_is_open_until_the_check_must_be_repeated_and_no_longer() {
    for (mode, over) in [(SIGNED_IN, "no"), (VISITOR, "/login?refresh&next=%2Freport")] {
        assert_eq!(told(GROUP, &[GROUP, mode], 59).await, "Grace Hopper", "no page is sent away ahead of time");
        assert_eq!(told(GROUP, &[GROUP, mode], 60).await, over);
        assert_eq!(told(RECENT, &[RECENT, mode], 19).await, "Grace Hopper");
        assert_eq!(told(RECENT, &[RECENT, mode], 20).await, over);
    }
}

#[tokio::test]
async fn a_route_is_closed_to_a_session_by_other_rules() {
    let hash = authorizer(&[OTHER]).state().unwrap().0.config.rules.clone().unwrap().hash().to_owned();
    assert_eq!(told(GROUP, &[OTHER, SIGNED_IN], 0).await, "no");
    let login = format!("/login?refresh&rules={hash}&next=%2Freport");
    assert_eq!(told(GROUP, &[OTHER, VISITOR], 0).await, login);
}

#[tokio::test]
async fn the_function_behind_is_told_the_roles_and_until_when_the_check_is_good() {
    let authorizer = authorizer(&[GROUP]);
    let (app, _) = authorizer.state().unwrap();
    let mut browser = Browser::default();
    for (roles, expected) in [(&["admin", "editor"][..], json!("admin,editor")), (&[], Value::Null)] {
        let session = admitted(&[GROUP], roles, noon());
        browser.keep(&app.storage.create(&Event::get("/").request(), &session, noon()).await.unwrap().cookie);
        let event = browser.with_cookies(Event::get("/report"));
        let context = &result(&[GROUP], &event, noon()).await["context"];
        assert_eq!((&context["roles"], &context["expires"]), (&expected, &json!("1800003600")));
        let without_rules = &result(&[], &event, noon()).await["context"];
        assert_eq!(without_rules["roles"], Value::Null, "roles by rules that are gone");
    }
}
