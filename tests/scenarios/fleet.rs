//! Many instances of a function and many requests at once, as Lambda runs them.

use std::{
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, Endpoint, Fault, RefreshTokens, StandIn};
use kit::{
    Result,
    dynamodb::{DynamoDb, Table},
    local::{App, Storage, Watch},
    process::wait_for,
};
use shared::testing::BASE_URL;

use crate::{
    visitor::{Instance, Visitor},
    warm::{Warm, signed_in_a_minute_ago},
};

/// How long a request may take to reach Globus, on a machine that builds something beside it.
const ARRIVES_WITHIN: Duration = Duration::from_mins(2);

/// The app with a session table, and a signed-in user whose tokens are due. One service, and refresh tokens that
/// change with each use, so that a second renewal would be refused.
async fn due() -> Result<(App, Visitor)> {
    let app = App::start(Storage::Table, &[("GLOBUS_SCOPES", "openid profile email")]).await?;
    app.stand_in().refresh_tokens(RefreshTokens::Rotated);
    let visitor = signed_in_a_minute_ago(app.url(), app.variables(), app.stand_in()).await?;
    assert_eq!(at(&app, app.watch()).get(&visitor, "/")?.location(), "/login?refresh&next=%2F");
    Ok((app, visitor))
}

/// The app at one of its instances.
fn at<'a>(app: &'a App, watch: &'a Watch) -> Instance<'a> {
    Instance { watch, url: app.url() }
}

/// Has each function started, so that no time goes by with that later.
fn warm(instance: Instance<'_>) -> Result<()> {
    for path in ["/", "/login", "/logout"] {
        instance.get(&Visitor::default(), path)?;
    }
    Ok(())
}

/// Waits until Globus has got another request for tokens.
fn arrived(app: &App, before: usize) {
    let more = || (app.stand_in().requests(Endpoint::Token) > before).then_some(());
    wait_for(ARRIVES_WITHIN, more).unwrap();
}

#[tokio::test]
async fn of_fifty_renewals_at_once_one_asks_globus_and_all_are_served() -> Result<()> {
    let (app, visitor) = due().await?;
    let mut others = Vec::new();
    for _ in 0..8 {
        others.push(app.another()?);
    }
    let instances: Vec<_> = others.iter().chain([app.watch()]).map(|watch| at(&app, watch)).collect();
    let before = app.stand_in().requests(Endpoint::Token);
    let served = AtomicUsize::new(0);

    thread::scope(|scope| {
        for number in 0..50 {
            let (instance, served, visitor) = (instances[number % instances.len()], &served, &visitor);
            scope.spawn(move || {
                let response = instance.get(visitor, "/login?refresh").unwrap();
                assert!(response.location().ends_with('/'), "{response:?}");
                instance.get(visitor, "/").unwrap().assert_page(200, "Hello Ada Lovelace!");
                served.fetch_add(1, Ordering::Relaxed);
            });
        }
    });

    assert_eq!(served.into_inner(), 50);
    assert_eq!(app.stand_in().requests(Endpoint::Token) - before, 1);
    Ok(())
}

#[tokio::test]
async fn an_instance_that_is_killed_while_it_renews_is_followed_by_another() -> Result<()> {
    let (app, mut visitor) = due().await?;
    let doomed = app.another()?;
    warm(at(&app, &doomed))?;
    let before = app.stand_in().requests(Endpoint::Token);
    app.stand_in().fault(Endpoint::Token, Fault::Hold);

    thread::scope(|scope| {
        let (instance, holder) = (at(&app, &doomed), &visitor);
        // This one gets no response.
        scope.spawn(move || drop(instance.get(holder, "/login?refresh")));
        arrived(&app, before);
        doomed.kill();
    });
    app.stand_in().clear_faults();

    let mut survivor = Warm::start(app.url(), app.variables());
    visitor.get(&survivor, "/login?refresh").await?.assert_page(503, "?refresh\">Try again</a>");
    // Seventeen seconds of the lease, and thirty by which clocks may differ.
    survivor.later(Duration::from_secs(47));
    visitor.get(&survivor, "/login?refresh").await?.assert_redirect(302, &format!("{}/", app.url()));
    visitor.is_greeted(&survivor).await?;
    assert_eq!(app.stand_in().requests(Endpoint::Token) - before, 2);
    Ok(())
}

#[tokio::test]
async fn a_logout_while_a_renewal_is_held_at_globus_is_final() -> Result<()> {
    let (app, visitor) = due().await?;
    let other = app.another()?;
    warm(at(&app, &other))?;
    let before = app.stand_in().requests(Endpoint::Token);
    app.stand_in().fault(Endpoint::Token, Fault::Hold);

    let (instance, holder) = (at(&app, app.watch()), visitor.clone());
    let renewal = thread::scope(|scope| {
        let renewal = scope.spawn(|| instance.get(&holder, "/login?refresh"));
        arrived(&app, before);
        let logged_out = at(&app, &other).post(&visitor, "/logout").unwrap();
        assert_eq!(logged_out.status, 303, "{logged_out:?}");
        app.stand_in().clear_faults();
        renewal.join().unwrap()
    })?;

    renewal.assert_no_cookie();
    instance.get(&visitor, "/")?.assert_page(200, "Log in with Globus");
    assert_eq!(app.table().map(|table| table.scan().unwrap().len()), Some(0));
    assert!(app.stand_in().issued_tokens().iter().all(|token| app.stand_in().is_revoked(token)));
    Ok(())
}

