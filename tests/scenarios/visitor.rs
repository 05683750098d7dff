//! A person without a window: requests, cookies, and a whole sign-in, at whatever takes events.

use globus_stand_in::StandIn;
use kit::{Result, http, local::Watch};
use serde_json::Value;
use shared::testing::{Browser, Event, Received};

/// The content type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// What takes events: packaged functions, functions under `cargo lambda watch`, handlers in this process.
pub(crate) trait Site {
    /// Its address, as Globus knows it.
    fn url(&self) -> &str;

    /// Sends it an event, with a form where there is one.
    async fn send(&self, event: &Event, form: &str) -> Result<Received>;
}

/// A person, as far as functions can tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    pub(crate) browser: Browser,
}

impl Visitor {
    /// Opens a page.
    pub(crate) async fn get(&mut self, site: &impl Site, path: &str) -> Result<Received> {
        self.send(site, Event::get(path), "").await
    }

    /// Sends a form from a page of the same site.
    pub(crate) async fn post(&mut self, site: &impl Site, path: &str, form: &str) -> Result<Received> {
        self.send(site, post(site, path), form).await
    }

    async fn send(&mut self, site: &impl Site, event: Event, form: &str) -> Result<Received> {
        let response = site.send(&self.event(site, event), form).await?;
        self.browser.receive(&response);
        Ok(response)
    }

    /// The event as it comes from this browser to that site.
    pub(crate) fn event(&self, site: &impl Site, event: Event) -> Event {
        let host = site.url().split_once("://").map_or("", |(_, host)| host);
        let event = event.arriving_at(host).header("host", host).header("sec-fetch-site", "same-origin");
        self.browser.with_cookies(event)
    }

    /// Signs in, from the first press of the button until the session is there.
    pub(crate) async fn sign_in(&mut self, site: &impl Site, globus: &StandIn, person: &str) -> Result<()> {
        let callback = self.begin(site, globus, person).await?;
        self.get(site, &callback).await?.assert_redirect(302, &format!("{}/", site.url()));
        Ok(())
    }

    /// The same until Globus sends the browser back; gives the path of the callback.
    pub(crate) async fn begin(&mut self, site: &impl Site, globus: &StandIn, person: &str) -> Result<String> {
        let begun = self.get(site, "/login").await?;
        assert_eq!(begun.status, 302, "{begun:?}");
        let callback = globus.sign_in(begun.location(), person).await?;
        let path = callback.strip_prefix(site.url());
        Ok(path.unwrap_or_else(|| panic!("{callback} is not at {}", site.url())).to_owned())
    }

    /// Asserts that Ada is greeted.
    pub(crate) async fn is_greeted(&mut self, site: &impl Site) -> Result<()> {
        self.get(site, "/").await?.assert_page(200, "Hello Ada Lovelace!");
        Ok(())
    }
}

/// The functions under one `cargo lambda watch`.
#[derive(Clone, Copy)]
pub(crate) struct Instance<'a> {
    pub(crate) watch: &'a Watch,
    pub(crate) url: &'a str,
}

impl Site for Instance<'_> {
    fn url(&self) -> &str {
        self.url
    }

    async fn send(&self, event: &Event, form: &str) -> Result<Received> {
        self.exchange(event, form)
    }
}

impl Instance<'_> {
    /// What a page is for a visitor, on a thread that waits for it.
    pub(crate) fn get(&self, visitor: &Visitor, path: &str) -> Result<Received> {
        self.exchange(&visitor.event(self, Event::get(path)), "")
    }

    /// The same for the empty form of a page of the site.
    pub(crate) fn post(&self, visitor: &Visitor, path: &str) -> Result<Received> {
        self.exchange(&visitor.event(self, post(self, path)), "")
    }

    /// The event as the HTTP request from which API Gateway would make it.
    fn exchange(&self, event: &Event, form: &str) -> Result<Received> {
        let event: Value = serde_json::from_str(&event.json()).map_err(|error| error.to_string())?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let method = text(&event["requestContext"]["http"]["method"]);
        let (path, query) = (text(&event["rawPath"]), text(&event["rawQueryString"]));
        let path = if query.is_empty() { path } else { format!("{path}?{query}") };
        let cookies: Vec<_> = event["cookies"].as_array().into_iter().flatten().map(text).collect();
        let cookies = cookies.join("; ");

        let fields = event["headers"].as_object().into_iter().flatten();
        // The client names the host, and measures the body.
        let fields = fields.filter(|(name, _)| *name != "host" && *name != "content-length");
        let fields = fields.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
        let fields = fields.chain([("cookie", cookies.as_str())]);
        let content_type = (!form.is_empty()).then_some(("content-type", FORM));
        let headers: Vec<_> = fields.chain(content_type).collect();
        self.watch.send(&method, &path, &headers, form).map(from_http)
    }
}

fn post(site: &impl Site, path: &str) -> Event {
    Event::post(path).header("origin", site.url())
}

/// A response as it came over the wire.
fn from_http(response: http::Response) -> Received {
    let (cookies, headers): (Vec<_>, Vec<_>) = response.headers.into_iter().partition(|(name, _)| name == "set-cookie");
    Received {
        status: response.status.into(),
        headers: headers.into_iter().collect(),
        cookies: cookies.into_iter().map(|(_, value)| value).collect(),
        body: response.body,
    }
}

/// A response as a function hands it back to API Gateway, which wants cookies in `cookies` and nowhere else.
pub(crate) fn from_lambda(response: &Value) -> Received {
    assert!(response["headers"]["set-cookie"].is_null(), "{response}");
    assert!(response["multiValueHeaders"]["set-cookie"].is_null(), "{response}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let headers = response["headers"].as_object().into_iter().flatten();
    Received {
        status: response["statusCode"].as_i64().unwrap_or_default(),
        headers: headers.map(|(name, value)| (name.clone(), text(value))).collect(),
        cookies: response["cookies"].as_array().into_iter().flatten().map(text).collect(),
        body: text(&response["body"]),
    }
}
