//! Responses that arrive late, and logouts that cannot do everything: through whole requests, on both storages.

use std::time::Duration;

use globus_stand_in::{Endpoint, Fault, StandIn};
use kit::{Result, dynamodb::Table, local::Storage};
use serde_json::json;
use shared::testing::Received;

use crate::{fleet::instance, visitor::Visitor, warm::Warm};

on_each_storage! {
    a_renewal_that_arrives_after_a_logout_signs_no_user_in
    a_renewal_that_arrives_after_another_user_signed_in_swaps_no_user
    a_sign_in_that_arrives_after_a_logout_signs_no_user_in
    a_logout_is_known_to_an_instance_whose_clock_is_half_a_minute_behind
    a_sign_in_over_another_users_living_session_changes_nothing
    a_logout_while_globus_is_down_says_which_tokens_are_left
}

/// A user whose tokens are due: they are for two minutes, those of later requests for two hours.
async fn due(storage: Storage) -> Result<(Warm, StandIn, Option<Table<'static>>, Visitor)> {
    let (mut warm, globus, table) = instance(storage).await?;
    let mut visitor = Visitor::default();
    globus.expire_tokens_in(120);
    visitor.sign_in(&warm, &globus, "ada").await?;
    globus.expire_tokens_in(7_200);
    warm.later(Duration::from_mins(2));
    Ok((warm, globus, table, visitor))
}

/// The response to a request of another tab, which this tab does not have yet.
async fn in_another_tab(warm: &Warm, visitor: &Visitor, path: &str) -> Result<Received> {
    visitor.clone().get(warm, path).await
}

/// Asserts that the home page leads to the end of the logout, that no user is signed in, and how many tokens are revoked.
async fn is_logged_out(warm: &Warm, globus: &StandIn, visitor: &mut Visitor, revoked: usize) -> Result<()> {
    let home = visitor.get(warm, "/").await?;
    if home.status == 302 {
        home.assert_redirect(302, &format!("{}/logout", shared::testing::BASE_URL));
        visitor.get(warm, "/logout").await?;
    }
    visitor.get(warm, "/").await?.assert_page(200, "Log in with Globus");
    assert_eq!(globus.issued_tokens().iter().filter(|token| globus.is_revoked(token)).count(), revoked);
    Ok(())
}

async fn a_renewal_that_arrives_after_a_logout_signs_no_user_in(storage: Storage) -> Result<()> {
    let (warm, globus, _table, mut visitor) = due(storage).await?;
    let late = in_another_tab(&warm, &visitor, "/login?refresh").await?;
    visitor.post(&warm, "/logout", "").await?;

    visitor.browser.receive(&late);

    // In the table the renewal has replaced two access tokens, which have expired.
    let revoked = if storage == Storage::Table { 4 } else { 6 };
    is_logged_out(&warm, &globus, &mut visitor, revoked).await
}

async fn a_renewal_that_arrives_after_another_user_signed_in_swaps_no_user(storage: Storage) -> Result<()> {
    let (warm, globus, _table, mut visitor) = due(storage).await?;
    let late = in_another_tab(&warm, &visitor, "/login?refresh").await?;
    visitor.post(&warm, "/logout", "").await?;
    visitor.sign_in(&warm, &globus, "sparse").await?;

    visitor.browser.receive(&late);

    let page = visitor.get(&warm, "/").await?;
    assert!(!page.body.contains("Lovelace"), "{}", page.body);
    Ok(())
}

async fn a_sign_in_that_arrives_after_a_logout_signs_no_user_in(storage: Storage) -> Result<()> {
    let (warm, globus, _table) = instance(storage).await?;
    let mut visitor = Visitor::default();
    let callback = visitor.begin(&warm, &globus, "ada").await?;
    let late = in_another_tab(&warm, &visitor, &callback).await?;
    visitor.post(&warm, "/logout", "").await?;

    visitor.browser.receive(&late);

    is_logged_out(&warm, &globus, &mut visitor, 4).await
}