/// A stand-in, and an instance in this process that knows it and has a table or none.
pub(crate) async fn instance(storage: Storage) -> Result<(Warm, StandIn, Option<Table<'static>>)> {
    let globus = StandIn::start(0, &[&format!("{BASE_URL}/login")]).await.map_err(|error| error.to_string())?;
    let table = if storage == Storage::Table { Some(DynamoDb::shared()?.table()?) } else { None };
    let ours = [
        ("GLOBUS_AUTH_URL", globus.url()),
        ("GLOBUS_CLIENT_ID", CLIENT_ID),
        ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET),
        ("SESSION_MAX_HOURS", "8760"),
        ("SESSION_IDLE_HOURS", "8760"),
    ];
    let mut variables = table.as_ref().map(Table::variables).unwrap_or_default();
    variables.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok((Warm::start(BASE_URL, &variables), globus, table))
}

#[tokio::test]
async fn tokens_that_come_after_a_logout_or_without_a_table_are_revoked() -> Result<()> {
    for (lose, status) in [(Table::clear as fn(&Table<'static>) -> Result<()>, 302), (Table::delete, 503)] {
        let (mut warm, globus, table) = instance(Storage::Table).await?;
        let (mut visitor, table) = (Visitor::default(), table.unwrap());
        visitor.sign_in(&warm, &globus, "ada").await?;
        let lost = Once::new();
        // Globus has given the tokens, and its response is on the way.
        globus.edit_token_response(move |_| lost.call_once(|| lose(&table).unwrap()));

        warm.later(Duration::from_hours(49));
        let response = visitor.get(&warm, "/login?refresh").await?;

        assert_eq!(response.status, status, "{response:?}");
        let issued = globus.issued_tokens();
        assert_eq!(issued.len(), 6);
        assert!(issued[4..].iter().all(|token| globus.is_revoked(token)));
    }
    Ok(())
}

#[tokio::test]
async fn tokens_of_a_sign_in_that_the_table_does_not_take_are_revoked() -> Result<()> {
    let (warm, globus, table) = instance(Storage::Table).await?;
    table.unwrap().delete()?;
    let mut visitor = Visitor::default();
    let callback = visitor.begin(&warm, &globus, "ada").await?;

    visitor.get(&warm, &callback).await?.assert_page(503, "We cannot look up your session");

    assert!(visitor.browser.cookies.is_empty());
    assert!(globus.issued_tokens().iter().all(|token| globus.is_revoked(token)));
    Ok(())
}

/// A browser gives up after twenty redirects.
#[tokio::test]
async fn a_renewal_by_a_clock_that_is_behind_sends_no_browser_round_in_a_circle() -> Result<()> {
    for storage in [Storage::Cookies, Storage::Table] {
        let (mut warm, globus, _table) = instance(storage).await?;
        let mut visitor = Visitor::default();
        visitor.sign_in(&warm, &globus, "ada").await?;
        // A minute before their end, tokens are due.
        warm.later(Duration::from_hours(48) - Duration::from_mins(1));
        let ahead = warm.time;
        visitor.get(&warm, "/").await?.assert_redirect(302, "/login?refresh&next=%2F");

        warm.time = ahead - Duration::from_secs(30);
        visitor.get(&warm, "/login?refresh&next=%2F").await?.assert_redirect(302, &format!("{BASE_URL}/"));

        warm.time = ahead;
        visitor.is_greeted(&warm).await?;
    }
    Ok(())
}

/// No cache may give one person what was meant for another.
#[tokio::test]
async fn two_people_who_renew_in_turn_at_one_instance_each_get_their_own() -> Result<()> {
    for storage in [Storage::Cookies, Storage::Table] {
        let (mut warm, globus, _table) = instance(storage).await?;
        let mut people = [("ada", Visitor::default()), ("sparse", Visitor::default())];
        for (person, visitor) in &mut people {
            visitor.sign_in(&warm, &globus, person).await?;
        }
        for _ in 0..50 {
            warm.later(Duration::from_hours(49));
            for (person, visitor) in &mut people {
                visitor.get(&warm, "/login?refresh").await?.assert_redirect(302, &format!("{BASE_URL}/"));
                for token in warm.access_tokens(visitor).await {
                    assert_eq!(globus.whose(&token), Some(*person));
                }
            }
        }
        assert_eq!(globus.requests(Endpoint::Token), 2 + 2 * 50 * 2);
    }
    Ok(())
}
