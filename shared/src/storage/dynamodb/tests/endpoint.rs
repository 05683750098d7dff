//! A server in place of DynamoDB.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{App, DynamoDbStorage, app, pairs};
use crate::{
    config::{Environment, TableConfig},
    testing::configure,
};

/// A server in place of DynamoDB.
pub(super) struct Endpoint {
    url: String,
    pub(super) requests: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Endpoint {
    /// Responds to every request with this status and body after `delay`.
    pub(super) fn start(status: u16, body: &'static str, delay: Duration) -> Self {
        Self::responding(delay, move |_| (status, body.to_owned()))
    }

    /// Responds to each request with a status and a body by what it asks for.
    pub(super) fn responding(
        delay: Duration,
        respond: impl Fn(&Value) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&bodies);
        let respond = Arc::new(respond);
        thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                let (received, respond) = (Arc::clone(&received), Arc::clone(&respond));
                thread::spawn(move || {
                    let asked = read(&mut connection);
                    let (status, body) = respond(&asked);
                    received.lock().unwrap().push(asked);
                    thread::sleep(delay);
                    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}", body.len());
                    connection.write_all(format!("{head}\r\n\r\n{body}").as_bytes())
                });
            }
        });
        Self { url, requests, bodies }
    }

    /// A storage on a table that is reached here.
    pub(super) fn storage(&self) -> DynamoDbStorage {
        let read = |env: &Environment<'_>| Ok((App::read(env)?, TableConfig::read(env)?));
        let (app, table) = configure(&pairs(&self.url), read).unwrap();
        DynamoDbStorage::new(&app.config, table, app.cookies).unwrap()
    }

    /// The body of the last request.
    pub(super) fn last(&self) -> Value {
        self.bodies.lock().unwrap().last().unwrap().clone()
    }

    pub(super) fn app(&self) -> App {
        app(&self.url)
    }
}

/// Reads a request to its end; returns its body.
fn read(connection: &mut TcpStream) -> Value {
    let (mut text, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let length = connection.read(&mut buffer).unwrap_or_default();
        text.extend_from_slice(&buffer[..length]);
        let body = String::from_utf8_lossy(&text).split_once("\r\n\r\n").map(|(_, body)| serde_json::from_str(body));
        match body {
            Some(Ok(body)) => return body,
            _ if length == 0 => return Value::Null,
            _ => {}
        }
    }
}
