//! Browsers with a session cookie of the first release, which had another name: while functions are updated one after the
//! other, and afterwards.

use super::*;

const FIRST: &str = "__Host-session";

/// A browser in which the first release has signed this user in.
async fn signed_in_by_the_first_release(world: &World, person: &str) -> Browser {
    let mut browser = Browser::default();
    sign_in(world, &mut browser, person).await;
    let newer = browser.cookies.remove(SESSION).unwrap();
    browser.keep(&testing::cookie_of_the_first_release(&world.state().0.cookies, &(SESSION, newer).into()));
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [FIRST]);
    browser
}

/// While home is still of the first release, it sees no session: neither the new one nor the one that was replaced.
#[tokio::test]
async fn login_ahead_of_home_leaves_no_cookie_that_the_old_home_reads() {
    let world = World::start().await;
    let mut browser = signed_in_by_the_first_release(&world, "ada").await;

    sign_in(&world, &mut browser, "ada").await.assert_redirect(302, "https://gateway.example/");

    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
    assert_eq!(world.revoked(), 0, "Globus may give the same tokens again");
    assert!(world.session_of(&browser).await.is_some(), "signed in once home is updated");
}

#[tokio::test]
async fn a_renewal_gives_a_session_of_the_first_release_its_new_name() {
    let mut world = World::start().await;
    let mut browser = signed_in_by_the_first_release(&world, "ada").await;
    world.later(Duration::from_hours(48));

    let response = send(&world, &mut browser, Event::get("/login?refresh&next=/files")).await;

    response.assert_redirect(302, "https://gateway.example/files");
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
    assert_eq!(world.session_of(&browser).await.unwrap().identity.display_name(), "Ada Lovelace");
}

#[tokio::test]
async fn a_sign_in_takes_no_session_of_the_first_release_from_another_user() {
    let world = World::start().await;
    let mut browser = signed_in_by_the_first_release(&world, "ada").await;

    sign_in(&world, &mut browser, "sparse").await.assert_page(409, "Another user is logged in here");

    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [FIRST]);
    assert_eq!(world.session_of(&browser).await.unwrap().identity.display_name(), "Ada Lovelace");
}

/// On a shared computer: one user by the new login, and then another by one that is not updated yet.
#[tokio::test]
async fn of_two_users_cookies_the_next_sign_in_leaves_one_and_no_orphaned_token() {
    let world = World::start().await;
    let mut browser = signed_in_by_the_first_release(&world, "sparse").await;
    let of_sparse = world.stand_in.issued_tokens();
    let mut other = Browser::default();
    sign_in(&world, &mut other, "ada").await;
    browser.cookies.extend(other.cookies);
    assert!(world.session_of(&browser).await.is_none(), "neither is believed");

    sign_in(&world, &mut browser, "ada").await.assert_redirect(302, "https://gateway.example/");

    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
    assert!(of_sparse.iter().all(|token| world.stand_in.is_revoked(token)));
    assert_eq!((of_sparse.len(), world.revoked()), (4, 4));
}

/// The first release began it: its login cookie had another name.
#[tokio::test]
async fn a_sign_in_in_progress_during_the_update_can_be_started_again() {
    let world = World::start().await;
    let mut browser = Browser::default();
    let url = begin(&world, &mut browser, "/login").await;
    browser.cookies = [("__Host-login-0".to_owned(), "of-the-first-release".to_owned())].into();
    let callback = world.at_globus(&url, "ada").await;

    send(&world, &mut browser, callback).await.assert_page(400, "just start again").assert_page(400, "Start again</a>");

    sign_in(&world, &mut browser, "ada").await.assert_redirect(302, "https://gateway.example/");
}
