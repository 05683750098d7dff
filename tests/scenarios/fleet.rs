//! Many instances of a function and many requests at once, as Lambda runs them.

use std::{
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use globus_stand_in::{Endpoint, Fault, RefreshTokens};
use kit::{
    Result,
    dynamodb::{DynamoDb, Table},
    local::{App, Storage, Watch},
    process::wait_for,
};
use shared::testing::{BASE_URL, Browser, Event, World};

/// How long the tokens live that are to be renewed: longer than the ten seconds before Globus is asked again.
const SHORT: Duration = Duration::from_secs(12);
const SOON: Duration = Duration::from_secs(20);

/// Somebody who is signed in, as far as requests can tell.
struct Person {
    cookie: String,
}

impl Person {
    /// Signs in with two requests and no browser.
    async fn sign_in(app: &App) -> Result<Self> {
        let begun = Answer::get(app.watch(), "/login", "")?;
        let callback = app.stand_in().sign_in(&begun.location(), "ada").await?;
        let path = callback.strip_prefix(app.url()).unwrap_or_default();
        let signed_in = Answer::get(app.watch(), path, &begun.cookie("login-"))?;
        Ok(Self { cookie: signed_in.cookie("session=") })
    }

    fn get(&self, watch: &Watch, path: &str) -> Result<Answer> {
        Answer::get(watch, path, &self.cookie)
    }
}

/// The head and the body of an answer.
struct Answer(String);

impl Answer {
    fn get(watch: &Watch, path: &str, cookie: &str) -> Result<Self> {
        Self::send(watch, &format!("GET {path} HTTP/1.1"), cookie)
    }

    fn send(watch: &Watch, request_line: &str, cookie: &str) -> Result<Self> {
        let headers = format!("accept: text/html\r\nsec-fetch-site: same-origin\r\ncookie: {cookie}\r\n");
        watch.send(request_line, &headers).map(Self)
    }

    fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.0.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
        fields.filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn location(&self) -> String {
        self.header("location").next().unwrap_or_default().to_owned()
    }

    /// The cookie whose name begins like that, as it is sent back.
    fn cookie(&self, prefix: &str) -> String {
        let found = self.header("set-cookie").find(|cookie| cookie.starts_with(prefix)).unwrap_or_default();
        found.split(';').next().unwrap_or_default().to_owned()
    }

    fn status(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or_default()
    }
}

/// The app with a table, somebody who is signed in there, and their tokens about to end. One service, and refresh tokens
/// that change with each use, so that a second renewal would be refused.
async fn about_to_end() -> Result<(App, Person)> {
    let app = App::start(Storage::Table, &[("GLOBUS_SCOPES", "openid profile email")]).await?;
    app.stand_in().refresh_tokens(RefreshTokens::Rotated);
    app.stand_in().expire_tokens_in(SHORT.as_secs());
    let person = Person::sign_in(&app).await?;
    app.stand_in().expire_tokens_in(3600);
    tokio::time::sleep(SHORT).await;
    assert_eq!(person.get(app.watch(), "/")?.location(), "/login?refresh&next=%2F");
    Ok((app, person))
}

/// Has each function started, so that no time goes by with that later.
fn warm(watch: &Watch) -> Result<()> {
    for path in ["/", "/login", "/logout"] {
        Answer::get(watch, path, "")?;
    }
    Ok(())
}

#[tokio::test]
async fn of_fifty_renewals_at_once_on_nine_instances_one_asks_globus_and_everybody_is_served() -> Result<()> {
    let (app, person) = about_to_end().await?;
    let mut others = Vec::new();
    for _ in 0..8 {
        others.push(app.another()?);
    }
    let instances: Vec<_> = others.iter().chain([app.watch()]).collect();
    let before = app.stand_in().requests(Endpoint::Token);
    let served = AtomicUsize::new(0);

    thread::scope(|scope| {
        for number in 0..50 {
            let (watch, served, person) = (instances[number % instances.len()], &served, &person);
            scope.spawn(move || {
                let answer = person.get(watch, "/login?refresh").unwrap();
                assert_eq!(answer.location().rsplit_once('/').unwrap().1, "", "{}", answer.0);
                assert!(person.get(watch, "/").unwrap().0.contains("Hello Ada Lovelace!"));
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
    let (app, person) = about_to_end().await?;
    let doomed = app.another()?;
    warm(&doomed)?;
    let before = app.stand_in().requests(Endpoint::Token);
    app.stand_in().fault(Endpoint::Token, Fault::Hold);

    thread::scope(|scope| {
        let (watch, person) = (&doomed, &person);
        // Nobody answers this one.
        scope.spawn(move || drop(person.get(watch, "/login?refresh")));
        wait_for(SOON, || (app.stand_in().requests(Endpoint::Token) > before).then_some(())).unwrap();
        doomed.kill();
    });
    app.stand_in().clear_faults();

    let answer = person.get(app.watch(), "/login?refresh")?;
    assert_eq!(answer.location(), format!("{}/", app.url()));
    assert!(person.get(app.watch(), "/")?.0.contains("Hello Ada Lovelace!"));
    assert_eq!(app.stand_in().requests(Endpoint::Token) - before, 2);
    Ok(())
}

#[tokio::test]
async fn a_logout_while_a_renewal_is_held_at_globus_is_final() -> Result<()> {
    let (app, person) = about_to_end().await?;
    let other = app.another()?;
    warm(&other)?;
    let before = app.stand_in().requests(Endpoint::Token);
    app.stand_in().fault(Endpoint::Token, Fault::Hold);

    let renewed = thread::scope(|scope| {
        let (watch, holder) = (app.watch(), &person);
        let renewal = scope.spawn(move || holder.get(watch, "/login?refresh"));
        wait_for(SOON, || (app.stand_in().requests(Endpoint::Token) > before).then_some(())).unwrap();
        let logged_out = Answer::send(&other, "POST /logout HTTP/1.1", &person.cookie).unwrap();
        assert_eq!(logged_out.status(), "303", "{}", logged_out.0);
        app.stand_in().clear_faults();
        renewal.join().unwrap()
    })?;

    assert_eq!(renewed.header("set-cookie").count(), 0, "{}", renewed.0);
    assert!(person.get(app.watch(), "/")?.0.contains("Log in with Globus"));
    assert_eq!(app.table().map(|table| table.scan().unwrap().len()), Some(0));
    assert!(app.stand_in().issued_tokens().iter().all(|token| app.stand_in().is_revoked(token)));
    Ok(())
}

/// An instance whose sessions last a year, on a table if there is one.
async fn instance(storage: Storage) -> Result<(World, Option<Table<'static>>)> {
    let table = if storage == Storage::Table { Some(DynamoDb::shared()?.table()?) } else { None };
    let table_variables = table.as_ref().map(Table::variables).unwrap_or_default();
    let of_table = table_variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs: Vec<_> = of_table.chain([("SESSION_MAX_HOURS", "8760"), ("SESSION_IDLE_HOURS", "8760")]).collect();
    Ok((World::with(&pairs).await, table))
}

#[tokio::test]
async fn tokens_that_come_after_a_logout_or_while_the_table_is_down_are_revoked() -> Result<()> {
    for (lose, status) in [(Table::clear as fn(&Table<'static>) -> Result<()>, 302), (Table::delete, 503)] {
        let (mut warm, table) = instance(Storage::Table).await?;
        let (mut browser, table) = (Browser::default(), table.unwrap());
        warm.sign_in(login::handle, &mut browser, "ada").await;
        let lost = Once::new();
        // Globus has given the tokens, and its answer is on the way.
        warm.stand_in.edit_token_response(move |_| lost.call_once(|| lose(&table).unwrap()));

        warm.later(Duration::from_hours(49));
        let answer = warm.send(login::handle, &mut browser, Event::get("/login?refresh")).await;

        assert_eq!(answer.status, status, "{answer:?}");
        let issued = warm.stand_in.issued_tokens();
        assert_eq!(issued.len(), 6);
        assert!(issued[4..].iter().all(|token| warm.stand_in.is_revoked(token)));
    }
    Ok(())
}

#[tokio::test]
async fn tokens_of_a_sign_in_that_the_table_does_not_take_are_revoked() -> Result<()> {
    let (warm, table) = instance(Storage::Table).await?;
    table.unwrap().delete()?;
    let mut browser = Browser::default();

    let answer = warm.sign_in(login::handle, &mut browser, "ada").await;

    answer.assert_page(503, "We cannot look up your session");
    assert!(browser.cookies.is_empty());
    assert!(warm.stand_in.issued_tokens().iter().all(|token| warm.stand_in.is_revoked(token)));
    Ok(())
}

/// No cache may give one person what was meant for another.
#[tokio::test]
async fn two_people_who_renew_in_turn_at_one_warm_instance_each_get_their_own() -> Result<()> {
    for storage in [Storage::Cookies, Storage::Table] {
        let (mut warm, _table) = instance(storage).await?;
        let mut people = [("ada", Browser::default()), ("sparse", Browser::default())];
        for (person, browser) in &mut people {
            warm.sign_in(login::handle, browser, person).await;
        }
        for _ in 0..50 {
            warm.later(Duration::from_hours(49));
            for (person, browser) in &mut people {
                let renewed = warm.send(login::handle, browser, Event::get("/login?refresh")).await;
                renewed.assert_redirect(302, &format!("{BASE_URL}/"));
                let session = warm.session_of(browser).await.unwrap();
                for token in &session.tokens {
                    assert_eq!(warm.stand_in.whose(token.access_token.expose()), Some(*person));
                }
            }
        }
        assert_eq!(warm.stand_in.requests(Endpoint::Token), 2 + 2 * 50 * 2);
    }
    Ok(())
}
