//! The access rules, as home reads their result in the session.

use shared::testing::admitted;

use super::*;

const GROUP: [(&str, &str); 1] = [("ALLOWED_GROUPS", "69070000-0001-4ba1-8f4e-2ea86a5b4c01")];
const OTHER: [(&str, &str); 1] = [("ALLOWED_GROUPS", "69070000-0002-4ba1-8f4e-2ea86a5b4c02")];
const RECENT: [(&str, &str); 1] = [("MAX_AUTHENTICATION_MINUTES", "20")];

/// What a user who was let in at noon by the rules `by` gets from a home with other settings, this number of minutes later.
async fn found(by: &[(&str, &str)], here: &[(&str, &str)], event: Event, minutes: u64) -> (i64, String) {
    let app = function(by).state.unwrap();
    let mut browser = Browser::default();
    let session = admitted(by, &[], noon());
    browser.keep(&app.storage.create(&Event::get("/").request(), &session, noon()).await.unwrap().cookie);
    let now = noon() + Duration::from_mins(minutes);
    let response = browser.send(&function(here), handle, event, now).await;
    (response.status, response.location().to_owned() + &response.error())
}

async fn page(by: &[(&str, &str)], here: &[(&str, &str)], minutes: u64) -> (i64, String) {
    found(by, here, Event::get("/?x=1"), minutes).await
}

#[tokio::test]
async fn a_user_is_sent_to_the_check_after_half_an_hour_and_stays_on_the_page() {
    let sent = (302, "/login?refresh&rules=qeaIBeftuknQ.60&next=%2F%3Fx%3D1".to_owned());

    assert_eq!(page(&GROUP, &GROUP, 29).await, (200, String::new()));
    assert_eq!(page(&GROUP, &GROUP, 30).await, sent);
    assert_eq!(page(&GROUP, &GROUP, 60).await, sent);
}

#[tokio::test]
async fn a_program_is_not_sent_to_a_check_that_is_not_due_yet() {
    let program = || Event::get("/").of_program();
    assert_eq!(found(&GROUP, &GROUP, program(), 59).await, (200, String::new()));
    assert_eq!(found(&GROUP, &GROUP, program(), 60).await, (401, "rules_not_checked".to_owned()));

    let prefetch = Event::get("/").header("sec-purpose", "prefetch");
    assert_eq!(found(&GROUP, &GROUP, prefetch, 59).await, (200, String::new()));
}

#[tokio::test]
async fn a_login_that_is_too_old_shows_no_name() {
    assert_eq!(page(&RECENT, &RECENT, 19).await, (200, String::new()));
    assert_eq!(
        page(&RECENT, &RECENT, 20).await,
        (302, "/login?refresh&rules=lmHWXDVTB9fR.60&next=%2F%3Fx%3D1".to_owned())
    );
}

/// With the hash of the rules here, a login function with other rules does not send the browser back.
#[tokio::test]
async fn a_session_by_other_rules_is_sent_to_the_check_with_the_hash_of_the_present_ones() {
    let sent = (302, "/login?refresh&rules=IxKjZBxVMgOY.60&next=%2F%3Fx%3D1".to_owned());

    assert_eq!(page(&GROUP, &OTHER, 0).await, sent);
    assert_eq!(page(&[], &OTHER, 0).await, sent);
    assert_eq!(page(&GROUP, &[], 0).await, (200, String::new()), "no rule holds any more");
    assert_eq!(found(&GROUP, &OTHER, Event::get("/").of_program(), 0).await, (401, "rules_not_checked".to_owned()));
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_lets_nobody_in() {
    let misspelt = [("ALLOWED_DOMAINS", "@anl.gov")];
    let log = Log::listen();
    assert_eq!(page(&GROUP, &misspelt, 0).await, (503, String::new()));
    log.assert_reason("configuration");
    assert!(log.text().contains("ALLOWED_DOMAINS must be domains"), "{}", log.text());
}

/// From half of the period on, a page goes by way of the check, and a script does not.
#[tokio::test]
async fn the_home_page_is_sent_to_the_check_of_the_access_rules_ahead_of_time() {
    let rules = [("ROLE_GROUPS", "admin=69070000-0001-4ba1-8f4e-2ea86a5b4c01")];
    let home = function(&rules);
    let app = home.state().unwrap();
    let session = admitted(&rules, &["admin"], noon());
    let mut browser = Browser::default();
    browser.keep(&app.storage.create(&Event::get("/").request(), &session, noon()).await.unwrap().cookie);
    let check = format!("/login?refresh&rules={}", app.config.rules.as_ref().unwrap().version());

    for (minutes, page, script) in [(29, 200, 200), (30, 302, 200), (59, 302, 200), (60, 302, 401)] {
        let now = noon() + Duration::from_mins(minutes);
        let shown = browser.send(&home, handle, Event::get("/"), now).await;
        let event = Event::get("/session").header("sec-fetch-mode", "cors").header("sec-fetch-site", "same-origin");
        let told = browser.send(&home, handle, event, now).await;

        assert_eq!((shown.status, told.status), (page, script), "{minutes}");
        let body: serde_json::Value = serde_json::from_str(&told.body).unwrap();
        match script {
            200 => assert_eq!(body["roles"], "admin"),
            _ => assert_eq!((&body["error"], &body["login"]), (&"rules_not_checked".into(), &check.as_str().into())),
        }
        if page == 302 {
            shown.assert_redirect(302, &format!("{check}&next=%2F"));
        }
    }
}
