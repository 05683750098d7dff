//! The loop between the Lambda runtime and a function's handler.

use std::{convert::Infallible, time::SystemTime};

use lambda_http::{Body, Request, Response, aws_lambda_events::apigw::ApiGatewayV2httpResponse};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tracing::Instrument as _;

use crate::{
    app::OfSite,
    config::{self, ConfigError, Environment, LogConfig},
    error::{Kind, Result},
    gateway, pages,
    response::respond,
    telemetry,
};

/// Starts a function: reads what it needs, then answers one request after the other.
///
/// A configuration with problems starts all the same and answers every request with a 503 page, since a function that
/// dies at start shows people a bare gateway error.
pub async fn serve<A: OfSite>(
    read: impl FnOnce(&Environment<'_>) -> Option<A>,
    handle: impl AsyncFn(&A, &Request, SystemTime) -> Result<Response<Body>>,
) -> Result<(), lambda_http::Error> {
    let mut log = None;
    let app = config::from_env(|env| {
        log = Some(LogConfig::read(env));
        read(env)
    });
    telemetry::init(log);
    pages::compile();

    let (app, handle) = (&app, &handle);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        // At `error`, so that every line carries the request's id whatever LOG_LEVEL lets through.
        let span = tracing::error_span!("request", request_id = %event.context.request_id);
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = SystemTime::now();
        let answer = answer(app, handle, event.payload.get(), now).instrument(span).await;
        Ok::<_, Infallible>(answer)
    }))
    .await
}

/// The answer to one event, whatever it holds.
pub async fn answer<A: OfSite>(
    app: &Result<A, ConfigError>,
    handle: &impl AsyncFn(&A, &Request, SystemTime) -> Result<Response<Body>>,
    event: &str,
    now: SystemTime,
) -> ApiGatewayV2httpResponse {
    let site = app.as_ref().map_or_else(ConfigError::site, OfSite::site);
    let response = match (gateway::request(event, site), app) {
        (Err(unreadable), _) => respond(None, Err(unreadable)),
        (Ok(request), Err(problems)) => respond(Some(&request), Err(Kind::Config(problems.clone()).into())),
        (Ok(request), Ok(app)) => respond(Some(&request), handle(app, &request, now).await),
    };
    gateway::response(response)
}
