//! What the functions ask of the table.

use std::time::Duration;

use globus_stand_in::{Endpoint, Fault, RefreshTokens, groups::BEAMLINE, policies};
use kit::{Result, dynamodb::Table};
use lambda_http::Request;
use serde_json::json;
use shared::{
    App,
    globus::Globus,
    session::Token,
    testing::{Browser, Event, Log, REQUEST_ID, Received, SESSION, World, function, noon, now, session},
};
use tokio::time::{sleep, timeout};

use super::{DynamoDb, seconds};

/// A site whose sessions are in a table of its own.
async fn site(settings: &[(&str, &str)]) -> Result<(World, Table<'static>)> {
    let table = DynamoDb::shared()?.table()?;
    let variables = table.variables();
    let pairs = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs: Vec<_> = pairs.chain(settings.iter().copied()).collect();
    Ok((World::with(&pairs).await, table))
}

/// A site, and the browser of a user whose tokens have ended. Globus takes a second for each request for new ones.
async fn with_ended_tokens() -> Result<(World, Table<'static>, Browser)> {
    let (mut world, table) = site(&[("SESSION_IDLE_HOURS", "100")]).await?;
    let mut browser = Browser::default();
    world.sign_in(login::handle, &mut browser, "ada").await;
    world.later(Duration::from_hours(48));
    world.stand_in.refresh_tokens(RefreshTokens::Same);
    world.stand_in.fault(Endpoint::Token, Fault::Delay(Duration::from_secs(1)));
    Ok((world, table, browser))
}

/// Waits until a request for new tokens is on its way.
async fn while_globus_is_asked() {
    sleep(Duration::from_millis(300)).await;
}

/// A renewal by a script of a page.
fn script() -> Event {
    Event::post("/login?refresh").header("accept", "application/json")
}

/// How many of these tokens are revoked.
fn revoked(world: &World, tokens: &[String]) -> usize {
    tokens.iter().filter(|token| world.stand_in.is_revoked(token)).count()
}

/// A browser of the same user as every other.
async fn logged_in(world: &World) -> Browser {
    let (app, _) = world.state();
    let created = app.storage.create(&Event::get("/").request(), &session(world.now), world.now).await.unwrap();
    let mut browser = Browser::default();
    browser.keep(&created.cookie);
    browser
}

async fn visit_home(world: &World, browser: &mut Browser, path: &str) -> Received {
    let home = async |(app, _): &(App, Globus), request: &Request, now| home::handle(app, request, now).await;
    world.send(home, browser, Event::get(path)).await
}

/// A page whose script asks again and again would keep an idle session alive.
#[tokio::test]
async fn a_script_that_asks_who_is_logged_in_does_not_use_the_session() -> Result<()> {
    let (mut world, table) = site(&[]).await?;
    let begun = now();
    let mut browser = logged_in(&world).await;
    let used = table.scan()?[0]["last_used_at"]["N"].clone();
    world.later(Duration::from_hours(12));

    assert_eq!(visit_home(&world, &mut browser, "/session").await.status, 200);
    assert_eq!(table.scan()?[0]["last_used_at"]["N"], used);

    assert_eq!(visit_home(&world, &mut browser, "/").await.status, 200);
    let noted = table.scan()?[0]["last_used_at"]["N"].clone();
    assert_eq!(noted, seconds(world.now));
    assert!(world.now > begun + Duration::from_hours(11));
    Ok(())
}

/// Otherwise a session would end while its user works with functions that only ask these.
#[tokio::test]
async fn a_guarded_route_the_token_function_and_a_page_use_the_session() -> Result<()> {
    let table = DynamoDb::shared()?.table()?;
    let variables = table.variables();
    let pairs = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // The page asks a service that is not there.
    let pairs: Vec<_> = pairs.chain([("TRANSFER_URL", "http://127.0.0.1:9")]).collect();
    let guard = function(&pairs, |env| authorizer::read(App::read(env), env));
    let giver = function(&pairs, App::read);
    let page = function(&pairs, |env| tasks::Transfer::beside(App::read(env), env));
    let app = giver.state().unwrap();
    let created = app.storage.create(&Event::get("/").request(), &session(noon()), noon()).await.unwrap();
    let cookie = created.cookie.stripped().to_string();
    let event = Event::get("/tasks").cookie(&cookie).json();
    let order = json!({ "cookies": [cookie], "resource_server": "transfer.api.globus.org" }).to_string();
    let assert_used = |at| {
        assert_eq!(table.scan()?[0]["last_used_at"]["N"], seconds(at));
        Ok::<_, String>(())
    };
    let [first, second, third] = [6, 12, 18].map(|hours| noon() + Duration::from_hours(hours));

    guard.result(&authorizer::handle, &event, REQUEST_ID, first).await.unwrap();
    assert_used(first)?;
    giver.result(&token::handle, &order, REQUEST_ID, second).await.unwrap();
    assert_used(second)?;
    page.respond(&tasks::handle, &event, REQUEST_ID, third).await;
    assert_used(third)
}

