//! The loop between the Lambda runtime and a function's handler.

use std::{convert::Infallible, time::SystemTime};

use lambda_http::{Body, Request, Response};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::{
    Function, Result, Timestamp,
    config::{self, Environment, Reading},
    log, pages,
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
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload>| async move {
        let response = function.respond(handle, &event.payload.0, &event.context.request_id, now()).await;
        Ok::<_, Infallible>(response)
    }))
    .await
}

/// Starts a function that is not invoked by a visitor's request, but by API Gateway for its decision or by another
/// function: its result is JSON, and an error is one of the invocation.
pub async fn serve_result<S, R: Serialize>(
    read: impl FnOnce(&Environment<'_>) -> Reading<S>,
    handle: impl AsyncFn(&Function<S>, &str, Timestamp) -> Result<R>,
) -> Result<(), lambda_http::Error> {
    let function = Function::start(&config::process_environment, log::init, read);

    let (function, handle) = (&function, &handle);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload>| async move {
        function.result(handle, &event.payload.0, &event.context.request_id, now()).await
    }))
    .await
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
fn now() -> Timestamp {
    SystemTime::now().into()
}

/// The JSON text of an event; empty if it is no JSON. Such an event is read too, since the runtime would let the visitor see
/// a bare gateway error.
struct Payload(Box<str>);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer).map(Box::<str>::from);
        Ok(Self(text.unwrap_or_default()))
    }
}

/// The text of an event with which a function is invoked, as the loops above read it.
#[cfg(any(test, feature = "testing"))]
pub fn event_text(event: &[u8]) -> String {
    let payload = Payload::deserialize(&mut serde_json::Deserializer::from_slice(event));
    payload.map_or_else(|_| String::new(), |payload| payload.0.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_no_json_is_read_as_an_empty_one() {
        for odd in
            [&b"{\"headers\":{\"user-agent\":\"Beno\\xEEt\"}}"[..], b"{\"x\":\"\xee\"}", b"{\"x\":", b"text", b""]
        {
            assert_eq!(event_text(odd), "", "{}", String::from_utf8_lossy(odd));
        }
        assert_eq!(event_text(b"{\"x\": \"\\ud800\"}"), "{\"x\": \"\\ud800\"}");
    }
}
