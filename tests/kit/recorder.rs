//! Listens in on what a function asks of DynamoDB, and loses a response if a test wants it to.

use std::{
    collections::BTreeSet,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::Result;

/// What stands before the name of an operation, in each request to DynamoDB.
const TARGET: &str = "x-amz-target: dynamodb_20120810.";

/// What was sent on one connection so far.
type Sent = Arc<Mutex<Vec<u8>>>;

/// The operation whose next response is to be lost.
type ToLose = Arc<Mutex<Option<&'static str>>>;

/// Stands between a function and a server, passes everything on, and remembers what the function has sent.
#[derive(Debug)]
pub struct Recorder {
    port: u16,
    connections: Arc<Mutex<Vec<Sent>>>,
    to_lose: ToLose,
}

impl Recorder {
    /// A connection to its port reaches the server on that port, for as long as this process lives.
    pub fn start(server: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0");
        let listener = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        let (port, listener) = listener.map_err(|error| format!("No port is free: {error}."))?;
        let connections = Arc::new(Mutex::new(Vec::new()));
        let to_lose = ToLose::default();
        let (all, losing) = (Arc::clone(&connections), Arc::clone(&to_lose));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let sent = Sent::default();
                all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&sent));
                let losing = Arc::clone(&losing);
                // Either end may give up at any time; the other then notices.
                thread::spawn(move || pass_on(client, server, &sent, &losing));
            }
        });
        Ok(Self { port, connections, to_lose })
    }

    /// The address of an endpoint for the AWS SDK.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Has the next response to an operation, such as `getitem`, not arrive: what was asked for is done, and then the
    /// connection ends.
    pub fn lose_the_response_to(&self, operation: &'static str) {
        *self.to_lose.lock().unwrap_or_else(PoisonError::into_inner) = Some(operation);
    }

    /// How many operations were asked for so far.
    pub fn asked(&self) -> usize {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().map(|sent| targets(&sent.lock().unwrap_or_else(PoisonError::into_inner)).len()).sum()
    }

    /// The operations that were asked for, such as `getitem`: header fields are compared without regard to case.
    pub fn operations(&self) -> BTreeSet<String> {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().flat_map(|sent| targets(&sent.lock().unwrap_or_else(PoisonError::into_inner))).collect()
    }
}

/// The operations named in the requests of one connection.
fn targets(sent: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(sent).to_ascii_lowercase();
    let after = text.split(TARGET).skip(1);
    after.map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect()).collect()
}

fn pass_on(mut client: TcpStream, server: u16, sent: &Sent, to_lose: &ToLose) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    let (responses, back) = (server.try_clone()?, client.try_clone()?);
    let lost = Arc::new(AtomicBool::new(false));
    let losing = Arc::clone(&lost);
    thread::spawn(move || pass_back(responses, back, &losing));
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = client.read(&mut buffer)?;
        let chunk = buffer.get(..length).unwrap_or_default();
        if chunk.is_empty() {
            return server.shutdown(Shutdown::Write);
        }
        sent.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(chunk);
        let asked = targets(chunk);
        let mut to_lose = to_lose.lock().unwrap_or_else(PoisonError::into_inner);
        if to_lose.take_if(|operation| asked.iter().any(|asked| asked == operation)).is_some() {
            lost.store(true, Ordering::Relaxed);
        }
        drop(to_lose);
        server.write_all(chunk)?;
    }
}

fn pass_back(mut responses: TcpStream, mut back: TcpStream, lost: &AtomicBool) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        // A server that breaks off is one that has closed.
        let length = responses.read(&mut buffer).unwrap_or_default();
        let chunk = buffer.get(..length).unwrap_or_default();
        if chunk.is_empty() || lost.load(Ordering::Relaxed) {
            // The function keeps connections, and would wait for one that the server has closed.
            return back.shutdown(Shutdown::Both);
        }
        back.write_all(chunk)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_a_connection_is_heard() {
        let sent = b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n\r\n{}POST / HTTP/1.1\r\n\
            x-amz-target: DynamoDB_20120810.Query\r\n\r\n";
        assert_eq!(targets(sent), ["getitem", "query"]);
        assert_eq!(targets(b"POST / HTTP/1.1\r\n\r\n"), Vec::<String>::new());
    }
}
