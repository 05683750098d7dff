//! HTTP as it goes over the wire: for requests that no browser would send, and for servers that need no more than this.

use std::{
    io::{self, BufRead, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

/// How long a response may take, on a machine that builds something beside it.
const RESPONDS_WITHIN: Duration = Duration::from_mins(2);

/// A request, read to its end.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, with the query.
    pub target: String,
    /// The fields of the head, in order; their names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// The first value of a header field; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        first(&self.headers, name)
    }

    /// Reads the next request of a connection.
    pub fn read(connection: &mut impl BufRead) -> io::Result<Self> {
        let (mut head, mut line) = (String::new(), Vec::new());
        // Read as bytes: a browser sends header fields that are not ASCII, and not always UTF-8.
        while connection.read_until(b'\n', &mut line)? > 0 && !line.trim_ascii().is_empty() {
            head.push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
        // A browser opens connections ahead of need, and closes those that it does not use.
        if head.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ').map(ToOwned::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut request = Self { method, target, headers: fields(lines), body: String::new() };
        let mut body = vec![0; request.header("content-length").parse().unwrap_or_default()];
        connection.read_exact(&mut body)?;
        request.body = String::from_utf8_lossy(&body).into_owned();
        Ok(request)
    }
}

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
        first(&self.headers, name)
    }

    /// Writes it as the last one of a connection.
    pub fn write(&self, connection: &mut impl io::Write) -> io::Result<()> {
        self.write_with("connection: close\r\n", connection)
    }

    /// Writes it on a connection that stays open.
    pub fn write_and_keep(&self, connection: &mut impl io::Write) -> io::Result<()> {
        self.write_with("", connection)
    }

    fn write_with(&self, fields: &str, connection: &mut impl io::Write) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} \r\n{fields}", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        write!(connection, "{head}content-length: {}\r\n\r\n{}", self.body.len(), self.body)?;
        connection.flush()
    }

    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, headers: fields(lines), body: body.to_owned() })
    }
}

fn first<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    headers.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let fields = lines.filter_map(|line| line.split_once(':'));
    // Only what HTTP calls white space: a value may begin or end with another one.
    let stripped = |value: &str| value.trim_matches([' ', '\t']).to_owned();
    fields.map(|(name, value)| (name.to_ascii_lowercase(), stripped(value))).collect()
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

    #[test]
    fn a_request_is_read_with_cookies_that_are_not_ascii() {
        let sent = "POST /a?b HTTP/1.1\r\nCookie: \u{2000}c=1; d=\u{a0}\r\nContent-Length: 4\r\n\r\nbodymore";
        let request = Request::read(&mut sent.as_bytes()).unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/a?b"));
        assert_eq!((request.header("cookie"), request.body.as_str()), ("\u{2000}c=1; d=\u{a0}", "body"));
        assert!(Request::read(&mut "".as_bytes()).is_err());
    }

    #[test]
    fn a_response_is_read_as_it_was_written() {
        let headers = [("set-cookie", "a=1"), ("set-cookie", "b=2")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let mut written = Vec::new();
        Response { status: 200, headers, body: "body".to_owned() }.write(&mut written).unwrap();
        let read = Response::parse(&String::from_utf8(written).unwrap()).unwrap();
        assert_eq!((read.status, read.body.as_str()), (200, "body"));
        assert_eq!(read.headers.iter().filter(|(name, _)| name == "set-cookie").count(), 2);
    }
}
