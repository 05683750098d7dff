//! What the storage does if DynamoDB is slow, refuses, or sends a response that cannot be read. The tests of the normal
//! case run against DynamoDB Local, in `tests/`.

mod ending;
mod endpoint;

use std::{collections::BTreeSet, net::TcpListener, sync::atomic::Ordering};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::{table::Attributes, *};
use crate::{
    App,
    testing::{Event, Log, configure, noon, of_the_first_release, session},
};
use endpoint::Endpoint;

fn app(endpoint: &str) -> App {
    configure(&pairs(endpoint), App::read).unwrap()
}

fn pairs(endpoint: &str) -> [(&str, &str); 5] {
    [
        ("TOKEN_TABLE", "sessions"),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]
}

/// A request with this ticket.
fn request_with(app: &App, ticket: &Ticket) -> Request {
    let cookie = app.cookies.seal(Purpose::Ticket, NAME, ticket, Duration::from_mins(1)).unwrap();
    Event::get("/").cookie(&cookie.stripped().to_string()).request()
}

/// A request with a valid ticket.
fn request(app: &App) -> Request {
    request_with(app, &Ticket::new("a-user").unwrap())
}

/// The item of a session that began at noon and was last used at `used`, as DynamoDB sends it.
fn item_of(ticket: &Ticket, used: &str) -> serde_json::Value {
    let sealed = STANDARD.encode(item::seal(&session(noon()), ticket, 1).unwrap());
    let one = json!({ "N": "1" });
    json!({ "format": one, "version": one, "sealed": { "B": sealed }, "last_used_at": { "N": used } })
}

