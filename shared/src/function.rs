//! A function as it has started, and how it responds to an event.

use lambda_http::{
    Body, Request, Response,
    aws_lambda_events::apigw::ApiGatewayV2httpResponse,
    http::{HeaderValue, header},
};
use tracing::Instrument as _;

use crate::{
    config::{ConfigError, Environment, LogConfig, Reading, Site, SiteName},
    error::{Kind, Result},
    gateway,
    pages::Frame,
    response::respond,
    timestamp::Timestamp,
};

/// A function that has started: the address of its site, and what its handler needs or the problems with its settings.
#[derive(Debug)]
pub struct Function<S> {
    /// The address of the site.
    pub site: Site,
    /// The name of the site.
    pub site_name: SiteName,
    /// The settings of the log.
    pub log: LogConfig,
    /// What the handler needs, such as an [`App`](crate::App).
    pub state: Result<S, ConfigError>,
}

impl<S> Function<S> {
    /// Reads the settings that `lookup` finds by name. `read` turns them into what the handler needs.
    pub fn start(lookup: &dyn Fn(&str) -> Option<String>, read: impl FnOnce(&Environment<'_>) -> Reading<S>) -> Self {
        let env = Environment::new(lookup);
        let (site, site_name, log) = (env.site().clone(), SiteName::read(&env), LogConfig::read(&env));
        let state = read(&env);
        Self { site, site_name, log, state: env.finish(state) }
    }

    /// The response to an event. There always is one, even if the event cannot be read. `request_id` is the one that
    /// Lambda gave: every line of the log has it, and every error page.
    pub async fn respond(
        &self,
        handle: &impl AsyncFn(&S, &Request, Timestamp) -> Result<Response<Body>>,
        event: &str,
        request_id: &str,
        now: Timestamp,
    ) -> ApiGatewayV2httpResponse {
        // At `error`, so that every line carries the request's id at every LOG_LEVEL.
        let span = tracing::error_span!("request", %request_id);
        let response = async {
            let (mut request, refused) = match gateway::request(event, &self.site) {
                Ok(request) => {
                    let refused = gateway::check_origin_secret(&request, &self.site).err();
                    (request, refused)
                }
                Err(error) => (unread(), Some(error)),
            };
            let frame = Frame { site_name: self.site_name.clone(), request_id: request_id.to_owned() };
            request.extensions_mut().insert(frame);
            let outcome = match (refused, &self.state) {
                (Some(error), _) => Err(error),
                (None, Err(problems)) => Err(Kind::Config(problems.clone()).into()),
                (None, Ok(state)) => handle(state, &request, now).await,
            };
            gateway::response(respond(&request, outcome))
        };
        response.instrument(span).await
    }
}

/// Stands for the request of an event that cannot be read. It gets a page, since it may come from a browser.
fn unread() -> Request {
    let mut request = Request::default();
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    request
}
