//! Responses that arrive late, and sign-ins beside a logout.

use super::*;

#[tokio::test]
async fn the_mark_of_a_logout_lasts_as_long_as_a_session_can() {
    let mut user = SignedIn::start().await;
    let response = user.send(Event::post("/logout")).await;

    let mark = response.cookies.iter().find(|cookie| cookie.starts_with("__Host-logout-8af82921=")).unwrap();
    assert!(mark.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800"), "{mark}");
}

/// The response to a renewal in another tab arrives after the logout.
#[tokio::test]
async fn a_late_response_does_not_undo_a_logout_and_its_tokens_are_revoked() {
    let mut user = SignedIn::start().await;
    user.world.later(Duration::from_hours(48));
    let mut other_tab = user.browser.clone();
    let late = user.world.send(login::handle, &mut other_tab, Event::get("/login?refresh")).await;
    user.send(Event::post("/logout")).await;
    user.browser.receive(&late);
    assert!(user.is_signed_in(), "the browser has a session cookie again");
    let log = Log::listen();

    let response = user.send(Event::get("/logout")).await;

    response.assert_page(200, "You are logged out").assert_cleared(SESSION);
    assert!(!response.body.contains("Ada"));
    assert_eq!(response.cookies.len(), 1, "a GET changes nothing else");
    let issued = user.world.stand_in.issued_tokens();
    assert_eq!((issued.len(), user.world.revoked()), (6, 6), "two of them are of the renewal");
    assert!(log.text().contains("event=\"logout\" outcome=\"success\""), "{}", log.text());
}

/// Another site can make a browser send it.
#[tokio::test]
async fn a_head_request_for_the_logout_page_completes_no_logout() {
    let mut user = SignedIn::start().await;
    let session = user.browser.cookies[SESSION].clone();
    user.send(Event::post("/logout")).await;
    user.browser.cookies.insert(SESSION.to_owned(), session);
    let asked = user.world.stand_in.requests(Endpoint::Revoke);

    let response = user.send(Event::get("/logout").method("HEAD")).await;

    response.assert_page(200, "You are logged out").assert_no_cookie();
    assert_eq!(user.world.stand_in.requests(Endpoint::Revoke), asked);
}

/// A logout waits for Globus for two seconds; its cookie arrives after that.
#[tokio::test]
async fn a_sign_in_that_completes_during_a_logout_does_not_outlast_it() {
    let mut user = SignedIn::start().await;
    user.world.stand_in.fault(Endpoint::Revoke, Fault::Hold);
    let response = user.send(Event::post("/logout")).await;
    user.world.stand_in.clear_faults();
    assert_eq!(response.status, 200);

    // The request may have begun at the end of its second: the logout then ends in the third second after that.
    let meanwhile = user.world.now + Duration::from_secs(3);
    let request = user.browser.with_cookies(Event::get("/")).request();
    let mark = shared::logout_mark::read(&request, &user.world.state().0.cookies, meanwhile);
    assert!(mark > meanwhile, "{mark:?}");
}

#[tokio::test]
async fn a_late_session_that_a_clock_ahead_has_begun_does_not_outlast_a_logout() {
    let (mut world, mut browser) = (World::start().await, Browser::default());
    let now = world.now;
    world.later(Duration::from_secs(20));
    world.sign_in(login::handle, &mut browser, "ada").await;
    world.now = now;
    let mut user = SignedIn { world, browser };
    assert!(user.world.session_of(&user.browser).await.is_some());
    let session = user.browser.cookies[SESSION].clone();

    user.send(Event::post("/logout")).await;
    user.browser.cookies.insert(SESSION.to_owned(), session);

    assert!(user.world.session_of(&user.browser).await.is_none());
}

#[tokio::test]
async fn the_same_user_who_logs_in_again_leaves_no_late_token_alive() {
    let mut user = SignedIn::start().await;
    let session = user.browser.cookies[SESSION].clone();
    user.world.stand_in.fault(Endpoint::Revoke, Fault::Drop);
    user.send(Event::post("/logout")).await;
    user.world.stand_in.clear_faults();
    user.browser.cookies.insert(SESSION.to_owned(), session);
    assert_eq!(user.world.revoked(), 0);

    let response = user.world.sign_in(login::handle, &mut user.browser, "ada").await;

    response.assert_redirect(302, "https://gateway.example/");
    let issued = user.world.stand_in.issued_tokens();
    let revoked: Vec<_> = issued.iter().map(|token| user.world.stand_in.is_revoked(token)).collect();
    assert_eq!(revoked, [true, true, true, true, false, false, false, false]);
}

/// The response to the request that begins it arrives after the logout, and Globus still knows the browser.
#[tokio::test]
async fn a_sign_in_that_was_begun_before_a_logout_cannot_be_completed() {
    let mut user = SignedIn::start().await;
    let late = user.world.send(login::handle, &mut user.browser.clone(), Event::get("/login")).await;
    user.world.later(Duration::from_secs(5));
    user.send(Event::post("/logout")).await;
    user.browser.receive(&late);

    let callback = user.world.at_globus(late.location(), "ada").await;
    let response = user.world.send(login::handle, &mut user.browser, callback).await;

    response.assert_page(400, "This login cannot be completed");
    assert!(!user.is_signed_in());
}

#[tokio::test]
async fn another_user_can_log_in_right_after_a_logout() {
    let mut user = SignedIn::start().await;
    user.send(Event::post("/logout")).await;

    let response = user.world.sign_in(login::handle, &mut user.browser, "sparse").await;

    response.assert_redirect(302, "https://gateway.example/");
    assert_eq!(user.world.session_of(&user.browser).await.unwrap().identity.name, None);
}
