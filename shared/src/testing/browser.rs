//! A browser as a function sees it: it keeps cookies and sends them.

use std::collections::BTreeMap;

use lambda_http::{Body, Request, Response, http::header};
use serde_json::Value;

use super::{Event, REQUEST_ID};
use crate::{error::Result, function::Function, timestamp::Timestamp};

/// A browser: keeps the cookies that it gets, and sends them.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// Every cookie, by name.
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Keeps a cookie as if a response had set it.
    pub fn keep(&mut self, cookie: &cookie::Cookie<'_>) {
        self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
    }

    /// Sends an event to a function, and keeps the cookies of the response.
    pub async fn send<S>(
        &mut self,
        function: &Function<S>,
        handle: impl AsyncFn(&S, &Request, Timestamp) -> Result<Response<Body>>,
        event: Event,
        now: Timestamp,
    ) -> Received {
        let event = self.with_cookies(event);
        let response = Received::from(function.respond(&handle, &event.json(), REQUEST_ID, now).await);
        self.receive(&response);
        response
    }

    /// The event with every cookie of this browser.
    #[must_use]
    pub fn with_cookies(&self, event: Event) -> Event {
        self.cookies.iter().fold(event, |event, (name, value)| event.cookie(&format!("{name}={value}")))
    }

    /// Keeps and removes cookies as a response says, which must be as every response of this site is.
    #[track_caller]
    pub fn receive(&mut self, response: &Received) {
        response.assert_protected();
        for cookie in &response.cookies {
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// The headers of every response as they must be, beside the Content-Security-Policy. They are written out: a test that
/// read the constant of the code could not fail.
pub const EXPECTED_HEADERS: [(&str, &str); 8] = [
    ("cache-control", "no-store"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    ("strict-transport-security", "max-age=31536000"),
    ("vary", "Cookie, Accept, Sec-Fetch-Mode"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex"),
];

/// The response of a function.
#[derive(Clone, Debug)]
pub struct Received {
    /// The status.
    pub status: i64,
    /// The headers, by lower-case name; none occurs twice.
    pub headers: BTreeMap<String, String>,
    /// The `Set-Cookie` values.
    pub cookies: Vec<String>,
    /// The body.
    pub body: String,
}

impl From<lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse> for Received {
    fn from(response: lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpResponse) -> Self {
        let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        let body = response.body.map(|body| String::from_utf8_lossy(&body).into_owned());
        Self {
            status: response.status_code,
            headers: headers.collect(),
            cookies: response.cookies,
            body: body.unwrap_or_default(),
        }
    }
}

impl Received {
    /// The target of a redirect; empty if the response is not one.
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
        assert_eq!((self.status, self.location()), (status, location), "{}", self.body);
        self
    }

    /// Asserts the status, and that the page contains `text`. The elements that isolate a value from the sentence around
    /// it are left out: users do not see them.
    #[track_caller]
    pub fn assert_page(&self, status: i64, text: &str) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        let shown = self.body.replace("<bdi>", "").replace("</bdi>", "");
        assert!(shown.contains(text), "no {text:?} in {}", self.body);
        self
    }

    /// Asserts what every response of this site must be, whatever it is for.
    #[track_caller]
    pub fn assert_protected(&self) {
        self.cookies.iter().for_each(|cookie| assert_protected(cookie));
        for (name, value) in EXPECTED_HEADERS {
            assert_eq!(self.headers.get(name).map(String::as_str), Some(value), "{name} of {self:?}");
        }
        let policy = self.headers.get("content-security-policy");
        let is_strict = policy.is_some_and(|policy| policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(is_strict, "{self:?}");
        // It would reach every site of the domain.
        assert!(!self.headers.contains_key("clear-site-data"), "{self:?}");
    }

    /// Asserts that no address in the response has one of these: its `Location`, and those in a page or in JSON.
    #[track_caller]
    pub fn assert_addresses_lack<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) {
        // Templates escape slashes in attributes.
        let body = self.body.replace("&#x2f;", "/").replace("&amp;", "&");
        let begins = ["href=\"", "action=\"", "src=\"", "\"login\":\"", "\"logout\":\""];
        let of_the_body = begins.iter().flat_map(|begin| body.split(begin).skip(1));
        let addresses = of_the_body.filter_map(|rest| rest.split('"').next()).chain([self.location()]);
        let addresses: Vec<_> = addresses.collect();
        for secret in secrets {
            assert!(!addresses.iter().any(|address| address.contains(secret)), "{secret:?} is in {addresses:?}");
        }
    }

    /// Asserts that the response sets no cookie.
    #[track_caller]
    pub fn assert_no_cookie(&self) -> &Self {
        assert!(self.cookies.is_empty(), "{:?}", self.cookies);
        self
    }

    /// Asserts that the response removes the cookie.
    #[track_caller]
    pub fn assert_cleared(&self, name: &str) -> &Self {
        let cleared = format!("{name}=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
        assert!(self.cookies.contains(&cleared), "{:?}", self.cookies);
        self
    }
}

/// A cookie is set with all attributes and a sealed value, or removed.
#[track_caller]
fn assert_protected(cookie: &str) {
    let (pair, attributes) = cookie.split_once("; ").unwrap_or((cookie, ""));
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let secure = if name.starts_with("__Host-") { "Secure; " } else { "" };
    let age = attributes.strip_prefix(&format!("HttpOnly; SameSite=Lax; {secure}Path=/; Max-Age="));
    let age = age.and_then(|age| age.parse::<u32>().ok()).unwrap_or_else(|| panic!("{cookie}"));
    assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)), "{cookie}");
    assert_eq!(value.is_empty(), age == 0, "{cookie}");
    assert!(cookie.len() <= 4_096, "{} bytes: {cookie}", cookie.len());
}
