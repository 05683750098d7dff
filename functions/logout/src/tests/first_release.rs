//! Sessions of the first release.

use super::*;

/// Signs a user in and lets the session cookie be one of the first release.
async fn sign_in_with_the_first_release(world: &World, browser: &mut Browser, person: &str) {
    world.sign_in(login::handle, browser, person).await;
    let newer = browser.cookies.remove(SESSION).unwrap();
    let cookies = &world.state().0.cookies;
    browser.keep(&testing::cookie_of_the_first_release(cookies, &(SESSION, newer).into()));
}

#[tokio::test]
async fn a_logout_ends_the_session_of_the_first_release_beside_a_newer_one() {
    let (world, mut browser) = (World::start().await, Browser::default());
    world.sign_in(login::handle, &mut browser, "ada").await;
    let newer = browser.cookies.clone();
    browser = Browser::default();
    sign_in_with_the_first_release(&world, &mut browser, "ada").await;
    browser.cookies.extend(newer);
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["__Host-session", SESSION]);
    let mut user = SignedIn { world, browser };
    let log = Log::listen();

    let response = user.send(Event::post("/logout")).await;

    response.assert_redirect(303, "https://gateway.example/logout");
    response.assert_cleared(SESSION).assert_cleared("__Host-session");
    assert_eq!((user.world.stand_in.issued_tokens().len(), user.world.revoked()), (8, 8));
    assert_eq!(log.text().matches("event=\"logout\" outcome=\"success\"").count(), 2, "{}", log.text());
}

#[tokio::test]
async fn a_logout_ends_a_session_of_the_first_release_beside_a_damaged_cookie() {
    let (world, mut browser) = (World::start().await, Browser::default());
    sign_in_with_the_first_release(&world, &mut browser, "ada").await;
    browser.cookies.insert(SESSION.to_owned(), "damaged".to_owned());
    let mut user = SignedIn { world, browser };

    user.send(Event::get("/logout")).await.assert_page(200, "You are logged in as Ada Lovelace");
    let response = user.send(Event::post("/logout")).await;

    response.assert_cleared(SESSION).assert_cleared("__Host-session");
    assert_eq!(user.world.revoked(), 4);
}
