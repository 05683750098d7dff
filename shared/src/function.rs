//! A function as it has started, and how it responds to an event.

use lambda_http::{
    Body, Request, Response,
    aws_lambda_events::apigw::ApiGatewayV2httpResponse,
    http::{HeaderValue, header},
};
use lambda_runtime::Diagnostic;
use tracing::{Instrument as _, Span};

use crate::{
    Kind, Result, Timestamp,
    config::{ConfigError, Environment, LogConfig, Reading, Site, SiteName},
    gateway, log,
    pages::Frame,
    response::respond,
};

/// A function that has started: the address and the name of its site, and what its handler needs or the problems with its settings.
#[derive(Debug)]
pub struct Function<S> {
    /// The address of the site.
    pub site: Site,
    /// The name of the site.
    pub site_name: SiteName,
    /// What the handler needs, such as an [`App`](crate::App).
    pub state: Result<S, ConfigError>,
}

impl<S> Function<S> {
    /// Reads the settings that `lookup` finds by name. First `log` gets those of the log, and can start it; then `read` turns
    /// the others into what the handler needs.
    pub fn start(
        lookup: &dyn Fn(&str) -> Option<String>,
        log: impl FnOnce(LogConfig),
        read: impl FnOnce(&Environment<'_>) -> Reading<S>,
    ) -> Self {
        let env = Environment::new(lookup);
        log(LogConfig::read(&env));
        let (site, site_name) = (env.site().clone(), SiteName::read(&env));
        let state = read(&env);
        Self { site, site_name, state: env.finish(state) }
    }

    /// What the handler needs, or the problems with the settings.
    pub fn state(&self) -> Result<&S> {
        self.state.as_ref().map_err(|problems| Kind::Config(problems.clone()).into())
    }

    /// The request of an event, unless it cannot be read or has gone round the proxy in front of the site.
    pub fn request(&self, event: &str) -> Result<Request> {
        let request = gateway::request(event, &self.site)?;
        gateway::check_origin_secret(&request, &self.site)?;
        Ok(request)
    }

    /// The result of an invocation that is not to be responded to by a page. An error is logged; Lambda reports its word
    /// and its text to the client.
    pub async fn result<R>(
        &self,
        handle: &impl AsyncFn(&Self, &str, Timestamp) -> Result<R>,
        event: &str,
        request_id: &str,
        now: Timestamp,
    ) -> Result<R, Diagnostic> {
        let result = async { handle(self, event, now).await.inspect_err(log::write_error) };
        let result = result.instrument(span(request_id)).await;
        result.map_err(|error| Diagnostic {
            error_type: error.row().reason.as_str().to_owned(),
            error_message: error.row().text.to_owned(),
        })
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
        let response = async {
            let (mut request, is_read) = match gateway::request(event, &self.site) {
                Ok(request) => (request, Ok(())),
                Err(error) => (unread(), Err(error)),
            };
            let frame = Frame { site_name: self.site_name.clone(), request_id: request_id.to_owned() };
            request.extensions_mut().insert(frame);
            let outcome = async {
                is_read?;
                gateway::check_origin_secret(&request, &self.site)?;
                handle(self.state()?, &request, now).await
            };
            gateway::response(respond(&request, outcome.await))
        };
        response.instrument(span(request_id)).await
    }
}

/// At `error`, so that every line has the request's id at every `LOG_LEVEL`.
fn span(request_id: &str) -> Span {
    tracing::error_span!("request", %request_id)
}

/// Stands for the request of an event that cannot be read. It gets a page, since it may come from a browser.
fn unread() -> Request {
    let mut request = Request::default();
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    request
}