async fn reason(app: &App) -> &'static str {
    match app.visitor(&request(app), noon()).await {
        Err(error) => {
            assert_eq!(error.row().status, 503);
            error.row().reason.as_str()
        }
        Ok(Visitor::Unusable(reason)) => reason.as_str(),
        Ok(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_error_of_dynamodb_never_counts_as_signed_out() {
    for (status, body, expected) in [
        (400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"}"#, "store_table_missing"),
        (400, r#"{"__type":"com.amazon.coral.service#AccessDeniedException"}"#, "store_access_denied"),
        (400, r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException"}"#, "store_access_denied"),
        (
            400,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#,
            "store_throttled",
        ),
        (400, r#"{"__type":"com.amazon.coral.availability#ThrottlingException"}"#, "store_throttled"),
        (500, r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError"}"#, "store_error"),
        (503, "<h1>canary</h1>", "store_error"),
        (200, "canary", "store_response_unreadable"),
    ] {
        let log = Log::listen();
        let endpoint = Endpoint::start(status, body, Duration::ZERO);
        let found = reason(&endpoint.app()).await;
        assert!(found == expected || found == "store_error", "{found} for {body}");
        assert!(status == 200 || found == expected, "{found} for {body}");
        assert!(!log.text().contains("canary"), "{}", log.text());
    }
}

#[tokio::test]
async fn a_response_without_the_item_means_signed_out() {
    let endpoint = Endpoint::start(200, "{}", Duration::ZERO);
    assert_eq!(reason(&endpoint.app()).await, "session_gone");
}

/// The read failed, and the response to the deletion was lost: the tokens cannot be revoked, and the page must say so.
#[tokio::test]
async fn tokens_left_by_a_deletion_that_finds_nothing_after_a_failed_read_are_named() {
    // No item for a read, nothing at all for a deletion.
    let endpoint = Endpoint::start(200, r#"{"Item":1}"#, Duration::ZERO);
    let app = endpoint.app();

    let failed = app.storage.end(&request(&app)).await.unwrap_err();

    assert!(matches!(failed.kind(), Kind::StoreUnavailable(_)), "{failed:?}");
}

#[tokio::test]
async fn retries_are_bounded() {
    let endpoint = Endpoint::start(500, "{}", Duration::ZERO);
    reason(&endpoint.app()).await;
    assert_eq!(endpoint.requests.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_slow_dynamodb_times_out_within_the_limit() {
    let endpoint = Endpoint::start(200, "{}", Duration::from_secs(20));
    let begun = Instant::now();
    assert_eq!(reason(&endpoint.app()).await, "store_timeout");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(endpoint.requests.load(Ordering::Relaxed) > 1, "a request that is lost on its way is sent again in time");
}

/// A lease counts on it. Each attempt ends in time, and all three together take longer than a request may.
#[tokio::test]
async fn attempts_that_fail_slowly_end_within_the_limit_of_a_request() {
    let endpoint = Endpoint::start(500, "{}", Duration::from_millis(1400));
    assert_eq!(reason(&endpoint.app()).await, "store_timeout");
}

#[tokio::test]
async fn a_dynamodb_that_is_down_is_reported_as_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(reason(&app(&format!("http://{closed}"))).await, "store_unreachable");
}

#[tokio::test]
async fn a_request_without_a_ticket_does_not_call_dynamodb() {
    let endpoint = Endpoint::start(500, "{}", Duration::ZERO);
    let app = endpoint.app();
    for event in [Event::get("/"), Event::get("/").cookie("__Host-session-8af82921=garbage")] {
        let visitor = app.visitor(&event.request(), noon()).await.unwrap();
        assert!(matches!(visitor, Visitor::SignedOut | Visitor::Unusable(Reason::CookieUnreadable)));
    }
    assert_eq!(endpoint.requests.load(Ordering::Relaxed), 0);
}

/// By a logout in another tab, between the read and the note that it is in use. A note that fails logs no user out.
#[tokio::test]
async fn a_session_that_ends_during_a_page_view_signs_no_user_in() {
    let refused = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
    let ticket = Ticket::new("a-user").unwrap();
    for (status, body, expected) in
        [(400, refused, Visitor::Unusable(Reason::SessionGone)), (500, "{}", Visitor::SignedIn(session(noon())))]
    {
        let found = json!({ "Item": item_of(&ticket, "1799990000") }).to_string();
        let endpoint = Endpoint::responding(Duration::ZERO, move |asked| match asked.get("UpdateExpression") {
            Some(_) => (status, body.to_owned()),
            None => (200, found.clone()),
        });
        let app = endpoint.app();

        assert_eq!(app.visitor(&request_with(&app, &ticket), noon()).await.unwrap(), expected, "{status}");
    }
}

/// The session of a user who only calls functions behind the authorizer would end as if it were idle.
#[tokio::test]
async fn a_request_that_is_decided_upon_for_another_function_is_a_use() {
    let ticket = Ticket::new("a-user").unwrap();
    let found = json!({ "Item": item_of(&ticket, "1799990000") }).to_string();
    let endpoint = Endpoint::responding(Duration::ZERO, move |_| (200, found.clone()));
    let app = endpoint.app();

    let found = app.session_for_another(&request_with(&app, &ticket), noon()).await.unwrap();

    assert_eq!(found, session(noon()));
    let noted = endpoint.last();
    assert_eq!(noted["UpdateExpression"], "SET last_used_at = :now");
    assert_eq!(noted["ExpressionAttributeValues"], json!({ ":now": { "N": "1800000000" } }));
}

/// The lease of a request that has died ends a second after this one begins to wait.
#[tokio::test]
async fn a_request_that_waits_for_a_renewal_sees_the_lease_end_meanwhile() {
    let ticket = Ticket::new("a-user").unwrap();
    // The tokens have ended. A lease is over half a minute after its end, by the clock of any instance.
    let now = noon() + Duration::from_hours(48);
    let mut item = item_of(&ticket, "1800172800");
    item["lease_until"] = json!({ "N": "1800172771" });
    let found = json!({ "Item": item }).to_string();
    let endpoint = Endpoint::responding(Duration::ZERO, move |_| (200, found.clone()));
    let app = endpoint.app();

    let renewal = app.storage.begin_renewal(&request_with(&app, &ticket), now).await.unwrap();

    assert!(matches!(renewal, Renewal::Ours(..)), "{renewal:?}");
}

/// DynamoDB Local reads what was just written in any case, so only the request shows that it is asked to.
#[tokio::test]
async fn every_read_is_strongly_consistent() {
    let endpoint = Endpoint::start(200, "{}", Duration::ZERO);
    let (storage, ticket) = (endpoint.storage(), Ticket::new("a-user").unwrap());

    assert!(storage.table.get(&ticket).await.unwrap().is_none());
    let key = json!({ "sub": { "S": "a-user" }, "session_id": { "S": ticket.id() } });
    assert_eq!(endpoint.last(), json!({ "TableName": "sessions", "Key": key, "ConsistentRead": true }));

    assert_eq!(storage.table.sessions("a-user").await.unwrap(), []);
    let query = endpoint.last();
    assert_eq!((&query["ConsistentRead"], &query["KeyConditionExpression"]), (&json!(true), &json!("#sub = :sub")));
    assert_eq!(query["ExpressionAttributeValues"], json!({ ":sub": { "S": "a-user" } }));
}

/// Each condition also holds after the very write that it guards, since the SDK may send that again.
#[tokio::test]
async fn every_write_has_its_condition() {
    let endpoint = Endpoint::start(200, "{}", Duration::ZERO);
    let (storage, ticket) = (endpoint.storage(), Ticket::new("a-user").unwrap());
    let session = session(noon());

    storage.table.put(&ticket, &session, noon(), noon() + Duration::from_hours(1)).await.unwrap();
    let put = endpoint.last();
    assert_eq!(put["ConditionExpression"], "attribute_not_exists(session_id) OR sealed = :sealed");
    assert_eq!(put["ExpressionAttributeValues"][":sealed"], put["Item"]["sealed"]);
    let [created, used, expires] = ["created_at", "last_used_at", "expires_at"].map(|name| &put["Item"][name]["N"]);
    assert_eq!([created, used, expires], ["1800000000", "1800000000", "1800003600"]);

    assert!(storage.table.note_use(&ticket, noon()).await.unwrap());
    let noted = endpoint.last();
    assert_eq!(noted["ConditionExpression"], "attribute_exists(session_id)");
    assert_eq!(noted["UpdateExpression"], "SET last_used_at = :now");

    assert!(storage.table.take_lease(&ticket, 3, "a-lease", noon()).await.unwrap());
    let leased = endpoint.last();
    assert_eq!(
        leased["ConditionExpression"],
        "version = :version AND (attribute_not_exists(lease_until) OR lease_id = :id OR NOT lease_until BETWEEN :past AND \
         :future)"
    );
    let values = json!({
        ":version": { "N": "3" },
        ":id": { "S": "a-lease" },
        ":until": { "N": "1800000017" },
        ":past": { "N": "1799999971" },
        ":future": { "N": "1800000047" },
    });
    assert_eq!(leased["ExpressionAttributeValues"], values);

    assert!(storage.table.replace(&ticket, &session, 4, "a-lease").await.unwrap());
    let replaced = endpoint.last();
    assert_eq!(replaced["ConditionExpression"], "lease_id = :lease OR sealed = :sealed");
    let update = "SET sealed = :sealed, version = :version REMOVE lease_id, lease_until";
    assert_eq!(replaced["UpdateExpression"], update);
    let values = &replaced["ExpressionAttributeValues"];
    assert_eq!((&values[":lease"]["S"], &values[":version"]["N"]), (&json!("a-lease"), &json!("4")));
}

#[test]
fn a_thousand_tickets_have_as_many_ids_and_keys_of_full_length() {
    let tickets: Vec<_> = (0..1000).map(|_| Ticket::new("a-user").unwrap()).collect();
    let ids: BTreeSet<_> = tickets.iter().map(Ticket::id).collect();
    let keys: BTreeSet<_> = tickets.iter().map(|ticket| ticket.key().unwrap()).collect();

    assert_eq!((ids.len(), keys.len()), (1000, 1000));
    assert!(ids.iter().all(|id| URL_SAFE_NO_PAD.decode(id).unwrap().len() == 16), "{ids:?}");
    assert!(keys.iter().all(|key| key.len() == 32));
    // The table shows the id.
    assert!(ids.iter().all(|id| !keys.contains(id.as_bytes()) && !keys.contains(&URL_SAFE_NO_PAD.decode(id).unwrap())));
}

/// Two texts under one key and nonce would show what they have in common.
#[test]
fn no_two_items_have_the_same_nonce() {
    let ticket = Ticket::new("a-user").unwrap();
    let nonces: BTreeSet<_> =
        (0..1000).map(|_| item::seal(&session(noon()), &ticket, 1).unwrap()[..12].to_vec()).collect();
    assert_eq!(nonces.len(), 1000);
}

#[test]
fn a_session_opens_only_with_its_own_ticket_item_and_version() {
    let (ticket, other) = (Ticket::new("a-user").unwrap(), Ticket::new("a-user").unwrap());
    let item = |version: u64, sealed: &[u8]| {
        Item::from(Attributes::from([
            ("format".to_owned(), number(item::FORMAT_VERSION)),
            ("version".to_owned(), number(version)),
            ("sealed".to_owned(), AttributeValue::B(Blob::new(sealed))),
        ]))
    };
    let sealed = item::seal(&session(noon()), &ticket, 3).unwrap();

    assert_eq!(item(3, &sealed).open(&ticket), Some(session(noon())));
    assert_eq!(item(4, &sealed).open(&ticket), None, "sealed for another version");
    assert_eq!(item(3, &sealed).open(&other), None, "another session of the same user");
    // With the same key: what is bound to the item is its user and its id.
    let stored = serde_json::to_value(&ticket).unwrap();
    for (at, of) in [(1, "user"), (2, "session")] {
        let mut moved = stored.clone();
        moved[at] = "another".into();
        let moved: Ticket = serde_json::from_value(moved).unwrap();
        assert_eq!(item(3, &sealed).open(&moved), None, "the item of another {of}");
    }
    for index in 0..sealed.len() {
        let mut edited = sealed.clone();
        edited[index] ^= 1;
        assert_eq!(item(3, &edited).open(&ticket), None, "byte {index}");
    }
    for odd in [Attributes::new(), Attributes::from([("sealed".to_owned(), text("text"))])] {
        assert_eq!(Item::from(odd).open(&ticket), None);
    }
    assert_eq!(item(3, &sealed[..11]).open(&ticket), None, "cut off");
}

#[test]
fn no_number_in_an_item_causes_a_panic() {
    for odd in ["0", "18446744073709551615", "9223372036854775807", "-1", "1.5", "x"] {
        let numbers = ["version", "format", "last_used_at", "lease_until"];
        let attributes = numbers.map(|name| (name.to_owned(), AttributeValue::N(odd.to_owned())));
        let mut item = Item::from(Attributes::from(attributes));
        item.disbelieve_the_future(&session(noon()), noon());
        item.is_idle(Duration::from_hours(24), noon());
        item.is_leased(noon());
        assert_eq!(item.open(&Ticket::new("a-user").unwrap()), None);
    }
}

/// Sealed when the formats were new. If this test fails, the next release would log out every user.
#[test]
fn a_ticket_and_an_item_of_the_first_release_can_be_read() {
    let ticket = include_str!("../samples/ticket-1.txt").trim();
    let request = Event::get("/").cookie(&format!("__Host-session={ticket}")).request();
    let app = app("http://127.0.0.1:9");
    let held = Held::of(&request, &app.cookies, Purpose::Ticket, Ticket::is_known);
    let Opened::Value(ticket) = held.current(Ticket::sub) else {
        panic!("the ticket cannot be read");
    };
    let sealed = URL_SAFE_NO_PAD.decode(include_str!("../samples/item-1.txt").trim()).unwrap();
    let item = Item::from(Attributes::from([
        ("format".to_owned(), number(1)),
        ("version".to_owned(), number(1)),
        ("sealed".to_owned(), AttributeValue::B(Blob::new(sealed))),
    ]));
    let mut renewed = of_the_first_release(session(noon()));
    renewed.note_renewal(noon() + Duration::from_secs(7));
    assert_eq!(item.open(&ticket), Some(renewed));
}

#[test]
fn debug_output_shows_no_key() {
    let ticket = Ticket::new("a-user").unwrap();
    assert_eq!(format!("{ticket:?}"), format!("Ticket(1, \"a-user\", \"{}\", [redacted])", ticket.id()));
}

/// A wrong format counts as if the ticket could not be opened.
#[test]
fn a_ticket_or_an_item_of_a_format_to_come_is_not_read() {
    let (ticket, sessions) = (Ticket::new("a-user").unwrap(), session(noon()));
    let mut next = serde_json::to_value(&ticket).unwrap();
    next[0] = 2.into();
    assert!(ticket.is_known() && !serde_json::from_value::<Ticket>(next).unwrap().is_known());

    let sealed = item::seal(&sessions, &ticket, 1).unwrap();
    let of_format = |format: u64| {
        Item::from(Attributes::from([
            ("format".to_owned(), number(format)),
            ("version".to_owned(), number(1)),
            ("sealed".to_owned(), AttributeValue::B(Blob::new(sealed.clone()))),
        ]))
    };
    assert!(of_format(1).open(&ticket).is_some());
    assert!(of_format(0).open(&ticket).is_none() && of_format(2).open(&ticket).is_none());
}

#[test]
fn a_session_of_another_version_in_an_item_is_not_read() {
    let ticket = Ticket::new("a-user").unwrap();
    for (version, is_read) in [(0, false), (1, true), (2, false)] {
        let mut stored = serde_json::to_value(session(noon())).unwrap();
        stored["v"] = version.into();
        let sealed = item::seal(&serde_json::from_value(stored).unwrap(), &ticket, 1).unwrap();
        let item = Item::from(Attributes::from([
            ("format".to_owned(), number(1)),
            ("version".to_owned(), number(1)),
            ("sealed".to_owned(), AttributeValue::B(Blob::new(sealed))),
        ]));
        assert_eq!(item.open(&ticket).is_some(), is_read, "{version}");
    }
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
