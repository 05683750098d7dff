//! What a sign-in and a logout do if sessions cannot be ended.

use serde_json::Value;

use super::*;

/// A table with the session of a ticket and two others of its user, which fails for some requests.
fn table(ticket: &Ticket, fails: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Endpoint {
    let item = item_of(ticket, "1800000000");
    let others = ["other-1", "other-2"].map(|id| json!({ "session_id": { "S": id }, "created_at": { "N": "1" } }));
    Endpoint::responding(Duration::ZERO, move |asked| {
        let response = match asked {
            _ if fails(asked) => return (500, "{}".to_owned()),
            _ if is_query(asked) => json!({ "Items": others }),
            _ if is_deletion(asked) => json!({ "Attributes": item }),
            _ => json!({ "Item": item }),
        };
        (200, response.to_string())
    })
}

fn is_query(asked: &Value) -> bool {
    asked.get("KeyConditionExpression").is_some()
}

fn is_deletion(asked: &Value) -> bool {
    asked.get("ReturnValues").is_some()
}

/// What a logout everywhere ends at this table, with this ticket.
async fn log_out_everywhere(table: &Endpoint, ticket: &Ticket) -> Ended {
    let app = table.app();
    app.storage.end_everywhere(&request_with(&app, ticket), noon()).await.unwrap()
}

#[tokio::test]
async fn a_logout_everywhere_says_that_one_of_the_other_sessions_is_left() {
    let ticket = Ticket::new("a-user").unwrap();
    let table = table(&ticket, |asked| asked["Key"]["session_id"]["S"] == "other-1");

    let ended = log_out_everywhere(&table, &ticket).await;

    assert_eq!(ended, Ended { sessions: vec![session(noon())], others_left: Some(Reason::StoreError) });
}

/// It is not known whether the session was still valid, so it must not end others.
#[tokio::test]
async fn a_logout_everywhere_whose_read_fails_says_that_others_are_left() {
    let ticket = Ticket::new("a-user").unwrap();
    let table = table(&ticket, |asked| !is_query(asked) && !is_deletion(asked));

    let ended = log_out_everywhere(&table, &ticket).await;

    assert_eq!(ended, Ended { sessions: vec![session(noon())], others_left: Some(Reason::StoreError) });
}

#[tokio::test]
async fn a_logout_everywhere_without_a_readable_ticket_is_not_complete() {
    let table = Endpoint::start(500, "{}", Duration::ZERO);
    for event in [Event::get("/"), Event::get("/").cookie("__Host-session-8af82921=garbage")] {
        let ended = table.app().storage.end_everywhere(&event.request(), noon()).await.unwrap();
        assert_eq!(ended, Ended { sessions: Vec::new(), others_left: Some(Reason::SessionEnded) });
    }
}

/// The previous session of the browser cannot be deleted, and the list of the user's sessions has no end.
#[tokio::test]
async fn a_sign_in_succeeds_in_time_though_old_sessions_cannot_be_ended() {
    let more = json!({ "sub": { "S": "a-user" }, "session_id": { "S": "other-1" } });
    let page = json!({ "Items": [], "LastEvaluatedKey": more }).to_string();
    let endpoint = Endpoint::responding(Duration::from_millis(50), move |asked| match asked {
        _ if is_query(asked) => (200, page.clone()),
        _ if is_deletion(asked) => (500, "{}".to_owned()),
        _ => (200, "{}".to_owned()),
    });
    let (app, log) = (endpoint.app(), Log::listen());
    let (request, session) = (request(&app), session(noon()));

    let created = timeout(Duration::from_secs(10), app.storage.create(&request, &session, noon())).await;

    assert_eq!(created.expect("it goes on").unwrap().replaced, []);
    log.assert_reason("store_error");
    log.assert_reason("store_timeout");
}

/// It is the oldest in the table then.
#[tokio::test]
async fn a_sign_in_by_a_clock_that_is_behind_does_not_end_its_own_session() {
    let ticket = Ticket::new("a-user").unwrap();
    let created = |id: &str, at: &str| json!({ "session_id": { "S": id }, "created_at": { "N": at } });
    let others = (0..49).map(|number| created(&format!("other-{number}"), "1800000020"));
    let items: Vec<_> = others.chain([created(ticket.id(), "1800000000")]).collect();
    let page = json!({ "Items": items }).to_string();
    let endpoint = Endpoint::responding(Duration::ZERO, move |_| (200, page.clone()));

    endpoint.storage().end_others(&ticket, 49, Duration::from_secs(10)).await.unwrap();

    assert_eq!(endpoint.requests.load(Ordering::Relaxed), 1, "a query, and no deletion");
}
