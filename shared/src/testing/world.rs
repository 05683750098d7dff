//! A function with the stand-in for Globus.

use std::time::Duration;

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, Endpoint, StandIn};
use lambda_http::{Body, Request, Response};

use super::{BASE_URL, Browser, Event, Received, function, now};
use crate::{
    App,
    error::Result,
    function::Function,
    globus::Globus,
    session::{Session, Visitor},
    timestamp::Timestamp,
};

/// A function that calls Globus, the stand-in for Globus, and the time.
#[derive(Debug)]
pub struct World {
    /// The function.
    pub function: Function<(App, Globus)>,
    /// The stand-in for Globus.
    pub stand_in: StandIn,
    /// The time of the next request.
    pub now: Timestamp,
}

impl World {
    /// With the usual settings.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these settings, and with the usual one for each that is not among them.
    pub async fn with(pairs: &[(&str, &str)]) -> Self {
        let started = StandIn::start(0, &["https://gateway.example/login"]).await;
        let stand_in = started.unwrap_or_else(|error| panic!("the stand-in does not start: {error}"));
        let globus = [
            ("GLOBUS_AUTH_URL", stand_in.url()),
            ("GLOBUS_CLIENT_ID", CLIENT_ID),
            ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET),
            ("GROUPS_URL", stand_in.url()),
        ];
        let function = function(&[pairs, &globus].concat(), |env| App::with_globus(App::read(env), env));
        Self { function, stand_in, now: now() }
    }

    /// Lets time pass.
    pub fn later(&mut self, passed: Duration) {
        self.now = self.now + passed;
    }

    /// What the function's handler gets.
    pub fn state(&self) -> &(App, Globus) {
        self.function.state.as_ref().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Sends an event to the function's handler. No address in the response may have a token, a code or a sealed cookie.
    pub async fn send(
        &self,
        handle: impl AsyncFn(&(App, Globus), &Request, Timestamp) -> Result<Response<Body>>,
        browser: &mut Browser,
        event: Event,
    ) -> Received {
        let received = browser.send(&self.function, handle, event, self.now).await;
        let tokens = self.stand_in.issued_tokens();
        // Tests plant shorter ones.
        let sealed = browser.cookies.values().filter(|value| value.len() >= 20);
        received.assert_addresses_lack(tokens.iter().chain(sealed).map(String::as_str).chain(["?code=", "&code="]));
        received
    }

    /// The event of a browser that comes back from Globus, after the user `person` has logged in there at `url`.
    pub async fn at_globus(&self, url: &str, person: &str) -> Event {
        let callback = self.stand_in.sign_in(url, person).await;
        Event::callback(&callback.unwrap_or_else(|error| panic!("the stand-in refuses {url}: {error}")))
    }

    /// A whole sign-in by `login`, the handler of the login function.
    pub async fn sign_in(
        &self,
        login: impl AsyncFn(&(App, Globus), &Request, Timestamp) -> Result<Response<Body>>,
        browser: &mut Browser,
        person: &str,
    ) -> Received {
        let begun = self.send(&login, browser, Event::get("/login")).await;
        let callback = self.at_globus(begun.location(), person).await;
        self.send(&login, browser, callback).await
    }

    /// The session of a browser, if it is signed in.
    pub async fn session_of(&self, browser: &Browser) -> Option<Session> {
        let event = browser.with_cookies(Event::get("/"));
        match self.state().0.visitor(&event.request(), self.now).await {
            Ok(Visitor::SignedIn(session)) => Some(session),
            _ => None,
        }
    }

    /// How many of the tokens that the stand-in has issued are revoked.
    pub fn revoked(&self) -> usize {
        let issued = self.stand_in.issued_tokens();
        issued.iter().filter(|token| self.stand_in.is_revoked(token)).count()
    }

    /// Asserts that the browser is not signed in, and that Globus got no token request.
    pub async fn assert_stopped_before_globus(&self, browser: &Browser) {
        assert!(self.session_of(browser).await.is_none());
        assert_eq!(self.stand_in.requests(Endpoint::Token), 0);
    }
}

impl Event {
    /// The navigation of a browser that Globus sends back to `callback`, an address of this site.
    pub fn callback(callback: &str) -> Self {
        let path = callback.strip_prefix(BASE_URL).unwrap_or_else(|| panic!("{callback} is not on {BASE_URL}"));
        Self::get(path).header("sec-fetch-site", "cross-site")
    }
}

/// A parameter in the query of a URL, still encoded; empty if it is missing.
pub fn query<'a>(url: &'a str, name: &str) -> &'a str {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_default()
}
