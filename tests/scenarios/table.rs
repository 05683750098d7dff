//! Sessions in a table, against AWS's own DynamoDB Local: beyond the contract that every storage holds to, what only a
//! table can do.

mod functions;
mod renewal;

use std::time::{Duration, Instant};

use kit::{
    Result,
    dynamodb::{DynamoDb, Table},
    recorder::Recorder,
};
use lambda_http::Request;
use serde_json::json;
use shared::{
    App, Timestamp,
    config::{Config, Environment, TableConfig},
    log::Reason,
    session::{DisplayText, Session, Visitor},
    storage::{
        DynamoDbStorage, Ended, Kept, Lease, Renewal, TokenStorage as _,
        contract::{self, begin, renewed, sends},
        create_with_the_same_id,
    },
    testing::{Event, admitted, configure, cookie_of_the_first_release, noon, sealed_cookies, session},
};

const TOKEN_LIFE: Duration = Duration::from_hours(48);
const IDLE: Duration = Duration::from_hours(100);
const ENDPOINT: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// A storage on a table of its own, with an idle limit that is longer than tokens live.
fn storage() -> Result<(DynamoDbStorage, Table<'static>)> {
    let table = DynamoDb::shared()?.table()?;
    Ok((storage_on(table.variables())?, table))
}

/// One that reaches its table through a connection that can lose a response.
fn unreliable_storage() -> Result<(DynamoDbStorage, Table<'static>, Recorder)> {
    let table = DynamoDb::shared()?.table()?;
    let connection = Recorder::start(DynamoDb::shared()?.port())?;
    let mut pairs = table.variables();
    pairs.retain(|(name, _)| name != ENDPOINT);
    pairs.push((ENDPOINT.to_owned(), connection.url()));
    Ok((storage_on(pairs)?, table, connection))
}

fn storage_on(mut pairs: Vec<(String, String)>) -> Result<DynamoDbStorage> {
    pairs.push(("SESSION_IDLE_HOURS".to_owned(), "100".to_owned()));
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let read = |env: &Environment<'_>| Ok((App::read(env)?, TableConfig::read(env)?));
    let (app, config) = configure(&pairs, read).map_err(|problems| problems.to_string())?;
    DynamoDbStorage::new(&app.config, config, app.cookies).map_err(|error| error.to_string())
}

/// Whether a renewed session was kept. Its cookie stays as it is.
fn is_kept(kept: &Kept) -> bool {
    matches!(kept, Kept::Yes(None))
}

/// How many seconds since the epoch, as DynamoDB has it.
fn seconds(time: Timestamp) -> String {
    time.seconds().to_string()
}

async fn visitor(storage: &DynamoDbStorage, request: &Request, now: Timestamp) -> Visitor {
    storage.visitor(request, now).await.unwrap()
}

async fn begin_renewal(storage: &DynamoDbStorage, request: &Request, now: Timestamp) -> (Session, Lease) {
    match storage.begin_renewal(request, now).await.unwrap() {
        Renewal::Ours(session, lease) => (*session, lease),
        other => panic!("not ours: {other:?}"),
    }
}

#[tokio::test]
async fn a_table_holds_to_the_contract() -> Result<()> {
    let (storage, _table) = storage()?;
    contract::check(&storage).await;
    Ok(())
}

