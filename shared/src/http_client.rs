//! The one HTTP client: no redirects, no proxy, a time limit, and root certificates that are compiled in.

use std::time::Duration;

use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{
    config::{Environment, Reading},
    error::{Kind, Result},
    log::Reason,
};

/// The time limit of one request, including its response.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next request. A function is frozen between requests, and after a long time the
/// other end has probably closed the connection.
const IDLE: Duration = Duration::from_secs(20);

/// The HTTP client of a function that calls another service, for the closure that [`serve`](crate::serve()) gets.
pub fn read(env: &Environment<'_>) -> Reading<Client> {
    new().map_err(|_| env.note("The HTTP client", "cannot be made"))
}

/// A client, whose clones share their connections. Fails only because of a defect of this program.
pub fn new() -> Result<Client> {
    // The roots of the system would be read and parsed at every cold start; these are in the binary, ready for use.
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|_| Kind::Internal(Reason::HttpClientNotBuilt))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    #[expect(clippy::disallowed_methods, reason = "the one place that makes a client")]
    let builder = Client::builder();
    builder
        .tls_backend_preconfigured(tls)
        // A redirect would send the code and the client secret to another address.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("globus-sign-in/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| Kind::Internal(Reason::HttpClientNotBuilt).into())
}
