//! Events as API Gateway sends them.

use std::collections::BTreeSet;

use lambda_http::Request;
use serde_json::{Value, json};

use super::BASE_URL;
use crate::config::{Address, Site};

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../events");

/// An event of an HTTP API (payload 2.0) for the navigation of a browser.
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
        Self::get(url).method("POST").header("sec-fetch-site", "same-origin").header("origin", BASE_URL)
    }

    /// An event from the directory `events/`, by its file name without `.json`.
    pub fn sample(name: &str) -> Self {
        let text = std::fs::read_to_string(format!("{SAMPLES}/{name}.json"));
        let event = text.map(|text| serde_json::from_str(&text));
        match event {
            Ok(Ok(event)) => Self(event),
            unreadable => panic!("the sample event {name} cannot be read: {unreadable:?}"),
        }
    }

    /// The names of the events in `events/` that are for a function.
    pub fn samples_for(function: &str) -> BTreeSet<String> {
        let files = std::fs::read_dir(SAMPLES).into_iter().flatten().flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().replace(".json", ""));
        names.filter(|name| name.starts_with(function)).collect()
    }

    /// With another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.0["requestContext"]["http"]["method"] = method.into();
        self
    }

    /// With a header; an empty value removes it.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = value.into();
        if let (true, Some(headers)) = (value.is_empty(), self.0["headers"].as_object_mut()) {
            headers.remove(name);
        }
        self
    }

    /// Arrived at another host name, as API Gateway reports it.
    #[must_use]
    pub fn arriving_at(mut self, domain_name: &str) -> Self {
        self.0["requestContext"]["domainName"] = domain_name.into();
        self
    }

    /// Sent to an API of another mapping, whose stage variable says where it is.
    #[must_use]
    pub fn mounted_at(mut self, base_path: &str) -> Self {
        self.0["stageVariables"] = json!({ "BASE_PATH": base_path });
        self
    }

    /// Sent by a script or a program: without what a navigation says.
    #[must_use]
    pub fn of_program(self) -> Self {
        let names = ["sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site"];
        names.iter().fold(self, |event, name| event.header(name, "")).header("accept", "*/*")
    }

    /// With one more cookie, `name=value`.
    #[must_use]
    pub fn cookie(mut self, cookie: &str) -> Self {
        if let Some(cookies) = self.0["cookies"].as_array_mut() {
            cookies.push(cookie.into());
        }
        self
    }

    /// With this form as its body.
    #[must_use]
    pub fn body(mut self, form: &str) -> Self {
        self.0["body"] = form.into();
        self
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.0["rawPath"].as_str().unwrap_or_default()
    }

    /// As JSON.
    pub fn json(&self) -> String {
        self.0.to_string()
    }

    /// Sent to another stage of the API.
    #[must_use]
    pub fn at_stage(mut self, stage: &str) -> Self {
        self.0["requestContext"]["stage"] = stage.into();
        self
    }

    /// As a handler of the site at [`BASE_URL`] gets it.
    pub fn request(&self) -> Request {
        self.request_to(&Site { base_url: Address::parse(BASE_URL), ..Site::default() })
    }

    /// As a handler of `site` gets it.
    pub fn request_to(&self, site: &Site) -> Request {
        let request = crate::gateway::request(&self.json(), site);
        request.unwrap_or_else(|error| panic!("this event is refused ({error}): {self:?}"))
    }
}
