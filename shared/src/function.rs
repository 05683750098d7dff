//! A function as it has started, and how it responds to an event.

use lambda_http::{Body, Request, Response, aws_lambda_events::apigw::ApiGatewayV2httpResponse};

use crate::{
    config::{ConfigError, Environment, LogConfig, Reading, Site},
    error::{Kind, Result},
    gateway,
    response::respond,
    timestamp::Timestamp,
};

/// A function that has started: the address of its site, and what its handler needs or the problems with its settings.
#[derive(Debug)]
pub struct Function<S> {
    /// The address of the site.
    pub site: Site,
    /// The settings of the log.
    pub log: LogConfig,
    /// What the handler needs, such as an [`App`](crate::App).
    pub state: Result<S, ConfigError>,
}

impl<S> Function<S> {
    /// Reads the settings that `lookup` finds by name. `read` turns them into what the handler needs.
    pub fn start(lookup: &dyn Fn(&str) -> Option<String>, read: impl FnOnce(&Environment<'_>) -> Reading<S>) -> Self {
        let env = Environment::new(lookup);
        let (site, log) = (env.site().clone(), LogConfig::read(&env));
        let state = read(&env);
        Self { site, log, state: env.finish(state) }
    }

    /// The response to an event. There always is one, even if the event cannot be read.
    pub async fn respond(
        &self,
        handle: &impl AsyncFn(&S, &Request, Timestamp) -> Result<Response<Body>>,
        event: &str,
        now: Timestamp,
    ) -> ApiGatewayV2httpResponse {
        let response = match (gateway::request(event, &self.site), &self.state) {
            (Err(unreadable), _) => respond(None, Err(unreadable)),
            (Ok(request), Err(problems)) => respond(Some(&request), Err(Kind::Config(problems.clone()).into())),
            (Ok(request), Ok(state)) => respond(Some(&request), handle(state, &request, now).await),
        };
        gateway::response(response)
    }
}
