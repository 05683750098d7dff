//! Every error that ends a sign-in or a renewal leads back where the user was going.

use globus_stand_in::Fault;
use shared::testing::{Log, SESSION};

use super::*;

const NEXT: &str = "/files?collection=8c8b2a0e-0000-4000-8000-000000000001&task=8c8b2a0e-0000-4000-8000-000000000002";
const START_AGAIN: &str = "login?next=%2Ffiles%3Fcollection%3D8c8b2a0e%2D0000%2D4000%2D8000%2D000000000001%26task%3D8c8b2a0e%2D0000%2D4000%2D8000%2D000000000002\">Start again</a>";

/// Begins a sign-in on the way to a page whose address has two UUIDs; returns the URL at Globus.
async fn begin_on_the_way(world: &World, browser: &mut Browser) -> String {
    begin(world, browser, &format!("/login?next={}", NEXT.replace('&', "%26"))).await
}

#[tokio::test]
async fn a_link_with_two_uuids_is_where_the_user_lands() {
    let (world, mut browser) = (World::start().await, Browser::default());
    let url = begin_on_the_way(&world, &mut browser).await;

    let callback = world.at_globus(&url, "ada").await;
    let landed = send(&world, &mut browser, callback).await;

    landed.assert_redirect(302, &format!("{BASE_URL}{NEXT}"));
}

#[tokio::test]
async fn starting_again_after_a_denial_leads_to_the_page() {
    let (world, mut browser) = (World::start().await, Browser::default());
    let url = begin_on_the_way(&world, &mut browser).await;

    let denied = Event::callback(&world.stand_in.deny(&url).await.unwrap());
    send(&world, &mut browser, denied).await.assert_page(403, START_AGAIN);
}

#[tokio::test]
async fn starting_again_after_an_expired_attempt_leads_to_the_page() {
    let (mut world, mut browser) = (World::start().await, Browser::default());
    let url = begin_on_the_way(&world, &mut browser).await;
    let callback = world.at_globus(&url, "ada").await;

    world.later(Duration::from_mins(11));
    let response = send(&world, &mut browser, callback).await;

    response.assert_page(400, START_AGAIN);
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn starting_again_after_a_failure_of_globus_leads_to_the_page() {
    let (world, mut browser) = (World::start().await, Browser::default());
    let url = begin_on_the_way(&world, &mut browser).await;
    let callback = world.at_globus(&url, "ada").await;
    world.stand_in.fault(Endpoint::Token, Fault::Drop);

    send(&world, &mut browser, callback).await.assert_page(503, START_AGAIN);
}

#[tokio::test]
async fn a_page_to_return_to_that_is_too_long_is_logged() {
    let (world, log) = (World::start().await, Log::listen());
    let path = format!("/login?next=/{}", "x".repeat(512));

    send(&world, &mut Browser::default(), Event::get(&path)).await;

    log.assert_reason("return_path_too_long");
    assert!(!log.text().contains("xxx"), "{}", log.text());
}

#[tokio::test]
async fn another_account_is_asked_for_and_takes_the_place_of_the_user() {
    let (world, mut browser) = (World::start().await, Browser::default());
    sign_in(&world, &mut browser, "ada").await;
    let of_ada = world.stand_in.issued_tokens();

    let url = begin(&world, &mut browser, "/login?account=other&prompt=none").await;
    assert_eq!(query(&url, "prompt"), "login");
    assert!(browser.cookies.contains_key(SESSION), "the present session stays until the new sign-in completes");
    let callback = world.at_globus(&url, "sparse").await;
    send(&world, &mut browser, callback).await.assert_redirect(302, "https://gateway.example/");

    assert_eq!(world.session_of(&browser).await.unwrap().identity.name, None);
    assert!(of_ada.iter().all(|token| world.stand_in.is_revoked(token)));
}

#[tokio::test]
async fn no_other_word_in_the_query_asks_for_another_account() {
    let (world, mut browser) = (World::start().await, Browser::default());
    for path in ["/login?account=", "/login?account=login", "/login?prompt=login"] {
        let url = begin(&world, &mut browser, path).await;
        assert_eq!(query(&url, "prompt"), "", "{path}");
    }
}
