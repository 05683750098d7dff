//! The Lambda Runtime API, as far as a function needs it for its first event.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Child,
    time::Duration,
};

use crate::{Result, process::wait_for};

/// How long a function may take to ask for an event, under a tool that slows it down.
const ASKS_WITHIN: Duration = Duration::from_mins(1);

/// Where a function asks for events.
#[derive(Debug)]
pub struct Runtime(TcpListener);

/// A function that has asked for an event.
#[derive(Debug)]
pub struct Waiting(BufReader<TcpStream>);

impl Runtime {
    /// One on any port that is free.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        listener.map(Self).map_err(|error| format!("No port is free: {error}."))
    }

    /// What Lambda tells a function at its start.
    pub fn variables(&self) -> Result<Vec<(&'static str, String)>> {
        let address = self.0.local_addr().map_err(|error| error.to_string())?;
        let usual = [
            ("AWS_LAMBDA_FUNCTION_NAME", "function"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_REGION", "us-east-1"),
        ];
        let usual = usual.map(|(name, value)| (name, value.to_owned()));
        Ok(usual.into_iter().chain([("AWS_LAMBDA_RUNTIME_API", address.to_string())]).collect())
    }

    /// Waits until the function asks for its first event, or has ended without.
    pub fn first(&self, function: &mut Child) -> Result<Waiting> {
        let asked = wait_for(ASKS_WITHIN, || match self.0.accept() {
            Ok((connection, _)) => Some(Ok(connection)),
            Err(_) => function.try_wait().ok().flatten().map(Err),
        });
        let connection = asked.ok_or("The function asks for no event.")?;
        let connection = connection.map_err(|status| format!("The function has ended ({status})."))?;
        Waiting::accept(connection).map_err(|error| format!("The function does not ask as it should: {error}."))
    }
}

impl Waiting {
    fn accept(connection: TcpStream) -> io::Result<Self> {
        connection.set_nonblocking(false)?;
        connection.set_read_timeout(Some(ASKS_WITHIN))?;
        let mut connection = BufReader::new(connection);
        let (request_line, _) = read(&mut connection)?;
        if request_line.starts_with("GET /2018-06-01/runtime/invocation/next ") {
            Ok(Self(connection))
        } else {
            Err(io::Error::other(request_line))
        }
    }

    /// Gives the function an event; what it answers. Then it waits for another one, which does not come.
    pub fn answer_to(&mut self, event: &str) -> Result<String> {
        self.exchange(event).map_err(|error| format!("The function does not answer: {error}."))
    }

    fn exchange(&mut self, event: &str) -> io::Result<String> {
        let head = [
            "HTTP/1.1 200 OK",
            "lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            "lambda-runtime-deadline-ms: 9999999999999",
            "lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:function",
            "lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "content-type: application/json",
            &format!("content-length: {}\r\n\r\n", event.len()),
        ];
        let answer = head.join("\r\n") + event;
        self.0.get_mut().write_all(answer.as_bytes())?;
        let (_, body) = read(&mut self.0)?;
        self.0.get_mut().write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")?;
        Ok(body)
    }
}

/// A request's first line and its body.
fn read(connection: &mut BufReader<TcpStream>) -> io::Result<(String, String)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_ascii_lowercase());
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    let request_line = head.first().cloned().unwrap_or_default().replacen("get ", "GET ", 1);
    Ok((request_line, String::from_utf8_lossy(&body).into_owned()))
}
