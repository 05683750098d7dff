//! Tests of the stand-in over real HTTP. The client is in this file; the tests are in the modules.

mod authorize;
mod faults;
mod groups;
mod id_token;
mod introspect;
mod other;
mod requirements;
mod token;
mod transfer;

use axum::{
    body::{self, Body},
    http::{Request, Response, StatusCode, header},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use url::{Url, form_urlencoded};

use crate::{CLIENT_ID, CLIENT_SECRET, StandIn};

const CALLBACK: &str = "http://localhost:9000/login";
const SCOPES: &str = "openid profile email urn:globus:auth:scope:transfer.api.globus.org:all";
/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A response, read to its end.
#[derive(Debug)]
struct Received {
    status: StatusCode,
    headers: header::HeaderMap,
    body: String,
}

impl Received {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }

    /// The value of the cookie that the response sets, as a browser sends it back.
    fn cookie(&self) -> String {
        let cookie = self.header(header::SET_COOKIE);
        cookie.split(';').next().unwrap_or_default().to_owned()
    }
}

async fn start() -> StandIn {
    StandIn::start(0, &[CALLBACK]).await.unwrap()
}

/// The response, with only its head received: the body may be endless.
async fn begin(stand_in: &StandIn, request: Request<Body>) -> hyper::Result<Response<Body>> {
    let address = stand_in.url().strip_prefix("http://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?.map(Body::new))
}

async fn send(stand_in: &StandIn, request: Request<Body>) -> Received {
    let (head, body) = begin(stand_in, request).await.unwrap().into_parts();
    let body = body::to_bytes(body, usize::MAX).await.unwrap();
    Received { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1")
}

/// The response of `path` to a browser that sends this cookie.
async fn browse(stand_in: &StandIn, path: &str, cookie: &str) -> Received {
    let request = request("GET", path).header(header::COOKIE, cookie);
    send(stand_in, request.body(Body::empty()).unwrap()).await
}

async fn get(stand_in: &StandIn, path: &str) -> Received {
    browse(stand_in, path, "").await
}

async fn post(stand_in: &StandIn, path: &str, authorization: &str, form: Pairs<'_>) -> Received {
    let mut request =
        request("POST", path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8");
    if !authorization.is_empty() {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    send(stand_in, request.body(encode(form).into()).unwrap()).await
}

/// A `POST` by a client that authenticates with the header.
async fn post_basic(stand_in: &StandIn, path: &str, form: Pairs<'_>) -> Received {
    post(stand_in, path, &basic(CLIENT_ID, CLIENT_SECRET), form).await
}

/// A token request by a client that authenticates in the form.
async fn ask_token(stand_in: &StandIn, form: Pairs<'_>) -> Received {
    let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    let form = [client.as_slice(), form].concat();
    post(stand_in, "/v2/oauth2/token", "", &form).await
}

async fn refresh(stand_in: &StandIn, token: &str) -> Received {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    ask_token(stand_in, &form).await
}

/// Redeems a code; `changes` replace correct parameters.
async fn redeem(stand_in: &StandIn, code: &str, changes: Pairs<'_>) -> Received {
    let right =
        [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    ask_token(stand_in, &changed(&right, changes)).await
}

/// The code from the callback after `person` logs in.
async fn code(stand_in: &StandIn, person: &str, changes: Pairs<'_>) -> String {
    let url = format!("{}{}", stand_in.url(), authorize_path(changes));
    let callback = stand_in.sign_in(&url, person).await.unwrap();
    parameter(&callback, "code").expect(&callback)
}

/// The token response for `person`.
async fn tokens(stand_in: &StandIn, person: &str, changes: Pairs<'_>) -> Value {
    let code = code(stand_in, person, changes).await;
    let received = redeem(stand_in, &code, &[]).await;
    assert_eq!(received.status, StatusCode::OK, "{}", received.body);
    received.json()
}

/// The path of an authorization request; `changes` replace correct parameters.
fn authorize_path(changes: Pairs<'_>) -> String {
    let right = [
        ("client_id", CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", SCOPES),
        ("state", "the-state"),
        ("access_type", "offline"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let query = encode(&changed(&right, changes));
    format!("/v2/oauth2/authorize?{query}")
}

/// `right`, with some values replaced; empty values are left out.
fn changed<'a>(right: Pairs<'a>, changes: Pairs<'a>) -> Vec<(&'a str, &'a str)> {
    let replaced = |name: &str| changes.iter().any(|(other, _)| *other == name);
    right
        .iter()
        .filter(|(name, _)| !replaced(name))
        .chain(changes)
        .filter(|(_, value)| !value.is_empty())
        .copied()
        .collect()
}

fn encode(pairs: Pairs<'_>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn basic(client_id: &str, secret: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(format!("{client_id}:{secret}")))
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).expect(url);
    let mut pairs = url.query_pairs();
    pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

#[track_caller]
fn assert_api_error(received: &Received, status: u16, code: &str) {
    assert_eq!(received.status.as_u16(), status, "{}", received.body);
    let body = received.json();
    let error = &body["errors"][0];
    assert_eq!(error["status"], status.to_string(), "as text");
    assert_eq!(error["code"], code);
    assert_eq!(text(&error["id"]).len(), 36);
    assert_eq!(body["error"], code.to_lowercase());
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
