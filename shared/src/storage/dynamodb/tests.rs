//! What the storage does if DynamoDB is slow, refuses, or sends a response that cannot be read. The tests of the normal
//! case run against DynamoDB Local, in `tests/`.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{table::Attributes, *};
use crate::{
    App,
    testing::{Event, Log, configure, noon, of_the_first_release, session},
};

/// A server in place of DynamoDB. It sends the same response to every request.
struct Endpoint {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Endpoint {
    /// Responds with this status and body after `delay`.
    fn start(status: u16, body: &'static str, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || {
                    let read = connection.read(&mut [0; 16 * 1024]);
                    thread::sleep(delay);
                    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}", body.len());
                    read.and_then(|_| connection.write_all(format!("{head}\r\n\r\n{body}").as_bytes()))
                });
            }
        });
        Self { url, requests }
    }

    fn app(&self) -> App {
        app(&self.url)
    }
}

fn app(endpoint: &str) -> App {
    let pairs = [
        ("TOKEN_TABLE", "sessions"),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    configure(&pairs, App::read).unwrap()
}

/// A request with a valid ticket.
fn request(app: &App) -> Request {
    let ticket = Ticket::new("a-user").unwrap();
    let cookie = app.cookies.seal(Purpose::Ticket, NAME, &ticket, Duration::from_mins(1)).unwrap();
    Event::get("/").cookie(&cookie.stripped().to_string()).request()
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
    let Opened::Value(ticket) = Held::<Ticket>::of(&request, &app.cookies).current() else {
        panic!("the ticket cannot be read");
    };
    let sealed = URL_SAFE_NO_PAD.decode(include_str!("../samples/item-1.txt").trim()).unwrap();
    let item = Item::from(Attributes::from([
        ("format".to_owned(), number(1)),
        ("version".to_owned(), number(1)),
        ("sealed".to_owned(), AttributeValue::B(Blob::new(sealed))),
    ]));
    let mut renewed = of_the_first_release(session(noon()));
    renewed.replace_tokens(Vec::new(), noon() + Duration::from_secs(7));
    assert_eq!(item.open(&ticket), Some(renewed));
}

#[test]
fn debug_output_shows_no_key() {
    let ticket = Ticket::new("a-user").unwrap();
    assert_eq!(format!("{ticket:?}"), format!("Ticket(1, \"a-user\", \"{}\", [redacted])", ticket.id()));
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}
