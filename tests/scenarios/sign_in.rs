//! A person signs in and logs out, in a browser.

use globus_stand_in::Endpoint;
use kit::{Result, local::Storage};

use crate::scene::Scene;

on_each_storage! {
    a_person_signs_in_sees_who_they_are_and_logs_out
    on_https_a_browser_takes_the_cookies_of_a_deployment
    the_keyboard_alone_is_enough
    a_person_of_whom_globus_knows_little_is_told_what_is_not_given
    every_person_can_sign_in_and_markup_in_a_name_is_only_text
    a_name_that_turns_text_round_and_a_long_username_stay_in_place
    a_user_who_declines_is_told_so_and_can_start_again
    a_failed_login_that_is_loaded_again_leads_where_the_user_was_going
    another_user_at_globus_is_asked_to_log_out_first
    two_tabs_sign_in_at_once_and_finish_in_either_order
    a_deep_link_is_where_a_person_lands
    the_sign_in_begins_at_the_name_where_it_will_end
    going_back_to_globus_and_forward_again_changes_nothing
    a_callback_that_is_loaded_again_leads_home_and_redeems_nothing
}

async fn a_person_signs_in_sees_who_they_are_and_logs_out(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.is_in_order("home-signed-out").await?;

    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    scene.is_in_order("home-signed-in").await?;
    // The picture in the README: copy it to docs/signed-in.png when the page changes.
    scene.browser.screen(900, 980, false).await?;
    scene.browser.screenshot("signed-in").await?;
    let shown = scene.browser.text().await?;
    for said in [
        "Name\nAda Lovelace",
        "Username\nada@uchicago.example",
        "Email\nada@uchicago.example",
        "UUID\nada10ace-1815-4d60-8bdb-eeecaba85bd9",
        "Organization\nUniversity of Chicago",
        "Globus Auth",
        "Globus Transfer",
        "urn:globus:auth:scope:transfer.api.globus.org:all",
        "min left",
    ] {
        assert!(shown.contains(said), "no {said:?} in {shown}");
    }
    let tokens = scene.app.stand_in().issued_tokens();
    assert_eq!(tokens.len(), 4);
    assert!(tokens.iter().all(|token| !shown.contains(token)), "tokens are shown only on demand");
    scene.browser.run("document.querySelectorAll('details').forEach(one => one.open = true)").await?;
    scene.is_in_order("home-tokens-shown").await?;
    let shown = scene.browser.text().await?;
    assert!(tokens.iter().all(|token| shown.contains(token)), "{shown}");

    scene.goto("/logout").await?;
    scene.browser.shows("You are logged in as Ada Lovelace").await?;
    scene.is_in_order("log-out").await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Revoke), 0);
    scene.browser.press("main button").await?;
    scene.browser.shows("You are logged out").await?;
    scene.is_in_order("logged-out").await?;
    assert!(tokens.iter().all(|token| scene.app.stand_in().is_revoked(token)));
    assert_eq!(scene.cookies().await?, ["logout"]);

    scene.browser.press("a[rel=noreferrer]").await?;
    scene.browser.shows("Logged out of the application").await?;
    scene.browser.press("a.button").await?;
    scene.browser.shows("Log in with Globus").await?;
    scene.is_at("/").await?;
    scene.close().await
}

/// The cookies of a deployment are `Secure` and `__Host-`, which a browser takes only if everything about them is right.
async fn on_https_a_browser_takes_the_cookies_of_a_deployment(storage: Storage) -> Result<()> {
    let scene = Scene::open_https(storage).await?;
    scene.begin().await?;
    let cookies = scene.cookies().await?;
    assert!(matches!(cookies.as_slice(), [one] if one.starts_with("__Host-attempt-")), "{cookies:?}");
    scene.choose("ada").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.is_at("/").await?;
    assert_eq!(scene.cookies().await?, ["__Host-session"]);

    scene.browser.press("header button").await?;
    scene.browser.shows("You are logged out").await?;
    assert_eq!(scene.cookies().await?, ["__Host-logout"]);
    scene.browser.back().await?;
    scene.browser.shows("Log in with Globus").await?;
    scene.close().await
}

