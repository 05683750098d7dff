//! How requests are sent to Globus, and what can go wrong on the way.

use reqwest::RequestBuilder;

use crate::error::{Error, Kind, Result};

/// The most that is read of an answer, in bytes. A token response with ten services has some four thousand.
const MAX_BODY: usize = 1024 * 1024;

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
    use crate::http_client;

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

        let answer = send(http_client::new().unwrap().post(url).body("code and secret")).await;

        assert_eq!(answer.unwrap().status(), 307);
    }
}
