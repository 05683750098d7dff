//! Sends requests to Globus.

use lambda_http::http;
use reqwest::RequestBuilder;

use crate::{
    Error, Kind, Result,
    http_client::{self, Failure},
    log::Reason,
};

/// Sends a request and reads the whole response. A 5xx or 429 (too many requests) is an error here.
pub(super) async fn send(request: RequestBuilder) -> Result<oauth2::HttpResponse> {
    let mut body = Vec::new();
    let head = receive(request, &mut body).await?;
    Ok(oauth2::HttpResponse::from_parts(head, body))
}

/// The same, but `body` has what arrived, even if the connection ends before the response does.
pub(super) async fn receive(request: RequestBuilder, body: &mut Vec<u8>) -> Result<http::response::Parts> {
    let unavailable = |reason| Error::from(Kind::GlobusUnavailable(reason));
    let head = http_client::receive(request, body).await.map_err(|failure| {
        unavailable(match failure {
            Failure::Timeout => Reason::GlobusTimeout,
            Failure::Unreachable => Reason::GlobusUnreachable,
            Failure::ConnectionLost => Reason::GlobusConnectionLost,
            Failure::TooLarge => Reason::GlobusResponseTooLarge,
        })
    })?;
    let status = head.status;
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(unavailable(Reason::GlobusErrorStatus));
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use super::*;
    use crate::http_client;

    /// A server that sends `response` to one request and closes the connection.
    fn respond_once(response: impl FnOnce(&str) -> String) -> String {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let response = response(&url);
        std::thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            assert!(connection.read(&mut [0; 1024]).unwrap() > 0);
            connection.write_all(response.as_bytes()).unwrap();
        });
        url
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed_with_the_code_and_the_secret() {
        let redirect =
            |url: &str| format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
        let url = respond_once(redirect);

        let response = send(http_client::new().unwrap().post(url).body("code and secret")).await;

        assert_eq!(response.unwrap().status(), 307);
    }

    #[tokio::test]
    async fn what_arrives_before_the_connection_ends_can_be_read() {
        let url = respond_once(|_| "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nfirst half".to_owned());
        let mut body = Vec::new();

        let failed = receive(http_client::new().unwrap().get(url), &mut body).await.unwrap_err();

        assert_eq!(failed.row().reason.as_str(), "globus_connection_lost");
        assert_eq!(body, b"first half");
    }
}
