mod address;
mod begin;
mod complete;
mod hostile;
mod renew;

use std::time::Duration;

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, Endpoint, StandIn};
use shared::{
    config::ConfigError,
    testing::{Answer, BASE_URL, Browser, Event, configure, now},
};

use super::*;

const SESSION: &str = "__Host-session";

/// This function, and Globus as it knows it.
struct World {
    app: Result<(App, Globus), ConfigError>,
    stand_in: StandIn,
    now: SystemTime,
}

impl World {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With settings other than the usual ones.
    async fn with(pairs: &[(&str, &str)]) -> Self {
        let stand_in = StandIn::start(0, &["https://gateway.example/login"]).await.unwrap();
        let globus = [
            ("GLOBUS_AUTH_URL", stand_in.url()),
            ("GLOBUS_CLIENT_ID", CLIENT_ID),
            ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET),
        ];
        let app = configure(&[pairs, &globus].concat(), |env| App::with_globus(App::read(env), env));
        Self { app, stand_in, now: now() }
    }

    fn later(&mut self, passed: Duration) {
        self.now += passed;
    }

    async fn send(&self, browser: &mut Browser, event: Event) -> Answer {
        browser.send(&self.app, handle, event, self.now).await
    }

    /// Begins a sign-in; gives the URL at Globus that the browser is sent to.
    async fn begin(&self, browser: &mut Browser, path: &str) -> String {
        let answer = self.send(browser, Event::get(path)).await;
        assert_eq!(answer.status, 302, "{answer:?}");
        answer.location().to_owned()
    }

    /// What happens at Globus; gives the event of the way back.
    async fn at_globus(&self, url: &str, person: &str) -> Event {
        back(&self.stand_in.sign_in(url, person).await.unwrap())
    }

    /// A whole sign-in.
    async fn sign_in(&self, browser: &mut Browser, person: &str) -> Answer {
        let url = self.begin(browser, "/login").await;
        let callback = self.at_globus(&url, person).await;
        self.send(browser, callback).await
    }

    /// Whom the browser's session names.
    async fn who(&self, browser: &Browser) -> Option<Session> {
        let (app, _) = self.app.as_ref().unwrap();
        let event = browser
            .cookies
            .iter()
            .fold(Event::get("/"), |event, (name, value)| event.cookie(&format!("{name}={value}")));
        match app.visitor(&event.request(), self.now).await.unwrap() {
            Visitor::SignedIn(session) => Some(session),
            _ => None,
        }
    }

    /// Asserts that the browser is not signed in, and that nothing was asked of Globus with a code.
    async fn assert_stopped_before_globus(&self, browser: &Browser) {
        assert!(self.who(browser).await.is_none());
        assert_eq!(self.stand_in.requests(Endpoint::Token), 0);
    }
}

/// The event of a browser that is sent back to us from Globus.
fn back(callback: &str) -> Event {
    let path = callback.strip_prefix(BASE_URL).unwrap();
    Event::get(path).header("sec-fetch-site", "cross-site")
}

/// A parameter of a URL's query, as it stands there.
fn query<'a>(url: &'a str, name: &str) -> &'a str {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_default()
}
