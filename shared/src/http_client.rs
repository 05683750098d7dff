//! The one HTTP client: no redirects, no proxy, a time limit, a limit for responses, and root certificates that are
//! compiled in.

use std::time::Duration;

use lambda_http::http::{Response, StatusCode, response::Parts};
use reqwest::{Client, RequestBuilder, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{
    Error, Kind, Result,
    config::{Environment, Reading},
    log::Reason,
};

/// The time limit of one request, including its response.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next request. A function is frozen between requests, and after a long time the
/// other end has probably closed the connection.
const IDLE: Duration = Duration::from_secs(20);

/// The longest response that is read, in bytes. A token response with ten services has about 4,000.
const MAX_BODY: usize = 1024 * 1024;

/// Why a request has no response. The text of the client's own error is dropped: it holds the URL, and may hold more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The time limit has passed.
    Timeout,
    /// No connection could be opened.
    Unreachable,
    /// The connection ended during the response.
    ConnectionLost,
    /// The response is larger than 1 MiB.
    TooLarge,
}

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

/// Sends a request and reads the whole response, whatever its status. `body` has what arrived, even if the
/// connection ends before the response does.
pub(crate) async fn receive(request: RequestBuilder, body: &mut Vec<u8>) -> Result<Parts, Failure> {
    let mut response = request.send().await.map_err(|error| failure(&error))?;
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Failure::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response::from(response).into_parts().0)
}

/// Sends a request to a service that a page needs. A response with 429 (too many requests) or 5xx is an error too.
pub async fn send_to_service(request: RequestBuilder) -> Result<Response<Vec<u8>>> {
    let unavailable = |reason| Error::from(Kind::ServiceUnavailable(reason));
    let mut body = Vec::new();
    let head = receive(request, &mut body).await.map_err(|failure| {
        unavailable(match failure {
            Failure::Timeout => Reason::ServiceTimeout,
            Failure::Unreachable => Reason::ServiceUnreachable,
            Failure::ConnectionLost => Reason::ServiceConnectionLost,
            Failure::TooLarge => Reason::ServiceResponseTooLarge,
        })
    })?;
    match head.status {
        StatusCode::TOO_MANY_REQUESTS => Err(unavailable(Reason::ServiceTooManyRequests)),
        status if status.is_server_error() => Err(unavailable(Reason::ServiceErrorStatus)),
        _ => Ok(Response::from_parts(head, body)),
    }
}

fn failure(error: &reqwest::Error) -> Failure {
    match error {
        error if error.is_timeout() => Failure::Timeout,
        error if error.is_connect() => Failure::Unreachable,
        _ => Failure::ConnectionLost,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        process::Command,
        thread,
    };

    use super::*;
    use crate::config::process_environment;

    const NAME: &str = "http_client::tests::a_proxy_that_the_environment_names_is_not_used";

    /// No proxy is at that port. It is named to a process of its own, since tests share their environment.
    const PROXY: &str = "http://127.0.0.1:9";

    #[tokio::test]
    async fn a_proxy_that_the_environment_names_is_not_used() {
        if process_environment("http_proxy").is_none_or(|proxy| proxy != PROXY) {
            let mut again = Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", NAME]).envs(["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, PROXY)));
            let output = again.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
            return;
        }
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            assert!(connection.read(&mut [0; 1024]).unwrap() > 0);
            connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        });
        assert_eq!(send_to_service(new().unwrap().get(url)).await.unwrap().status(), 204);
    }
}
