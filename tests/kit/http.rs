//! HTTP as it goes over the wire: for requests that no browser would send, and for servers that need no more than this.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// How long a response may take, on a machine that builds something beside it.
const RESPONDS_WITHIN: Duration = Duration::from_mins(2);

/// A response, read to its end.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The fields of the head, in order; their names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Response {
    /// The first value of a header field; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let headers = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Some(Self { status, headers: headers.collect(), body: body.to_owned() })
    }
}

/// Sends a request to a port of this machine. HTTP/1.0, so that the body ends with the connection and comes in one piece.
pub fn send(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Response> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(RESPONDS_WITHIN))?;
    let mut request =
        format!("{method} {path} HTTP/1.0\r\nhost: localhost:{port}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.extend(["\r\n", body]);
    connection.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Response::parse(&text).ok_or_else(|| io::Error::other(format!("no HTTP response: {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_with_every_field_of_its_head() {
        let text = "HTTP/1.0 302 Found\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nLocation:/x\r\n\r\nbody\r\n\r\nmore";
        let response = Response::parse(text).unwrap();
        assert_eq!((response.status, response.header("location")), (302, "/x"));
        assert_eq!(response.headers.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
        assert_eq!(response.body, "body\r\n\r\nmore");
        assert!(Response::parse("what is this").is_none());
    }
}
