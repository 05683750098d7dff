//! Deliberate faults.

use std::time::{Duration, Instant};

use super::*;
use crate::{Endpoint, Fault};

const ALL: [(Endpoint, &str); 10] = [
    (Endpoint::Authorize, "/v2/oauth2/authorize"),
    (Endpoint::Token, "/v2/oauth2/token"),
    (Endpoint::Revoke, "/v2/oauth2/token/revoke"),
    (Endpoint::Introspect, "/v2/oauth2/token/introspect"),
    (Endpoint::Userinfo, "/v2/oauth2/userinfo"),
    (Endpoint::Jwks, "/jwk.json"),
    (Endpoint::Discovery, "/.well-known/openid-configuration"),
    (Endpoint::Logout, "/v2/web/logout"),
    (Endpoint::TaskList, "/v0.10/task_list"),
    (Endpoint::MyGroups, "/v2/groups/my_groups"),
];

fn bad_gateway() -> Fault {
    Fault::Respond { status: 502, content_type: "text/html", body: "<h1>Bad gateway</h1>".into() }
}

fn asks_for_keys() -> Request<Body> {
    request("GET", "/jwk.json").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn counts_the_requests_of_each_endpoint_including_those_with_a_fault() {
    let stand_in = start().await;
    for (endpoint, path) in ALL {
        assert_eq!(stand_in.requests(endpoint), 0);
        get(&stand_in, path).await;
        stand_in.fault(endpoint, bad_gateway());
        get(&stand_in, path).await;
        assert_eq!(stand_in.requests(endpoint), 2, "{endpoint:?}");
    }
    get(&stand_in, "/nowhere").await;
    assert!(ALL.iter().all(|(endpoint, _)| stand_in.requests(*endpoint) == 2));
}

#[tokio::test]
async fn sends_the_set_response_until_the_faults_are_cleared() {
    let stand_in = start().await;
    stand_in.fault(Endpoint::Jwks, Fault::Drop);
    stand_in.fault(Endpoint::Jwks, bad_gateway());
    for _ in 0..2 {
        let received = get(&stand_in, "/jwk.json").await;
        assert_eq!(received.status, StatusCode::BAD_GATEWAY);
        assert_eq!(received.header(header::CONTENT_TYPE), "text/html");
        assert_eq!(received.body, "<h1>Bad gateway</h1>");
    }
    stand_in.clear_faults();
    assert_eq!(get(&stand_in, "/jwk.json").await.status, StatusCode::OK);
}

#[tokio::test]
async fn keeps_the_faults_of_endpoints_apart() {
    let stand_in = start().await;
    stand_in.fault(Endpoint::Jwks, bad_gateway());
    stand_in.fault(Endpoint::Token, Fault::Drop);
    let discovery = get(&stand_in, "/.well-known/openid-configuration").await;
    assert_eq!(discovery.status, StatusCode::OK);
    let keys = get(&stand_in, "/jwk.json").await;
    assert_eq!(keys.status, StatusCode::BAD_GATEWAY);
    let token = request("POST", "/v2/oauth2/token").body(Body::empty());
    assert!(begin(&stand_in, token.unwrap()).await.is_err());
}

#[tokio::test]
async fn closes_the_connection_without_a_response() {
    let stand_in = start().await;
    stand_in.fault(Endpoint::Jwks, Fault::Drop);
    let error = begin(&stand_in, asks_for_keys()).await.unwrap_err();
    assert!(error.is_incomplete_message() || error.is_canceled(), "{error:?}");
}

#[tokio::test]
async fn delays_the_response() {
    let stand_in = start().await;
    stand_in.fault(Endpoint::Jwks, Fault::Delay(Duration::from_millis(200)));
    let begun = Instant::now();
    let received = get(&stand_in, "/jwk.json").await;
    assert_eq!(received.status, StatusCode::OK);
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn sends_a_body_that_does_not_end() {
    let stand_in = start().await;
    stand_in.fault(Endpoint::Jwks, Fault::Endless);
    let received = begin(&stand_in, asks_for_keys()).await.unwrap();
    assert_eq!(received.status(), StatusCode::OK);
    let many = 8 * 1024 * 1024;
    assert!(body::to_bytes(received.into_body(), many).await.is_err(), "more than {many} bytes came");
    stand_in.clear_faults();
    assert_eq!(get(&stand_in, "/jwk.json").await.status, StatusCode::OK);
}

#[tokio::test]
async fn holds_a_request_until_the_faults_are_cleared() {
    let stand_in = start().await;
    stand_in.fault(Endpoint::Jwks, Fault::Hold);
    let held = tokio::time::timeout(Duration::from_millis(200), get(&stand_in, "/jwk.json")).await;
    assert!(held.is_err());

    let (received, ()) = tokio::join!(get(&stand_in, "/jwk.json"), async {
        while stand_in.requests(Endpoint::Jwks) < 2 {
            tokio::task::yield_now().await;
        }
        stand_in.clear_faults();
    });
    assert_eq!(received.status, StatusCode::OK);
}

#[test]
fn responds_while_the_thread_of_its_owner_is_busy() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let stand_in = runtime.block_on(start());
    let address = stand_in.url().strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = "GET /jwk.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let received = std::io::read_to_string(stream).unwrap();
    assert!(received.starts_with("HTTP/1.1 200"), "{received}");
}
