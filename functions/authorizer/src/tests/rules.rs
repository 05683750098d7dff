//! The access rules, as an authorizer knows them: by the session alone.

use super::*;

pub(super) const GROUP: (&str, &str) = ("ALLOWED_GROUPS", "69070000-0001-4ba1-8f4e-2ea86a5b4c01");
const RECENT: (&str, &str) = ("MAX_AUTHENTICATION_MINUTES", "90");
const MINUTE: Duration = Duration::from_mins(1);

/// A browser with this session.
async fn with(session: &shared::session::Session) -> Browser {
    let authorizer = authorizer(&[]);
    let (app, _) = authorizer.state().unwrap();
    let mut browser = Browser::default();
    browser.keep(&app.storage.create(&Event::get("/").request(), session, noon()).await.unwrap().cookie);
    browser
}

/// The verdicts in both modes at this number of minutes after noon, under these rules.
async fn verdicts(browser: &Browser, rules: &[(&str, &str)], minutes: u32) -> [Value; 2] {
    let event = browser.with_cookies(Event::get("/report"));
    let now = noon() + MINUTE * minutes;
    let [strict, lenient] = [SIGNED_IN, VISITOR].map(|mode| [rules, &[mode]].concat());
    [result(&strict, &event, now).await, result(&lenient, &event, now).await]
}

#[track_caller]
fn assert_stopped(verdicts: &[Value; 2], rules: &[(&str, &str)]) {
    let version = shared::testing::configure(rules, shared::config::AccessRules::read).unwrap().unwrap().version();
    let login = format!("/login?refresh&rules={version}&next=%2Freport");
    assert_eq!(verdicts[0], json!({ "isAuthorized": false, "context": {} }));
    assert_eq!(verdicts[1], json!({ "isAuthorized": true, "context": { "login": login } }));
}

#[tokio::test]
async fn a_user_who_was_let_in_is_passed_on_with_the_roles_until_the_end_of_the_period() {
    let browser = with(&admitted(&[GROUP], &["admin", "editor"], noon())).await;
    for minutes in [0, 30, 59] {
        for verdict in verdicts(&browser, &[GROUP], minutes).await {
            assert_eq!(verdict["context"]["roles"], "admin,editor", "{minutes}");
            assert_eq!(verdict["context"]["expires"], (noon() + MINUTE * 60).seconds().to_string());
        }
    }
    assert_stopped(&verdicts(&browser, &[GROUP], 60).await, &[GROUP]);
}

#[tokio::test]
async fn a_session_that_was_never_checked_or_by_other_rules_is_no_one_logged_in() {
    let rules = [GROUP];
    for session in [session(noon()), admitted(&[RECENT], &["admin"], noon())] {
        assert_stopped(&verdicts(&with(&session).await, &rules, 0).await, &rules);
    }
}

#[tokio::test]
async fn a_login_that_is_too_old_is_no_one_logged_in() {
    let rules = [RECENT, ("RULES_EVERY_MINUTES", "120")];
    let browser = with(&admitted(&rules, &[], noon())).await;
    assert_eq!(verdicts(&browser, &rules, 89).await.map(|verdict| verdict["isAuthorized"].clone()), [true, true]);
    assert_stopped(&verdicts(&browser, &rules, 90).await, &rules);
}

#[tokio::test]
async fn without_rules_there_are_no_roles() {
    let browser = with(&admitted(&[GROUP], &["admin"], noon())).await;
    for verdict in verdicts(&browser, &[], 600).await {
        assert_eq!((&verdict["isAuthorized"], &verdict["context"]["roles"]), (&json!(true), &json!(null)));
    }
}
