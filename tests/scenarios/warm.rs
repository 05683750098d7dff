//! The functions in this process, at a time that the test chooses: so no test waits for a token to run out.

use std::time::Duration;

use globus_stand_in::StandIn;
use kit::Result;
use lambda_http::Request;
use shared::{
    App, Function, Timestamp,
    globus::Globus,
    testing::{Browser, Event, Received, function, now},
};

use crate::visitor::{Site, Visitor};

/// An instance of each function.
pub(crate) struct Warm {
    function: Function<(App, Globus)>,
    url: String,
    /// What its clock shows.
    pub(crate) time: Timestamp,
}

impl Site for Warm {
    fn url(&self) -> &str {
        &self.url
    }

    async fn send(&self, event: &Event, form: &str) -> Result<Received> {
        let home = async |(app, _): &(App, Globus), request: &Request, now| home::handle(app, request, now).await;
        let event = if form.is_empty() { event.clone() } else { event.clone().body(form) };
        // The cookies are in the event.
        let mut browser = Browser::default();
        Ok(match event.path() {
            "/login" => browser.send(&self.function, login::handle, event, self.time).await,
            "/logout" => browser.send(&self.function, logout::handle, event, self.time).await,
            _ => browser.send(&self.function, home, event, self.time).await,
        })
    }
}

impl Warm {
    /// The functions with these variables, of the site at that address.
    pub(crate) fn start(url: &str, variables: &[(String, String)]) -> Self {
        let pairs: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let function = function(&pairs, |env| App::with_globus(App::read(env), env));
        Self { function, url: url.to_owned(), time: now() }
    }

    /// Lets time pass.
    pub(crate) fn later(&mut self, passed: Duration) {
        self.time = self.time + passed;
    }

    /// The access tokens of a signed-in user.
    pub(crate) async fn access_tokens(&self, visitor: &Visitor) -> Vec<String> {
        let (app, _) = self.function.state.as_ref().unwrap();
        let request = visitor.event(self, Event::get("/")).request();
        let session = app.session(&request, self.time).await.unwrap();
        session.tokens.into_iter().map(|token| token.access_token.expose().to_owned()).collect()
    }
}

/// A user who signed in a minute ago with tokens for half a minute: they are due for renewal at the next request.
/// What Globus gives from then on lasts for two hours.
pub(crate) async fn signed_in_a_minute_ago(
    url: &str,
    variables: &[(String, String)],
    globus: &StandIn,
) -> Result<Visitor> {
    let mut warm = Warm::start(url, variables);
    // Less than clocks may differ: the ID token is made at the real time.
    warm.time = warm.time - Duration::from_mins(1);
    globus.expire_tokens_in(30);
    let mut visitor = Visitor::default();
    visitor.sign_in(&warm, globus, "ada").await?;
    globus.expire_tokens_in(2 * 3600 - 60);
    Ok(visitor)
}