/// Two users of this browser log in and out within a second.
async fn a_logout_is_known_to_an_instance_whose_clock_is_half_a_minute_behind(storage: Storage) -> Result<()> {
    let (mut warm, globus, _table, mut visitor) = due(storage).await?;
    let late = in_another_tab(&warm, &visitor, "/login?refresh").await?;
    let ahead = warm.time + Duration::from_secs(30);
    let behind = std::mem::replace(&mut warm.time, ahead);
    visitor.post(&warm, "/logout", "").await?;
    visitor.sign_in(&warm, &globus, "sparse").await?;
    visitor.post(&warm, "/logout", "").await?;
    visitor.browser.receive(&late);

    warm.time = behind;

    let home = visitor.get(&warm, "/").await?;
    assert!(!home.body.contains("Lovelace"), "{}", home.body);
    // Nor is a sign-in that begins here taken for one from before the logout.
    let callback = visitor.begin(&warm, &globus, "ada").await?;
    warm.time = ahead;
    visitor.get(&warm, &callback).await?.assert_redirect(302, &format!("{}/", shared::testing::BASE_URL));
    visitor.is_greeted(&warm).await
}

async fn a_sign_in_over_another_users_living_session_changes_nothing(storage: Storage) -> Result<()> {
    let (warm, globus, _table) = instance(storage).await?;
    let mut visitor = Visitor::default();
    visitor.sign_in(&warm, &globus, "ada").await?;
    let callback = visitor.begin(&warm, &globus, "sparse").await?;

    visitor.get(&warm, &callback).await?.assert_page(409, "Another user is logged in here");

    visitor.is_greeted(&warm).await?;
    let issued = globus.issued_tokens();
    assert!(issued[..4].iter().all(|token| !globus.is_revoked(token)));
    assert!(issued[4..].iter().all(|token| globus.is_revoked(token)));
    visitor.post(&warm, "/logout", "").await?;
    visitor.sign_in(&warm, &globus, "sparse").await
}

async fn a_logout_while_globus_is_down_says_which_tokens_are_left(storage: Storage) -> Result<()> {
    let (warm, globus, _table, mut visitor) = due(storage).await?;
    globus.fault(Endpoint::Revoke, Fault::Drop);

    let page = visitor.post(&warm, "/logout", "").await?;

    page.assert_page(200, "You are logged out").assert_page(200, "did not revoke every token");
    page.assert_page(200, "Withdraw access at Globus");
    visitor.get(&warm, "/").await?.assert_page(200, "Log in with Globus");
    Ok(())
}

/// A user leaves a shared computer: the browser is cleared, whatever fails.
#[tokio::test]
async fn a_logout_while_the_table_is_down_clears_the_browser_and_says_what_is_left() -> Result<()> {
    for form in ["", "everywhere=yes"] {
        let (warm, globus, table, mut visitor) = due(Storage::Table).await?;
        // An attempt to sign in, in another tab.
        visitor.get(&warm, "/login").await?;
        table.unwrap().delete()?;

        visitor.get(&warm, "/").await?.assert_page(503, "logout\">Log out</a>");
        visitor.get(&warm, "/logout").await?.assert_page(200, "Log out?");
        let page = visitor.post(&warm, "/logout", form).await?;

        page.assert_page(503, "You are logged out").assert_page(503, "its tokens are not revoked");
        page.assert_page(503, "Withdraw access at Globus");
        assert_eq!(page.body.contains("session in your other browsers"), !form.is_empty());
        assert_eq!(visitor.browser.cookies.keys().collect::<Vec<_>>(), ["__Host-logout-8af82921"]);
        assert!(globus.issued_tokens().iter().all(|token| !globus.is_revoked(token)));
        visitor.get(&warm, "/").await?.assert_page(200, "Log in with Globus");
    }
    Ok(())
}

#[tokio::test]
async fn a_log_out_everywhere_of_an_ended_session_says_that_others_are_left() -> Result<()> {
    let (warm, globus, table, mut visitor) = due(Storage::Table).await?;
    let mut other = Visitor::default();
    other.sign_in(&warm, &globus, "ada").await?;
    let table = table.unwrap();
    for mut item in table.scan()? {
        item["last_used_at"] = json!({ "N": "1" });
        table.put(&item)?;
    }

    let page = visitor.post(&warm, "/logout", "everywhere=yes").await?;

    page.assert_page(200, "Not every session in your other browsers has ended");
    assert_eq!(table.scan()?.len(), 1);
    Ok(())
}
