//! Sends requests to Globus.

use lambda_http::http;
use reqwest::RequestBuilder;

use crate::{
    error::{Error, Kind, Result},
    log::Reason,
};

/// The longest response that is read, in bytes. A token response with ten services has about 4,000.
const MAX_BODY: usize = 1024 * 1024;

/// Sends a request and reads the whole response. A 5xx or 429 (too many requests) is an error here.
pub(super) async fn send(request: RequestBuilder) -> Result<oauth2::HttpResponse> {
    let mut response = request.send().await.map_err(|error| failure(&error))?;
    let status = response.status();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(Kind::GlobusUnavailable(Reason::GlobusErrorStatus).into());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Kind::GlobusUnavailable(Reason::GlobusResponseTooLarge).into());
        }
        body.extend_from_slice(&chunk);
    }
    let (parts, _) = http::Response::from(response).into_parts();
    Ok(oauth2::HttpResponse::from_parts(parts, body))
}

/// Only the kind of failure: the text of the error holds the URL, and may hold more.
fn failure(error: &reqwest::Error) -> Error {
    let reason = match error {
        error if error.is_timeout() => Reason::GlobusTimeout,
        error if error.is_connect() => Reason::GlobusUnreachable,
        _ => Reason::GlobusConnectionLost,
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
