//! Sends requests to Globus.

use reqwest::RequestBuilder;

use crate::{
    error::{Error, Kind, Result},
    http_client::{self, Failure},
    log::Reason,
};

/// Sends a request and reads the whole response. A 5xx or 429 (too many requests) is an error here.
pub(super) async fn send(request: RequestBuilder) -> Result<oauth2::HttpResponse> {
    let unavailable = |reason| Error::from(Kind::GlobusUnavailable(reason));
    let response = http_client::send(request).await.map_err(|failure| {
        unavailable(match failure {
            Failure::Timeout => Reason::GlobusTimeout,
            Failure::Unreachable => Reason::GlobusUnreachable,
            Failure::ConnectionLost => Reason::GlobusConnectionLost,
            Failure::TooLarge => Reason::GlobusResponseTooLarge,
        })
    })?;
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(unavailable(Reason::GlobusErrorStatus));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use super::*;
    use crate::http_client;

    #[tokio::test]
    async fn a_redirect_is_not_followed_with_the_code_and_the_secret() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let response = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
        std::thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            assert!(connection.read(&mut [0; 1024]).unwrap() > 0);
            connection.write_all(response.as_bytes()).unwrap();
        });

        let response = send(http_client::new().unwrap().post(url).body("code and secret")).await;

        assert_eq!(response.unwrap().status(), 307);
    }
}
