//! For tests: events as API Gateway sends them, and a browser that keeps its cookies between them.
//!
//! A test goes in at the same door as a real request, and looks at what comes out of it.

#![expect(clippy::missing_panics_doc, reason = "an assertion is there to panic")]

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lambda_http::{Body, Request, Response, http::header};
use serde_json::{Value, json};

use crate::{
    config::{self, ConfigError, Environment},
    error::Result,
    serve::answer,
};

/// A key that seals.
pub const KEY: &str = "a-session-key-of-at-least-32-characters";

/// Where the site is in tests.
pub const BASE_URL: &str = "https://gateway.example";

/// A moment, for tests that ask nobody else for the time.
pub fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

/// The time by this machine's clock, for tests together with a server that goes by it as well.
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no other source of time"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Reads settings out of `pairs`, and for what is not in them out of a complete set.
pub fn configure<T>(
    pairs: &[(&str, &str)],
    read: impl FnOnce(&Environment<'_>) -> Option<T>,
) -> Result<T, ConfigError> {
    let complete = [
        ("BASE_URL", BASE_URL),
        ("GLOBUS_CLIENT_ID", "7fb58e00-0000-4000-8000-000000000000"),
        (
            "GLOBUS_CLIENT_SECRET",
            "c2VjcmV0IHdpdGggKyBhbmQgLyBpbiBpdCAuLi4u+/8=",
        ),
        ("SESSION_KEYS", KEY),
    ];
    let lookup = |name: &str| {
        pairs
            .iter()
            .chain(&complete)
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    config::from_lookup(lookup, read)
}

/// An event of an HTTP API, payload 2.0, as a browser's navigation makes it.
#[derive(Clone, Debug)]
pub struct Event(Value);

impl Event {
    /// `GET` of a path, with its query.
    pub fn get(url: &str) -> Self {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        Self(json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "cookies": [],
            "headers": {
                "accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
                "host": "gateway.example",
                "sec-fetch-dest": "document",
                "sec-fetch-mode": "navigate",
                "sec-fetch-site": "none",
            },
            "requestContext": {
                "apiId": "a1b2c3d4e5",
                "domainName": "gateway.example",
                "http": { "method": "GET", "path": path },
                "stage": "$default",
            },
            "isBase64Encoded": false,
        }))
    }

    /// `POST` of an empty form from a page of the same origin.
    pub fn post(url: &str) -> Self {
        Self::get(url)
            .method("POST")
            .header("sec-fetch-site", "same-origin")
            .header("origin", BASE_URL)
    }

    /// Another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.0["requestContext"]["http"]["method"] = method.into();
        self
    }

    /// With a header; an empty value takes it away.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = value.into();
        if let (true, Some(headers)) = (value.is_empty(), self.0["headers"].as_object_mut()) {
            headers.remove(name);
        }
        self
    }

    /// Arrived at another host name, as API Gateway says.
    #[must_use]
    pub fn arriving_at(mut self, domain_name: &str) -> Self {
        self.0["requestContext"]["domainName"] = domain_name.into();
        self
    }

    /// With one more cookie, `name=value`.
    #[must_use]
    pub fn cookie(mut self, cookie: &str) -> Self {
        if let Some(cookies) = self.0["cookies"].as_array_mut() {
            cookies.push(cookie.into());
        }
        self
    }

    /// As JSON.
    pub fn json(&self) -> String {
        self.0.to_string()
    }

    /// As a handler gets it.
    pub fn request(&self) -> Request {
        crate::gateway::request(&self.json()).unwrap_or_default()
    }
}

/// A browser: keeps the cookies it is given, and sends them.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Every cookie, by name.
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Sends an event to a function, and keeps the cookies of the answer.
    pub async fn send<A>(
        &mut self,
        app: &Result<A, ConfigError>,
        handle: impl AsyncFn(&A, &Request, SystemTime) -> Result<Response<Body>>,
        event: Event,
        now: SystemTime,
    ) -> Answer {
        let event = self.cookies.iter().fold(event, |event, (name, value)| {
            event.cookie(&format!("{name}={value}"))
        });
        let answer = Answer::from(answer(app, &handle, &event.json(), now).await);
        for cookie in &answer.cookies {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// What a function answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: i64,
    /// The headers, by lower-case name; none stands twice.
    pub headers: BTreeMap<String, String>,
    /// The `Set-Cookie` values.
    pub cookies: Vec<String>,
    /// The body.
    pub body: String,
}

impl From<lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse> for Answer {
    fn from(answer: lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse) -> Self {
        let text =
            |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)));
        let body = answer
            .body
            .map(|body| String::from_utf8_lossy(&body).into_owned());
        Self {
            status: answer.status_code,
            headers: headers.collect(),
            cookies: answer.cookies,
            body: body.unwrap_or_default(),
        }
    }
}

impl Answer {
    /// Where the answer sends the browser; empty if nowhere.
    pub fn location(&self) -> &str {
        self.headers.get("location").map_or("", String::as_str)
    }

    /// The `reason` of a JSON error.
    pub fn error(&self) -> String {
        let json: Value = serde_json::from_str(&self.body).unwrap_or_default();
        json["error"].as_str().unwrap_or_default().to_owned()
    }

    /// Asserts status and `Location`.
    #[track_caller]
    pub fn assert_redirect(&self, status: i64, location: &str) -> &Self {
        assert_eq!(
            (self.status, self.location()),
            (status, location),
            "{}",
            self.body
        );
        self
    }

    /// Asserts the status, and that the page says `text`.
    #[track_caller]
    pub fn assert_page(&self, status: i64, text: &str) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.body.contains(text), "no {text:?} in {}", self.body);
        self
    }

    /// Asserts that the answer sets no cookie.
    #[track_caller]
    pub fn assert_no_cookie(&self) -> &Self {
        assert!(self.cookies.is_empty(), "{:?}", self.cookies);
        self
    }

    /// Asserts that the answer takes the cookie away.
    #[track_caller]
    pub fn assert_cleared(&self, name: &str) -> &Self {
        let cleared = format!("{name}=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
        assert!(self.cookies.contains(&cleared), "{:?}", self.cookies);
        self
    }
}
