//! Users who may not come in.

use super::*;

#[tokio::test]
async fn a_login_that_stays_too_old_ends_on_the_denied_page_and_not_in_a_circle() {
    let (world, mut browser, again) = after_a_login_that_is_too_old().await;
    let callback = world.at_globus(again.location(), "ada").await;
    assert_eq!(end(&world, &mut browser, callback).await, denied(&["MAX_AUTHENTICATION_MINUTES"]));
}

#[tokio::test]
async fn the_denied_page_names_the_account_and_what_is_missing_and_leads_on() {
    let group = format!("{BEAMLINE},{}", groups::with(Status::Active));
    let world = World::with(&[DOMAIN, ("ALLOWED_GROUPS", &group)]).await;
    let (log, mut browser) = (Log::listen(), Browser::default());
    let url = begin(&world, &mut browser, "/login?next=%2Ffiles").await;
    let callback = world.at_globus(&without(&url, "session_required"), "markup").await;

    let response = send(&world, &mut browser, callback).await;

    let account = "&lt;b&gt;bobby&lt;&#x2f;b&gt;@tables.example";
    response.assert_page(403, &format!("You have logged in at Globus as {account}, with Globus ID."));
    response.assert_page(403, "A login with an account of lab.example.");
    response.assert_page(403, "Membership in one of the groups of this site.");
    response.assert_page(403, &format!("https:&#x2f;&#x2f;app.globus.org&#x2f;groups&#x2f;{BEAMLINE}&#x2f;about"));
    response.assert_page(403, "&#x2f;v2&#x2f;web&#x2f;identities?client_id=");
    response.assert_page(403, "&#x2f;login?account=other&amp;next=%2Ffiles");
    let text = log.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    let expected = "event=\"sign_in\" outcome=\"refused\" reason=\"domain_not_allowed\" sub=\"3a26a900-0004-4dab-bf4a-4eaf5c4b3a04\" status=403";
    assert!(text.contains(expected) && !text.contains("bobby"), "{text}");
}

#[tokio::test]
async fn a_user_who_is_denied_takes_no_session_from_the_one_who_is_in() {
    let (world, mut browser) = (World::with(&[GROUP]).await, Browser::default());
    sign_in(&world, &mut browser, "member").await.assert_redirect(302, "https://gateway.example/");
    let url = begin(&world, &mut browser, "/login?account=other").await;
    let callback = world.at_globus(&url, "ada").await;

    send(&world, &mut browser, callback).await.assert_page(403, "This account has no access");

    let session = world.session_of(&browser).await.unwrap();
    assert_eq!(session.identity.sub, "9e0b000a-010a-4a0a-8b0a-0a1b2c3d4e0a");
    assert!(session.tokens.iter().flat_map(Token::secrets).all(|token| world.stand_in.is_active(token.expose())));
}

/// One who is removed from the group, and logs in again before the next check.
#[tokio::test]
async fn a_user_who_is_denied_keeps_no_earlier_session_of_their_own() {
    let (world, mut browser) = (World::with(&[GROUP]).await, Browser::default());
    sign_in(&world, &mut browser, "member").await.assert_redirect(302, "https://gateway.example/");
    world.stand_in.remove_from_group("member", BEAMLINE).unwrap();

    let response = sign_in(&world, &mut browser, "member").await;

    response.assert_page(403, "This account has no access").assert_cleared(SESSION);
    assert!(world.session_of(&browser).await.is_none());
    assert_eq!(world.revoked(), world.stand_in.issued_tokens().len());
    world.stand_in.set_membership("member", BEAMLINE, Status::Active).unwrap();
    sign_in(&world, &mut browser, "member").await.assert_redirect(302, "https://gateway.example/");
}
