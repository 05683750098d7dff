//! The HTTP server, on its own thread, so that it responds while the thread of its owner is busy.

use std::{convert::Infallible, error::Error, fmt, net, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response},
    routing::{get, post},
};
use hyper::service::Service as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpListener, runtime, sync::oneshot};

use crate::{
    api, browser,
    faults::{Endpoint, Verdict},
    introspect, my_groups,
    provider::Provider,
    token, transfer,
};

type Routes = TowerToHyperService<Router>;

/// The connection must be closed without a response.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed without a response, as configured")
    }
}

impl Error for Closed {}

/// Serves until `stop` is sent or dropped. Connections end with the runtime.
pub(crate) fn run(
    listener: net::TcpListener,
    provider: Arc<Provider>,
    stop: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        tokio::select! {
            () = accept(listener, provider) => {}
            _ = stop => {}
        }
        Ok(())
    })
}

async fn accept(mut listener: TcpListener, provider: Arc<Provider>) {
    let routes = TowerToHyperService::new(routes(Arc::clone(&provider)));
    loop {
        // axum's `accept` waits and retries after an error. The inherent one would return the error.
        let (stream, _) = axum::serve::Listener::accept(&mut listener).await;
        let (provider, routes) = (Arc::clone(&provider), routes.clone());
        tokio::spawn(async move {
            let respond = service_fn(|request| respond(&provider, &routes, request));
            // An error here is a connection that broke, by accident or by a fault. The client handles it.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await);
        });
    }
}

async fn respond(provider: &Provider, routes: &Routes, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let Some(endpoint) = Endpoint::at(request.uri().path()) else { return route(routes, request).await };
    let number = provider.faults.arrived(endpoint);
    let response = match provider.faults.receive(endpoint).await {
        Verdict::Respond => route(routes, request).await,
        Verdict::Instead(response) => {
            // As a server does: otherwise the connection would end, although the client may send its next request by it.
            drop(to_bytes(Body::new(request.into_body()), 1024 * 1024).await);
            Ok(response)
        }
        Verdict::Close => Err(Closed),
    };
    provider.faults.responded(number);
    response
}

async fn route(routes: &Routes, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let responded: Result<_, Infallible> = routes.call(request).await;
    responded.map_err(|never| match never {})
}

fn routes(provider: Arc<Provider>) -> Router {
    Router::new()
        .route("/v2/oauth2/authorize", get(browser::authorize))
        .route("/sign-in", post(browser::sign_in))
        .route("/v2/oauth2/token", post(token::token))
        .route("/v2/oauth2/token/revoke", post(api::revoke))
        .route("/v2/oauth2/token/introspect", post(introspect::introspect))
        .route("/v2/oauth2/userinfo", get(api::userinfo).post(api::userinfo))
        .route("/jwk.json", get(api::jwks))
        .route("/.well-known/openid-configuration", get(api::discovery))
        .route("/v0.10/task_list", get(transfer::task_list))
        .route("/v2/groups/my_groups", get(my_groups::my_groups))
        .route("/v2/web/logout", get(browser::logout))
        .route("/v2/web/consents", get(browser::consents))
        .route("/v2/web/identities", get(browser::identities))
        .fallback(browser::nothing_here)
        .with_state(provider)
}
