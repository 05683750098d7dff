//! The Lambda Runtime API, as far as a function needs it for some events.
//!
//! Every connection is closed after its response, so that each request comes on one of its own, in order.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    io::{self, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    process::Child,
    thread,
    time::Duration,
};

use crate::{Result, http::Request, process::wait_for};

/// How long a function may take to ask for an event, under a tool that slows it down.
const ASKS_WITHIN: Duration = Duration::from_mins(2);

/// Where a function asks for events.
#[derive(Debug)]
pub struct Runtime(TcpListener);

/// A function that has asked for an event.
#[derive(Debug)]
pub struct Waiting {
    runtime: TcpListener,
    connection: BufReader<TcpStream>,
}

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
    pub fn first(self, function: &mut Child) -> Result<Waiting> {
        let asked = wait_for(ASKS_WITHIN, || match self.0.accept() {
            Ok((connection, _)) => Some(Ok(connection)),
            Err(_) => function.try_wait().ok().flatten().map(Err),
        });
        let connection = asked.ok_or("The function asks for no event.")?;
        let connection = connection.map_err(|status| format!("The function has ended ({status})."))?;
        let connection = opened(connection).and_then(asks);
        let connection = connection.map_err(|error| format!("The function does not ask as it should: {error}."))?;
        Ok(Waiting { runtime: self.0, connection })
    }
}

impl Waiting {
    /// Gives the function an event; what it responds. Then it waits for another one. An error of the function is one here.
    pub fn response_to(&mut self, event: &str) -> Result<String> {
        self.exchange(event).map_err(|error| format!("The function does not respond: {error}."))
    }

    fn exchange(&mut self, event: &str) -> io::Result<String> {
        let head = [
            "HTTP/1.1 200 OK",
            "lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            "lambda-runtime-deadline-ms: 9999999999999",
            "lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:function",
            "lambda-runtime-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "content-type: application/json",
            "connection: close",
            &format!("content-length: {}\r\n\r\n", event.len()),
        ];
        let event = head.join("\r\n") + event;
        self.connection.get_mut().write_all(event.as_bytes())?;
        let mut responds = self.next()?;
        let response = Request::read(&mut responds)?;
        responds.get_mut().write_all(b"HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
        drop(responds);
        self.connection = asks(self.next()?)?;
        // Its errors go elsewhere.
        if response.target.ends_with("/response") { Ok(response.body) } else { Err(io::Error::other(response.body)) }
    }

    /// The next connection of the function.
    fn next(&self) -> io::Result<BufReader<TcpStream>> {
        const PAUSE: Duration = Duration::from_millis(1);
        for _ in 0..ASKS_WITHIN.as_millis() {
            match self.runtime.accept() {
                Ok((connection, _)) => return opened(connection),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

fn opened(connection: TcpStream) -> io::Result<BufReader<TcpStream>> {
    connection.set_nonblocking(false)?;
    connection.set_read_timeout(Some(ASKS_WITHIN))?;
    Ok(BufReader::new(connection))
}

/// A connection on which the function asks for an event.
fn asks(mut connection: BufReader<TcpStream>) -> io::Result<BufReader<TcpStream>> {
    let request = Request::read(&mut connection)?;
    if (request.method.as_str(), request.target.as_str()) == ("GET", "/2018-06-01/runtime/invocation/next") {
        Ok(connection)
    } else {
        Err(io::Error::other(format!("{} {}", request.method, request.target)))
    }
}
