//! What the functions ask of the table.

use std::time::Duration;

use kit::{Result, dynamodb::Table};
use lambda_http::Request;
use shared::{
    App,
    globus::Globus,
    testing::{Browser, Event, Received, World, now, session},
};

use super::{DynamoDb, seconds};

/// A site whose sessions are in a table of its own.
async fn site() -> Result<(World, Table<'static>)> {
    let table = DynamoDb::shared()?.table()?;
    let variables = table.variables();
    let pairs: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Ok((World::with(&pairs).await, table))
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
    let (mut world, table) = site().await?;
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

#[tokio::test]
async fn a_logout_ends_this_session_alone_and_one_everywhere_ends_all() -> Result<()> {
    for (form, left) in [("", 2), ("everywhere=yes", 0)] {
        let (world, table) = site().await?;
        let mut browser = logged_in(&world).await;
        logged_in(&world).await;
        logged_in(&world).await;

        let response = world.send(logout::handle, &mut browser, Event::post("/logout").body(form)).await;

        assert_eq!((response.status, table.scan()?.len()), (303, left), "{form:?}");
    }
    Ok(())
}