#[tokio::test]
async fn a_logout_ends_this_session_alone_and_one_everywhere_ends_all() -> Result<()> {
    for (form, left) in [("", 2), ("everywhere=yes", 0)] {
        let (world, table) = site(&[]).await?;
        let mut browser = logged_in(&world).await;
        logged_in(&world).await;
        logged_in(&world).await;

        let response = world.send(logout::handle, &mut browser, Event::post("/logout").body(form)).await;

        assert_eq!((response.status, table.scan()?.len()), (303, left), "{form:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_tokens_of_a_renewal_that_a_logout_has_overtaken_are_revoked() -> Result<()> {
    let (world, _table, browser) = with_ended_tokens().await?;
    let request = browser.with_cookies(Event::get("/")).request();
    let mut tab = browser.clone();
    let logout = async {
        while_globus_is_asked().await;
        world.state().0.storage.end(&request).await.unwrap();
    };

    let (response, ()) = tokio::join!(world.send(login::handle, &mut tab, script()), logout);

    assert_eq!((response.status, response.error().as_str()), (401, "sign_in_required"));
    let new = world.stand_in.issued_tokens().split_off(4);
    assert_eq!((new.len(), revoked(&world, &new)), (2, 2));
    Ok(())
}

/// As if the first instance had stood still until its lease was over.
#[tokio::test]
async fn a_renewal_that_another_has_overtaken_revokes_its_own_tokens_and_none_of_the_session() -> Result<()> {
    let (mut world, _table, browser) = with_ended_tokens().await?;
    let (mut tab, mut other) = (browser.clone(), browser.clone());
    let later = world.now + Duration::from_mins(1);
    let winner = async {
        while_globus_is_asked().await;
        other.send(&world.function, login::handle, script(), later).await
    };

    let (late, won) = tokio::join!(world.send(login::handle, &mut tab, script()), winner);

    assert_eq!((late.status, won.status), (204, 204));
    world.later(Duration::from_mins(1));
    let session = world.session_of(&browser).await.unwrap();
    let held = session.tokens.iter().flat_map(Token::secrets);
    let held: Vec<_> = held.map(|secret| secret.expose().to_owned()).collect();
    let new = world.stand_in.issued_tokens().split_off(4);
    assert_eq!((held.len(), revoked(&world, &held)), (4, 0));
    assert_eq!((new.len(), revoked(&world, &new)), (4, 2), "those of the late one");
    Ok(())
}

#[tokio::test]
async fn a_renewal_that_cannot_be_kept_revokes_its_own_tokens_and_none_of_the_session() -> Result<()> {
    let (world, table, browser) = with_ended_tokens().await?;
    let mut tab = browser.clone();
    let outage = async {
        while_globus_is_asked().await;
        table.delete()
    };

    let (response, deleted) = tokio::join!(world.send(login::handle, &mut tab, script()), outage);

    deleted?;
    assert_eq!((response.status, response.error().as_str()), (503, "store_table_missing"));
    let (held, new) = (world.stand_in.issued_tokens(), world.stand_in.issued_tokens().split_off(4));
    assert_eq!((new.len(), revoked(&world, &new)), (2, 2));
    assert_eq!(revoked(&world, &held[..4]), 0);
    Ok(())
}

#[tokio::test]
async fn the_session_of_a_removed_member_is_deleted_at_the_next_check() -> Result<()> {
    let (mut world, table) = site(&[("ALLOWED_GROUPS", BEAMLINE)]).await?;
    let mut browser = Browser::default();
    world.sign_in(login::handle, &mut browser, "member").await;
    assert_eq!(table.scan()?.len(), 1);
    world.later(Duration::from_mins(30));
    world.stand_in.remove_from_group("member", BEAMLINE)?;

    let response = world.send(login::handle, &mut browser, Event::get("/login?refresh")).await;

    response.assert_page(403, "This account has no access");
    assert_eq!(table.scan()?.len(), 0);
    Ok(())
}

/// The browser has the session no longer, and another login can help.
#[tokio::test]
async fn a_refused_user_whose_session_cannot_be_deleted_logs_in_again_and_the_log_says_so() -> Result<()> {
    let (mut world, table) = site(&[("REQUIRED_POLICIES", policies::MFA)]).await?;
    let (mut browser, log) = (Browser::default(), Log::listen());
    world.sign_in(login::handle, &mut browser, "mfa").await;
    world.later(Duration::from_mins(30));
    world.stand_in.edit_introspection(|about| about["policy_evaluations"] = json!({}));
    world.stand_in.fault(Endpoint::Introspect, Fault::Hold);
    let outage = async {
        while world.stand_in.requests(Endpoint::Introspect) < 2 {
            sleep(Duration::from_millis(10)).await;
        }
        let deleted = table.delete();
        world.stand_in.clear_faults();
        deleted
    };

    let renewal = async { tokio::join!(world.send(login::handle, &mut browser, script()), outage) };
    let (response, deleted) = timeout(Duration::from_secs(30), renewal).await.expect("Globus is asked");

    deleted?;
    assert_eq!((response.status, response.error().as_str()), (401, "sign_in_required"));
    response.assert_cleared(SESSION);
    log.assert_reason("store_table_missing");
    assert_eq!(world.revoked(), world.stand_in.issued_tokens().len());
    Ok(())
}

/// Session fixation: a value that was there before a login leads to nothing after it.
#[tokio::test]
async fn a_session_that_a_new_login_has_replaced_is_logged_out_and_an_unknown_id_is_not_adopted() -> Result<()> {
    let (world, table) = site(&[]).await?;
    let mut browser = Browser::default();
    world.sign_in(login::handle, &mut browser, "ada").await;
    let mut planted = browser.clone();
    world.sign_in(login::handle, &mut browser, "ada").await;
    assert_eq!(visit_home(&world, &mut planted, "/session").await.status, 401);
    assert_eq!(visit_home(&world, &mut browser, "/session").await.status, 200);

    let known = table.scan()?[0]["session_id"].clone();
    table.clear()?;
    assert_eq!(visit_home(&world, &mut browser, "/session").await.status, 401);
    world.sign_in(login::handle, &mut browser, "ada").await;
    assert_ne!(table.scan()?[0]["session_id"], known);
    Ok(())
}

#[tokio::test]
async fn a_saved_copy_of_the_cookie_opens_no_function_after_a_logout() -> Result<()> {
    let (world, table) = site(&[]).await?;
    let mut browser = Browser::default();
    world.sign_in(login::handle, &mut browser, "ada").await;
    let saved = browser.clone();
    world.send(logout::handle, &mut browser, Event::post("/logout")).await;
    let asked = world.stand_in.requests(Endpoint::Token);

    visit_home(&world, &mut saved.clone(), "/").await.assert_page(200, "Log in with Globus");
    assert_eq!(visit_home(&world, &mut saved.clone(), "/session").await.status, 401);
    assert_eq!(world.send(login::handle, &mut saved.clone(), script()).await.status, 401);
    let page = world.send(logout::handle, &mut saved.clone(), Event::get("/logout")).await;
    page.assert_page(200, "You are logged out");
    assert_eq!((world.stand_in.requests(Endpoint::Token), table.scan()?.len()), (asked, 0));
    Ok(())
}

#[tokio::test]
async fn a_session_in_constant_use_ends_at_its_limit() -> Result<()> {
    const MAX: (&str, &str) = ("SESSION_MAX_HOURS", "100");
    for mut world in [World::with(&[MAX]).await, site(&[MAX]).await?.0] {
        let mut browser = Browser::default();
        world.sign_in(login::handle, &mut browser, "ada").await;
        for _ in 0..99 {
            world.later(Duration::from_hours(1));
            if visit_home(&world, &mut browser, "/").await.status == 302 {
                world.send(login::handle, &mut browser, Event::get("/login?refresh")).await;
            }
            visit_home(&world, &mut browser, "/").await.assert_page(200, "Hello Ada Lovelace!");
        }
        world.later(Duration::from_hours(1));
        visit_home(&world, &mut browser, "/").await.assert_page(200, "Your login has expired");
    }
    Ok(())
}
