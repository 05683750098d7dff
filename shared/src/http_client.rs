//! The one HTTP client: no redirects, no proxy, time and size limits, and roots that are compiled in.

use std::time::Duration;

use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::error::{Error, Kind, Result};

/// How long one request may take, answer and all.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next request. A function is frozen between requests, and a connection that
/// slept for long is likely to be dead at the other end.
const IDLE: Duration = Duration::from_secs(20);

/// A client. Its clones share their connections. Fails only where this program is put together wrongly.
pub fn new() -> Result<Client> {
    let broken = |_| Error::from(Kind::Internal("http_client_not_built"));
    // The system's own roots would be read and parsed at every cold start; these are in the binary, ready for use.
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::from(Kind::Internal("tls_not_built")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    #[expect(clippy::disallowed_methods, reason = "the one place that makes a client")]
    let builder = Client::builder();
    builder
        .tls_backend_preconfigured(tls)
        // A redirect would carry the code and the client secret to wherever it points.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(TIMEOUT)
        .pool_idle_timeout(IDLE)
        .user_agent(concat!("globus-sign-in/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(broken)
}