async fn another_user_at_globus_is_asked_to_log_out_first(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    // At Globus the browser is another user by now.
    scene.browser.goto(&format!("{}/v2/web/logout", scene.app.stand_in().url())).await?;
    scene.goto("/login").await?;
    scene.choose("sparse").await?;
    scene.browser.shows("Another user is logged in here").await?;
    scene.is_at("/login").await?;
    scene.is_in_order("other-user").await?;

    scene.browser.press("main a[href='/logout']").await?;
    scene.browser.shows("You are logged in as Ada Lovelace").await?;
    scene.browser.press("main button").await?;
    scene.browser.shows("You are logged out").await?;
    // Globus knows the browser.
    scene.browser.press("main a[href='/login']").await?;
    scene.browser.shows("Hello ").await?;
    assert!(!scene.browser.text().await?.contains("Ada"));
    scene.close().await
}

async fn the_keyboard_alone_is_enough(storage: Storage) -> Result<()> {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    let scene = Scene::open(storage, &[]).await?;
    // The site's name, then the one thing to do.
    scene.browser.keys(TAB).await?;
    scene.browser.keys(TAB).await?;
    scene.browser.screenshot("home-signed-out-focus").await?;
    scene.browser.keys(ENTER).await?;
    scene.browser.shows("Who is logging in?").await?;
    scene.browser.keys(TAB).await?;
    scene.browser.keys(ENTER).await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    // The site's name, then the button beside the user's name.
    scene.browser.keys(TAB).await?;
    scene.browser.keys(TAB).await?;
    scene.browser.screenshot("home-signed-in-focus").await?;
    scene.browser.keys(ENTER).await?;
    scene.browser.shows("You are logged out").await?;
    scene.close().await
}

async fn a_person_of_whom_globus_knows_little_is_told_what_is_not_given(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("sparse", "Hello 046f34a2@ucsd.example!").await?;
    let shown = scene.browser.text().await?;
    for said in ["Name\nnot given", "Email\nnot given", "Organization\nnot given"] {
        assert!(shown.contains(said), "no {said:?} in {shown}");
    }
    scene.is_in_order("home-sparse").await?;
    scene.close().await
}

async fn every_person_can_sign_in_and_markup_in_a_name_is_only_text(storage: Storage) -> Result<()> {
    for (person, greeting) in [
        ("twice", "Hello Grace Hopper!"),
        ("linked", "Hello Mary Somerville!"),
        ("markup", "Hello <script>alert(1)</script> & \"quotes\" 'too'!"),
    ] {
        let scene = Scene::open(storage, &[]).await?;
        scene.sign_in(person, greeting).await?;
        scene.close().await?;
    }
    Ok(())
}

async fn a_name_that_turns_text_round_and_a_long_username_stay_in_place(storage: Storage) -> Result<()> {
    const ORDER: &str = "
        const range = document.createRange(), lead = document.querySelector('.lead'), texts = [];
        const walk = document.createTreeWalker(lead, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) texts.push(walk.currentNode);
        const after = texts.find((text) => text.data.startsWith('. '));
        const left = (at) => { range.setStart(after, at); range.setEnd(after, at + 1); return range.getBoundingClientRect().left };
        return left(0) < left(2)";
    let scene = Scene::open(storage, &[]).await?;
    // The name alone is on the page where the user is chosen, too.
    scene.sign_in("odd", "Hello").await?;
    scene.browser.shows("ecalevoL").await?;
    scene.is_in_order("home-odd").await?;
    scene.goto("/logout").await?;
    scene.browser.shows("You are logged in as").await?;
    scene.is_in_order("log-out-odd").await?;
    assert_eq!(scene.browser.run(ORDER).await?, true, "the sentence after the name runs from left to right");
    scene.close().await
}

