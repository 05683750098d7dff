//! The one HTTP client: no redirects, no proxy, time and size limits, and roots that are compiled in.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::error::{Error, Kind, Result};

/// How long one request to Globus may take, answer and all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most that is read of an answer, in bytes. A token response with ten services has some four thousand.
const MAX_BODY: usize = 1024 * 1024;

/// How long a connection is kept for the next request. A function is frozen between requests, and a connection that
/// slept for long is likely to be dead at the other end.
const IDLE: Duration = Duration::from_secs(20);

/// The client. Fails only where this program is put together wrongly.
pub(super) fn client() -> Result<Client> {
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

/// Sends a request and reads the whole answer. Globus's own trouble (a 5xx, or "too many requests") is an error here.
pub(super) async fn send(request: RequestBuilder) -> Result<oauth2::HttpResponse> {
    let mut answer = request.send().await.map_err(|error| failure(&error))?;
    let status = answer.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(Kind::GlobusUnavailable("globus_error_status").into());
    }
    let headers = std::mem::take(answer.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Kind::GlobusUnavailable("globus_answer_too_large").into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = oauth2::HttpResponse::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Only the kind of failure: the error's own text holds the URL, and may hold more.
fn failure(error: &reqwest::Error) -> Error {
    let reason = match error {
        error if error.is_timeout() => "globus_timeout",
        error if error.is_connect() => "globus_unreachable",
        _ => "globus_connection_lost",
    };
    Kind::GlobusUnavailable(reason).into()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn a_redirect_is_not_followed_with_the_code_and_the_secret_in_hand() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
        std::thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            assert!(connection.read(&mut [0; 1024]).unwrap() > 0);
            connection.write_all(answer.as_bytes()).unwrap();
        });

        let answer = send(client().unwrap().post(url).body("code and secret")).await;

        assert_eq!(answer.unwrap().status(), 307);
    }
}
