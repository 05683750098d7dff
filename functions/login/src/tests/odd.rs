//! Callbacks as providers, browsers and users really send them.

use shared::testing::{Log, SESSION};

use super::*;

/// What is replaced in the callback of a sign-in, and by what; then status, text of the page, and reason in the log.
const ODD_CALLBACKS: &[(&str, &str, i64, &str, &str)] = &[
    // An empty code or error is as if it were absent.
    ("?code=", "?error=&error_description=&code=", 302, "", ""),
    ("code=", "code=&x=", 400, "We could not read that request", "code_missing"),
    ("code=", "error=&code=&x=", 400, "We could not read that request", "code_missing"),
    ("state=", "state=&x=", 400, "This login cannot be completed", "state_unknown"),
    // What providers add.
    ("?code=", "?scope=openid+profile&authuser=0&prompt=consent&session_state=a.b&code=", 302, "", ""),
    ("?code=", "?x=1&x=2&y[]=%zz&%00=%ff&&=&code=", 302, "", ""),
    // An error, whatever is beside it.
    (
        "?code=",
        "?error=access_denied&error_description=%3Cb%3E&error_uri=//evil&code=",
        403,
        "Login cancelled",
        "access_denied",
    ),
    ("code=", "error=ACCESS_DENIED&x=", 400, "Globus reported an error", "unknown_error"),
    ("code=", "error=consent_required&x=", 400, "Globus reported an error", "unknown_error"),
    ("code=", "error=%00%0d%0aX&x=", 400, "Globus reported an error", "unknown_error"),
    ("?code=", "?error_description=x&code=", 302, "", ""),
    ("code=", "error=access_denied&error_description=x&x=", 403, "Login cancelled", "access_denied"),
    ("state=", "error=access_denied&x=", 400, "This login cannot be completed", "state_unknown"),
    // Twice.
    ("?code=", "?code=x&code=", 400, "We could not read that request", "parameter_repeated"),
    ("state=", "state=x&state=", 400, "We could not read that request", "parameter_repeated"),
    ("?code=", "?iss=x&iss=y&code=", 400, "We could not read that request", "parameter_repeated"),
    ("code=", "error=access_denied&error=x&x=", 400, "We could not read that request", "parameter_repeated"),
    // What is decoded or encoded twice, or changed on its way.
    ("code=", "code=%20", 400, "This login cannot be completed", "code_refused"),
    ("state=", "state=%20", 400, "This login cannot be completed", "state_unknown"),
];

#[tokio::test]
async fn each_odd_callback_has_the_outcome_of_its_row() {
    let world = World::start().await;
    for (part, odd, status, text, reason) in ODD_CALLBACKS {
        let (log, mut browser) = (Log::listen(), Browser::default());
        let url = begin(&world, &mut browser, "/login?next=/files").await;
        let callback = world.stand_in.sign_in(&url, "ada").await.unwrap();
        assert!(callback.contains(part), "{callback}");

        let response = send(&world, &mut browser, Event::callback(&callback.replacen(part, odd, 1))).await;

        response.assert_page(*status, text);
        if !reason.is_empty() {
            log.assert_reason(reason);
        }
        let landed = response.location() == "https://gateway.example/files";
        assert_eq!((landed, browser.cookies.contains_key(SESSION)), (*status == 302, *status == 302), "{odd}");
    }
}

/// Waiting at Globus in one tab, and logging in in another one meanwhile.
#[tokio::test]
async fn a_late_callback_of_a_signed_in_user_still_leads_to_the_page() {
    let (mut world, mut browser) = (World::start().await, Browser::default());
    let url = begin(&world, &mut browser, "/login?next=/files").await;
    let late = world.at_globus(&url, "ada").await;
    sign_in(&world, &mut browser, "ada").await;

    world.later(Duration::from_mins(11));
    let response = send(&world, &mut browser, late).await;

    response.assert_redirect(302, "https://gateway.example/files");
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION], "the attempt is spent");
}

/// Otherwise the user would go on as the one whose account was to be left.
#[tokio::test]
async fn a_late_login_with_another_account_says_so_and_starts_again() {
    let (mut world, mut browser) = (World::start().await, Browser::default());
    sign_in(&world, &mut browser, "ada").await;
    let url = begin(&world, &mut browser, "/login?account=other&next=/files").await;
    let late = world.at_globus(&url, "sparse").await;

    world.later(Duration::from_mins(11));
    let response = send(&world, &mut browser, late).await;

    response.assert_page(400, "login?account=other&amp;next=%2Ffiles\">Start again</a>");
}

#[tokio::test]
async fn another_account_after_a_denial_leads_to_the_page() {
    let (world, mut browser) = (World::start().await, Browser::default());
    let url = begin(&world, &mut browser, "/login?next=/files").await;

    let denied = Event::callback(&world.stand_in.deny(&url).await.unwrap());
    let response = send(&world, &mut browser, denied).await;

    response.assert_page(403, "login?next=%2Ffiles\">Start again</a>");
    response.assert_page(403, "login?account=other&amp;next=%2Ffiles\">Use another account</a>");
}

#[tokio::test]
async fn a_login_page_that_was_loaded_ahead_still_leads_to_the_page() {
    let (world, mut browser) = (World::start().await, Browser::default());
    let ahead = Event::get("/login?next=/files").header("sec-fetch-dest", "empty");

    send(&world, &mut browser, ahead).await.assert_page(403, "login?next=%2Ffiles\">Start again</a>");
}