async fn a_user_who_declines_is_told_so_and_can_start_again(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.begin().await?;
    scene.browser.press("[data-action=deny]").await?;
    scene.browser.shows("Login cancelled").await?;
    scene.is_in_order("denied").await?;
    assert!(scene.cookies().await?.is_empty());

    // The address has no code any more: to load it again is to start again.
    scene.browser.reload().await?;
    scene.browser.shows("Who is logging in?").await?;
    scene.goto("/login?error=access_denied&state=of-another-browser").await?;
    scene.browser.shows("This login cannot be completed").await?;
    scene.is_in_order("unknown-attempt").await?;
    scene.goto("/").await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    scene.close().await
}

async fn a_failed_login_that_is_loaded_again_leads_where_the_user_was_going(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.goto("/tasks").await?;
    scene.browser.press("[data-action=deny]").await?;
    scene.browser.shows("Login cancelled").await?;
    scene.is_at("/login?next=%2Ftasks").await?;

    scene.browser.reload().await?;
    scene.choose("ada").await?;
    scene.browser.shows("Your transfers").await?;
    scene.is_at("/tasks").await?;
    scene.close().await
}

async fn two_tabs_sign_in_at_once_and_finish_in_either_order(storage: Storage) -> Result<()> {
    for first_begun_ends_first in [true, false] {
        let scene = Scene::open(storage, &[]).await?;
        let one = scene.browser.tab().await?;
        scene.begin().await?;
        let other = scene.browser.open_tab().await?;
        scene.goto("/").await?;
        scene.begin().await?;
        assert_eq!(scene.cookies().await?.len(), 2);

        let order = if first_begun_ends_first { [&one, &other] } else { [&other, &one] };
        for tab in order {
            scene.browser.look_at(tab).await?;
            scene.choose("ada").await?;
            scene.browser.shows("Hello Ada Lovelace!").await?;
        }
        assert_eq!(scene.cookies().await?, ["session"]);
        scene.close().await?;
    }
    Ok(())
}

async fn a_deep_link_is_where_a_person_lands(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.goto("/login?next=%2Ffiles%3Fpath%3D%252Fdata").await?;
    scene.choose("ada").await?;
    scene.browser.shows("Page not found").await?;
    scene.is_at("/files?path=%2Fdata").await?;
    scene.is_in_order("not-found").await?;
    scene.goto("/").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.close().await
}

async fn the_sign_in_begins_at_the_name_where_it_will_end(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    let elsewhere = scene.url("/login").replace("localhost", "127.0.0.1");
    scene.browser.goto(&elsewhere).await?;
    scene.choose("ada").await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.is_at("/").await?;
    scene.close().await
}

async fn going_back_to_globus_and_forward_again_changes_nothing(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    scene.sign_in("ada", "Hello Ada Lovelace!").await?;
    // The sign-in page is in the history; what it leads to is a callback whose state is spent.
    scene.browser.back().await?;
    scene.browser.reload().await?;
    scene.browser.shows("Hello Ada Lovelace!").await?;
    scene.is_at("/").await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Token), 1);
    scene.close().await
}

async fn a_callback_that_is_loaded_again_leads_home_and_redeems_nothing(storage: Storage) -> Result<()> {
    let scene = Scene::open(storage, &[]).await?;
    let authorize = scene.begin().await?;
    let callback = scene.app.stand_in().sign_in(&authorize, "ada").await?;
    for _ in 0..2 {
        scene.browser.goto(&callback).await?;
        scene.browser.shows("Hello Ada Lovelace!").await?;
        scene.is_at("/").await?;
    }
    scene.browser.forget_cookies().await?;
    scene.browser.goto(&callback).await?;
    scene.browser.shows("This site needs cookies").await?;
    scene.is_in_order("needs-cookies").await?;
    assert_eq!(scene.app.stand_in().requests(Endpoint::Token), 1);
    scene.close().await
}
