//! What browsers talk to under `cargo dev`: it passes each request on to the functions, and shows one line for it.
//!
//! While the code is being built, requests wait. After a build that failed, each gets a response at once that says so:
//! `cargo lambda watch` alone would leave it without one until the code is right again.
//!
//! The paths of the examples lead to those, as the domain name of a deployment leads to two APIs.

use std::{
    future,
    io::{self, PipeReader},
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, Uri, Version},
    response::{IntoResponse as _, Response},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{runtime, sync::watch, task, time};

use crate::{
    Result,
    examples::{Answer, Examples},
    http,
    requests::Requests,
};

/// How long a function may take: as long as an HTTP API of API Gateway waits for it.
///
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
pub(crate) const RESPONDS_WITHIN: Duration = Duration::from_secs(30);

/// How long the response to an event may be, as Lambda itself limits it: 6 MB.
const MAX_RESPONSE: usize = 6 << 20;

const BROKEN: &str = "The code does not build. The terminal in which `cargo dev` runs says why.\n\
    Correct it and save the file, then reload this page.\n";
const UNREACHABLE: &str = "The functions do not run. The terminal in which `cargo dev` runs may say why.\n";
const TOO_LATE: &str = "The function did not respond within 30 seconds. API Gateway waits no longer either.\n\
    The terminal in which `cargo dev` runs may say why.\n";

/// Where the functions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Functions {
    /// They are being built.
    Building,
    /// The last build has failed.
    Broken,
    /// They take requests at this port of 127.0.0.1.
    Running(u16),
}

/// A server that runs for as long as this process.
#[derive(Debug)]
pub struct Proxy(watch::Sender<Functions>);

#[derive(Debug)]
struct Shared {
    functions: watch::Receiver<Functions>,
    client: Client<HttpConnector, Body>,
    examples: Arc<Examples>,
    requests: Arc<Requests>,
}

impl Proxy {
    /// Starts it on a port of `localhost`, for functions whose log comes from a pipe. Each line goes to `show`.
    pub fn start(
        port: u16,
        functions: Functions,
        examples: Examples,
        log: PipeReader,
        show: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self> {
        let failed = |error: io::Error| format!("Port {port} cannot be served: {error}.");
        let listeners = listen(port).map_err(failed)?;
        let (sender, functions) = watch::channel(functions);
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let requests = {
            let _in_the_runtime = runtime.enter();
            Arc::new(Requests::new(log, Box::new(show)).map_err(failed)?)
        };
        thread::spawn(move || runtime.block_on(serve(listeners, functions, examples.into(), requests)));
        Ok(Self(sender))
    }

    /// From now on the functions are there.
    pub fn set(&self, functions: Functions) {
        self.0.send_replace(functions);
    }
}

/// `localhost` is both addresses: browsers try each, `cargo lambda invoke` only the second, which a machine may lack.
fn listen(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = vec![TcpListener::bind((Ipv4Addr::LOCALHOST, port))?];
    listeners.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, port)));
    Ok(listeners)
}

async fn serve(
    listeners: Vec<TcpListener>,
    functions: watch::Receiver<Functions>,
    examples: Arc<Examples>,
    requests: Arc<Requests>,
) -> io::Result<()> {
    // A function that is replaced would keep an idle connection open.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let shared = Arc::new(Shared { functions, client, examples, requests: Arc::clone(&requests) });
    let router = Router::new().fallback(respond).with_state(shared);
    for listener in listeners {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(axum::serve(listener, router.clone()).into_future());
    }
    requests.listen().await;
    future::pending().await
}

async fn respond(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let is_event = request.uri().path().ends_with("/invocations");
    let mut pending = shared.requests.begin(request.method(), request.uri().path());
    let mut response = shared.pass_on(request).await;
    pending.status = Some(response.status());
    if is_event {
        let of_function;
        (response, of_function) = read(response).await;
        pending.status = of_function.or(pending.status);
    }
    response
}

/// The response to an event, such as `cargo lambda invoke` sends, and the status in it: its own is always 200.
async fn read(response: Response) -> (Response, Option<StatusCode>) {
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_RESPONSE).await else {
        return (refuse(StatusCode::BAD_GATEWAY, UNREACHABLE), Some(StatusCode::BAD_GATEWAY));
    };
    let status = serde_json::from_slice::<Value>(&bytes).ok().and_then(|said| said["statusCode"].as_u64());
    let status = status.and_then(|status| StatusCode::from_u16(status.try_into().ok()?).ok());
    (Response::from_parts(parts, Body::from(bytes)), status)
}

impl Shared {
    async fn pass_on(&self, mut request: Request) -> Response {
        let mut functions = self.functions.clone();
        let functions = functions.wait_for(|functions| *functions != Functions::Building).await.map(|now| *now);
        let port = match functions {
            Ok(Functions::Running(port)) => port,
            Ok(Functions::Broken | Functions::Building) => return refuse(StatusCode::SERVICE_UNAVAILABLE, BROKEN),
            Err(_stopped) => return refuse(StatusCode::BAD_GATEWAY, UNREACHABLE),
        };
        if Examples::have(request.uri().path()) {
            return self.example(port, without_body(&request)).await;
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("http://127.0.0.1:{port}{path}").parse::<Uri>() else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        match time::timeout(RESPONDS_WITHIN, self.client.request(request)).await {
            Ok(Ok(response)) => response.map(Body::new),
            Ok(Err(_unreachable)) => refuse(StatusCode::BAD_GATEWAY, UNREACHABLE),
            Err(_elapsed) => refuse(StatusCode::GATEWAY_TIMEOUT, TOO_LATE),
        }
    }

    /// What an example responds. Its programs are waited for on a thread of their own.
    async fn example(&self, functions: u16, request: http::Request) -> Response {
        let examples = Arc::clone(&self.examples);
        let response = task::spawn_blocking(move || examples.respond(functions, &request));
        match time::timeout(RESPONDS_WITHIN, response).await {
            Ok(Ok(Ok(Answer(response)))) => response.map(Body::from),
            Ok(Ok(Err(sentence))) => refuse(StatusCode::BAD_GATEWAY, format!("{sentence}\n")),
            Ok(Err(_panicked)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Err(_elapsed) => refuse(StatusCode::GATEWAY_TIMEOUT, TOO_LATE),
        }
    }
}

/// A request to an example. None of them reads a body.
fn without_body(request: &Request) -> http::Request {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let headers = request.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    http::Request { method: request.method().to_string(), target, headers: headers.collect(), body: String::new() }
}

fn refuse(status: StatusCode, text: impl Into<Body>) -> Response {
    let headers = [("cache-control", "no-store"), ("content-type", "text/plain; charset=utf-8")];
    (status, headers, text.into()).into_response()
}

#[cfg(test)]
mod tests;
