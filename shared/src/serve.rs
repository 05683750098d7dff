//! The loop between the Lambda runtime and a function's handler.

use std::{convert::Infallible, time::SystemTime};

use lambda_http::{Body, Request, Response};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

use crate::{
    config::{self, Environment, Reading},
    error::Result,
    function::Function,
    log, pages,
    timestamp::Timestamp,
};

/// Starts a function: reads its settings, then handles one event after another until Lambda ends the process.
///
/// A function with broken settings still starts, and responds to every request with a 503 page. If it ended, visitors
/// would see a bare gateway error.
pub async fn serve<S>(
    read: impl FnOnce(&Environment<'_>) -> Reading<S>,
    handle: impl AsyncFn(&S, &Request, Timestamp) -> Result<Response<Body>>,
) -> Result<(), lambda_http::Error> {
    let function = Function::start(&config::process_environment, log::init, read);
    pages::compile();

    let (function, handle) = (&function, &handle);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = Timestamp::from(SystemTime::now());
        Ok::<_, Infallible>(function.respond(handle, event.payload.get(), &event.context.request_id, now).await)
    }))
    .await
}