#[tokio::test]
async fn a_saved_copy_of_the_cookie_is_worth_nothing_after_a_logout() -> Result<()> {
    let (storage, table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    storage.end(&request).await.unwrap();

    assert_eq!(visitor(&storage, &request, noon()).await, Visitor::Unusable(Reason::SessionGone));
    assert_eq!(storage.end(&request).await.unwrap(), Ended::default());
    assert!(matches!(storage.begin_renewal(&request, noon()).await.unwrap(), Renewal::SignInNeeded));
    assert_eq!(table.scan()?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_new_sign_in_takes_the_place_of_the_old_session_of_this_browser_alone() -> Result<()> {
    let (storage, table) = storage()?;
    let (here, elsewhere) = (begin(&storage, &session(noon())).await, begin(&storage, &session(noon())).await);

    let cookie = storage.create(&here, &session(noon()), noon()).await.unwrap().cookie;

    assert_eq!(visitor(&storage, &here, noon()).await, Visitor::Unusable(Reason::SessionGone));
    assert!(matches!(visitor(&storage, &sends(&cookie), noon()).await, Visitor::SignedIn(_)));
    assert!(matches!(visitor(&storage, &elsewhere, noon()).await, Visitor::SignedIn(_)));
    assert_eq!(table.scan()?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_cookie_of_the_first_release_beside_a_newer_one_leaves_no_item_behind() -> Result<()> {
    let (storage, table) = storage()?;
    let cookie = async || storage.create(&Event::get("/").request(), &session(noon()), noon()).await.unwrap().cookie;
    let both = async || {
        let first = cookie_of_the_first_release(&sealed_cookies(&[]).unwrap(), &cookie().await);
        let event = Event::get("/").cookie(&first.stripped().to_string());
        event.cookie(&cookie().await.stripped().to_string()).request()
    };

    let request = both().await;
    assert_eq!((table.scan()?.len(), storage.end(&request).await.unwrap().sessions.len()), (2, 2));
    assert_eq!(table.scan()?.len(), 0);

    storage.create(&both().await, &session(noon()), noon()).await.unwrap();
    assert_eq!(table.scan()?.len(), 1, "the new session alone");
    Ok(())
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_sessions_of_this_person_only() -> Result<()> {
    let (storage, table) = storage()?;
    let mut requests = Vec::new();
    for _ in 0..30 {
        requests.push(begin(&storage, &session(noon())).await);
    }
    let mut other = session(noon());
    other.identity.sub.push('x');
    let other = begin(&storage, &other).await;

    let ended = storage.end_everywhere(&requests[0], noon()).await.unwrap();

    assert_eq!(ended, Ended { sessions: vec![session(noon())], others_left: None });
    assert_eq!(table.scan()?.len(), 1);

    for request in &requests {
        assert_eq!(visitor(&storage, request, noon()).await, Visitor::Unusable(Reason::SessionGone));
    }
    assert!(matches!(visitor(&storage, &other, noon()).await, Visitor::SignedIn(_)));
    Ok(())
}

#[tokio::test]
async fn the_ticket_of_a_session_that_has_ended_ends_no_newer_session() -> Result<()> {
    let (storage, table) = storage()?;
    let limits = [("idle", IDLE), ("absolute", Duration::from_hours(168))];
    for (limit, ended_after) in limits {
        let [logged_out, over] = [begin(&storage, &session(noon())).await, begin(&storage, &session(noon())).await];
        storage.end(&logged_out).await.unwrap();
        let now = noon() + ended_after;
        let newer = sends(&storage.create(&Event::get("/").request(), &session(now), now).await.unwrap().cookie);

        let refused = Some(Reason::SessionEnded);
        let ended = storage.end_everywhere(&logged_out, now).await.unwrap();
        assert_eq!(ended, Ended { sessions: Vec::new(), others_left: refused }, "{limit}");
        let ended = storage.end_everywhere(&over, now).await.unwrap();
        assert_eq!(ended, Ended { sessions: vec![session(noon())], others_left: refused }, "{limit}");

        assert!(matches!(visitor(&storage, &newer, now).await, Visitor::SignedIn(_)), "{limit}");
        table.clear()?;
    }
    Ok(())
}

/// As before there was a limit: many requests at once, and this browser's session last, left most of them alive.
#[tokio::test]
async fn logging_out_everywhere_ends_five_hundred_sessions() -> Result<()> {
    let (storage, table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let mut item = table.scan()?.remove(0);
    // 3,000 bytes each: DynamoDB gives them in two pages.
    item["sealed"] = json!({ "B": "A".repeat(4_000) });
    for number in 0..500 {
        item["session_id"] = json!({ "S": format!("older-{number}") });
        table.put(&item)?;
    }

    let ended = storage.end_everywhere(&request, noon()).await.unwrap();

    assert_eq!(ended, Ended { sessions: vec![session(noon())], others_left: None });
    assert_eq!(table.scan()?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_user_has_fifty_sessions_at_most_and_the_oldest_ends() -> Result<()> {
    let (storage, table) = storage()?;
    let mut requests = Vec::new();
    for number in 0..53 {
        let now = noon() + Duration::from_secs(number);
        let created = storage.create(&Event::get("/").request(), &session(noon()), now).await.unwrap();
        requests.push(sends(&created.cookie));
    }

    assert_eq!(table.scan()?.len(), 50);
    let now = noon() + Duration::from_secs(53);
    for (number, request) in requests.iter().enumerate() {
        let ended = visitor(&storage, request, now).await == Visitor::Unusable(Reason::SessionGone);
        assert_eq!(ended, number < 3, "session {number}");
    }
    Ok(())
}

#[tokio::test]
async fn a_last_use_in_the_future_revives_no_idle_session() -> Result<()> {
    let (storage, table) = storage()?;
    let idle_from = noon() + IDLE;
    for (ahead, revived) in [(31, false), (1_000_000_000, false), (30, true)] {
        let request = begin(&storage, &lasting()).await;
        let mut item = table.scan()?.remove(0);
        item["last_used_at"] = json!({ "N": seconds(idle_from + Duration::from_secs(ahead)) });
        table.put(&item)?;

        let visitor = visitor(&storage, &request, idle_from).await;
        assert_eq!(matches!(visitor, Visitor::SignedIn(_)), revived, "{ahead} s ahead: {visitor:?}");
        table.clear()?;
    }
    Ok(())
}

/// A session whose tokens outlast it.
fn lasting() -> Session {
    let mut session = session(noon());
    for token in &mut session.tokens {
        token.lifetime = Duration::from_secs(1_000_000);
    }
    session
}

#[tokio::test]
async fn an_unused_session_ends_and_one_in_use_does_not() -> Result<()> {
    let (storage, table) = storage()?;
    let (idle, used) = (begin(&storage, &lasting()).await, begin(&storage, &lasting()).await);

    let before = table.scan()?;
    assert!(matches!(
        visitor(&storage, &used, noon() + IDLE / 10 - Duration::from_secs(1)).await,
        Visitor::SignedIn(_)
    ));
    assert_eq!(table.scan()?, before, "the last use is written now and then only");
    let looked_at = noon() + IDLE / 2;
    assert!(matches!(visitor(&storage, &used, looked_at).await, Visitor::SignedIn(_)));
    let written = table.scan()?;
    let of_used = written.iter().find(|item| item["last_used_at"]["N"] == seconds(looked_at));
    assert_eq!(of_used.unwrap()["version"]["N"], "1", "that leaves the version alone");

    assert!(matches!(visitor(&storage, &idle, noon() + IDLE).await, Visitor::Expired(_)));
    assert!(matches!(visitor(&storage, &used, noon() + IDLE).await, Visitor::SignedIn(_)));
    Ok(())
}

/// A page whose script asks again and again who is logged in must not keep the session alive.
#[tokio::test]
async fn a_look_at_a_session_is_no_use_of_it() -> Result<()> {
    let (storage, table) = storage()?;
    let request = begin(&storage, &lasting()).await;
    let (late, idle) = (noon() + IDLE - Duration::from_secs(1), noon() + IDLE);

    assert!(matches!(storage.look(&request, late).await, Ok(Visitor::SignedIn(_))));
    assert!(matches!(storage.look(&request, idle).await, Ok(Visitor::Expired(_))));
    assert_eq!(table.scan()?[0]["last_used_at"]["N"], seconds(noon()));

    assert!(matches!(visitor(&storage, &request, late).await, Visitor::SignedIn(_)));
    assert_eq!(table.scan()?[0]["last_used_at"]["N"], seconds(late));
    Ok(())
}

#[tokio::test]
async fn an_item_that_dynamodb_has_not_deleted_yet_signs_no_user_in() -> Result<()> {
    let (storage, table) = storage()?;
    let request = begin(&storage, &lasting()).await;
    let ends = noon() + Duration::from_hours(168);
    assert_eq!(table.scan()?[0]["expires_at"]["N"], seconds(ends));

    // In use until then: it is not the idle limit that ends it.
    for last in [noon() + Duration::from_hours(90), ends - Duration::from_secs(1)] {
        assert!(matches!(visitor(&storage, &request, last).await, Visitor::SignedIn(_)), "{last:?}");
    }
    assert!(matches!(visitor(&storage, &request, ends).await, Visitor::Expired(_)));
    assert!(matches!(storage.begin_renewal(&request, ends).await.unwrap(), Renewal::SignInNeeded));
    Ok(())
}

#[tokio::test]
async fn an_id_that_comes_twice_is_an_error_and_overwrites_no_session() -> Result<()> {
    let (storage, _table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    let mut other = session(noon());
    other.identity.name = DisplayText::new("Another User");

    let refused = create_with_the_same_id(&storage, &request, &other, noon()).await.unwrap_err();

    assert_eq!(refused.row().reason.as_str(), "session_id_taken");
    assert_eq!(visitor(&storage, &request, noon()).await, Visitor::SignedIn(session(noon())));
    Ok(())
}

/// If DynamoDB has done what it was asked for and its response is lost, it is asked again, and finds it done.
#[tokio::test]
async fn what_was_done_without_a_response_is_not_taken_for_undone() -> Result<()> {
    let (storage, table, connection) = unreliable_storage()?;
    let session = session(noon());

    connection.lose_the_response_to("putitem");
    let request = begin(&storage, &session).await;
    assert_eq!(visitor(&storage, &request, noon()).await, Visitor::SignedIn(session.clone()));

    let over = noon() + TOKEN_LIFE;
    connection.lose_the_response_to("updateitem");
    let (mut session, lease) = begin_renewal(&storage, &request, over).await;
    // Not after waiting for a lease of its own to run out.
    let until: u64 = table.scan()?[0]["lease_until"]["N"].as_str().and_then(|number| number.parse().ok()).unwrap();
    assert!(until < seconds(over).parse::<u64>().unwrap() + 20, "{until}");
    session.replace_tokens(vec![renewed(over)]);
    session.note_renewal(over);
    connection.lose_the_response_to("updateitem");
    let kept = storage.finish_renewal(&request, lease, &session, over).await.unwrap();
    assert!(is_kept(&kept), "{kept:?}");
    assert_eq!(visitor(&storage, &request, over).await, Visitor::SignedIn(session.clone()));

    connection.lose_the_response_to("deleteitem");
    let ended = Ended { sessions: vec![session], others_left: None };
    assert_eq!(storage.end(&request).await.unwrap(), ended, "its tokens are to be revoked");
    assert_eq!(table.scan()?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn an_edited_item_or_one_of_another_format_signs_no_user_in() -> Result<()> {
    let (storage, table) = storage()?;
    for (attribute, value) in [
        ("sealed", json!({ "B": "AAAA" })),
        ("version", json!({ "N": "2" })),
        ("format", json!({ "N": "0" })),
        ("format", json!({ "N": "2" })),
        ("sealed", json!({ "S": "text" })),
    ] {
        let request = begin(&storage, &session(noon())).await;
        let mut item = table.scan()?.remove(0);
        item[attribute] = value;
        table.put(&item)?;
        assert_eq!(visitor(&storage, &request, noon()).await, Visitor::Unusable(Reason::SessionUnreadable), "{item}");
        storage.end(&request).await.unwrap();
    }
    Ok(())
}

#[tokio::test]
async fn a_session_put_into_the_item_of_another_signs_no_user_in() -> Result<()> {
    let (storage, table) = storage()?;
    let (victim, attacker) = (begin(&storage, &session(noon())).await, begin(&storage, &session(noon())).await);
    let mut items = table.scan()?;
    let sealed = items[0]["sealed"].clone();
    items[1]["sealed"] = sealed;
    table.put(&items[1])?;

    let standing = [visitor(&storage, &victim, noon()).await, visitor(&storage, &attacker, noon()).await];
    assert_eq!(standing.iter().filter(|visitor| **visitor == Visitor::Unusable(Reason::SessionUnreadable)).count(), 1);
    Ok(())
}

#[tokio::test]
async fn the_table_tells_nothing_of_a_person_but_the_uuid() -> Result<()> {
    let (storage, table) = storage()?;
    begin(&storage, &session(noon())).await;
    let items = serde_json::Value::from(table.scan()?).to_string();
    for secret in ["canary", "Grace", "Hopper", "gateway.example", "transfer"] {
        assert!(!items.contains(secret), "{secret} in {items}");
    }
    assert!(items.contains("8c8b2a0e"), "{items}");
    Ok(())
}

#[tokio::test]
async fn a_missing_table_is_trouble_and_not_a_logout() -> Result<()> {
    let (storage, table) = storage()?;
    let request = begin(&storage, &session(noon())).await;
    table.delete()?;
    assert_eq!(storage.visitor(&request, noon()).await.unwrap_err().row().reason.as_str(), "store_table_missing");
    assert_eq!(storage.end(&request).await.unwrap_err().row().reason.as_str(), "store_table_missing");
    let refused = storage.create(&Event::get("/").request(), &session(noon()), noon()).await;
    assert_eq!(refused.unwrap_err().row().reason.as_str(), "store_table_missing");
    Ok(())
}
