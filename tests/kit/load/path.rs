//! The path from the functions to a service, on which things go wrong. It knows which call each request belongs to: that
//! of the process that has the other end of the connection, which handles one event at a time.

use std::{
    collections::HashMap,
    fs,
    io::{self, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    process::Child,
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    Result,
    http::{self, Request, Response},
};

use super::{
    call::Call,
    fault::{Fault, Service},
    instance::kill,
    ledger::Ledger,
    locked,
};

/// A process, and the call that it handles.
type Process = (Arc<Mutex<Child>>, Option<Arc<Call>>);

/// The processes of the functions, by their ids.
#[derive(Debug, Default)]
pub(super) struct Processes(Mutex<HashMap<u32, Process>>);

impl Processes {
    /// From now on this process is there.
    pub(super) fn add(&self, id: u32, process: Arc<Mutex<Child>>) {
        locked(&self.0).insert(id, (process, None));
    }

    /// From now on it is not.
    pub(super) fn remove(&self, id: u32) {
        locked(&self.0).remove(&id);
    }

    /// The process now handles this call, or none.
    pub(super) fn set(&self, id: u32, call: Option<Arc<Call>>) {
        if let Some((_, now)) = locked(&self.0).get_mut(&id) {
            *now = call;
        }
    }

    fn call(&self, id: u32) -> Option<Arc<Call>> {
        locked(&self.0).get(&id)?.1.clone()
    }

    fn kill(&self, id: Option<u32>) {
        let process = id.and_then(|id| Some(Arc::clone(&locked(&self.0).get(&id)?.0)));
        if let Some(process) = process {
            kill(&process);
        }
    }

    /// The process that has the other end of this connection: the kernel lists connections with the numbers of their
    /// sockets, and the sockets of each process.
    fn owner(&self, connection: &TcpStream) -> Option<u32> {
        let (ours, theirs) = (connection.local_addr().ok()?.port(), connection.peer_addr().ok()?.port());
        let ends = [theirs, ours].map(|port| format!("0100007F:{port:04X}"));
        let connections = fs::read_to_string("/proc/net/tcp").ok()?;
        let found = connections.lines().find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            (fields.get(1..3)? == ends).then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
        })?;
        let ids: Vec<_> = locked(&self.0).keys().copied().collect();
        ids.into_iter().find(|id| {
            let files = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
            files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file.as_os_str() == found.as_str())
        })
    }
}

/// The path to one service.
#[derive(Debug)]
struct Path {
    service: Service,
    port: u16,
    processes: Arc<Processes>,
    ledger: Arc<Ledger>,
}

/// Opens a path to the service on this port of the machine, for as long as this process lives; gives its own port.
pub(super) fn open(service: Service, port: u16, processes: &Arc<Processes>, ledger: &Arc<Ledger>) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0");
    let listener = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    let (own, listener) = listener.map_err(|error| format!("No port is free: {error}."))?;
    let path = Arc::new(Path { service, port, processes: Arc::clone(processes), ledger: Arc::clone(ledger) });
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let path = Arc::clone(&path);
            // Either end may give up at any time.
            thread::spawn(move || path.serve(&client));
        }
    });
    Ok(own)
}

impl Path {
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let process = self.processes.owner(client);
        let mut requests = BufReader::new(client);
        loop {
            // Looked at before it is read: what is not read has the connection reset when it is closed.
            let mut head = [0; 2048];
            let length = client.peek(&mut head)?;
            let endpoint = endpoint(head.get(..length).unwrap_or_default());
            if endpoint.is_empty() {
                return Ok(());
            }
            let call = process.and_then(|process| self.processes.call(process));
            let fault = call.as_ref().and_then(|call| call.fault(self.service, &endpoint));
            if fault == Some(Fault::Reset) {
                return Ok(());
            }
            let request = Request::read(&mut requests)?;
            if fault == Some(Fault::KillBefore) {
                self.processes.kill(process);
                return Ok(());
            }
            if let Some(response) = fault.and_then(|fault| fault.response(self.service)) {
                self.ledger.note(call.as_ref(), &request, None, false);
                response.write_and_keep(&mut &*client)?;
                continue;
            }
            if fault == Some(Fault::Garbage) {
                self.ledger.note(call.as_ref(), &request, None, false);
                return (&mut &*client).write_all(garbage(&endpoint).as_bytes());
            }
            let response = self.pass_on(&request)?;
            if let Some(Fault::Delay(delay)) = fault {
                thread::sleep(delay);
            }
            let arrives = matches!(fault, None | Some(Fault::Delay(_))) && !has_gone(client);
            self.ledger.note(call.as_ref(), &request, Some(&response), arrives);
            match fault {
                Some(Fault::CutShort) => return cut_short(&response, client),
                Some(Fault::LostAnswer) => return Ok(()),
                Some(Fault::KillAfter) => {
                    self.processes.kill(process);
                    return Ok(());
                }
                _ => response.write_and_keep(&mut &*client)?,
            }
        }
    }

    fn pass_on(&self, request: &Request) -> io::Result<Response> {
        let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = headers.filter(|(name, _)| !OF_A_CONNECTION.contains(name)).collect();
        let mut response = http::send(self.port, &request.method, &request.target, &headers, &request.body)?;
        response.headers.retain(|(name, _)| !OF_A_CONNECTION.contains(&name.as_str()));
        Ok(response)
    }
}

/// The fields that are made anew for each connection.
const OF_A_CONNECTION: [&str; 4] = ["connection", "content-length", "host", "transfer-encoding"];

/// What a request asks for: the operation of DynamoDB, or the path.
fn endpoint(head: &[u8]) -> String {
    const TARGET: &str = "x-amz-target: dynamodb_20120810.";
    let head = String::from_utf8_lossy(head).into_owned();
    let operation = head.to_ascii_lowercase().split_once(TARGET).map(|(_, rest)| rest.to_owned());
    let operation = operation.and_then(|rest| rest.split_whitespace().next().map(ToOwned::to_owned));
    operation.unwrap_or_else(|| head.split(' ').nth(1).unwrap_or_default().to_owned())
}

/// A page where JSON is expected; for a revocation, of which only the status counts, no HTTP at all.
fn garbage(endpoint: &str) -> &'static str {
    if endpoint.ends_with("/revoke") {
        "\u{16}\u{3}\u{1} what is this\r\n\r\n"
    } else {
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\nconnection: close\r\n\r\n<h1>Hello!</h1>"
    }
}

/// Writes the first half of a response.
fn cut_short(response: &Response, mut client: &TcpStream) -> io::Result<()> {
    let mut whole = Vec::new();
    response.write(&mut whole)?;
    let half = whole.len() - response.body.len() / 2 - 1;
    client.write_all(whole.get(..half).unwrap_or_default())
}

/// Whether the other end has closed the connection.
fn has_gone(client: &TcpStream) -> bool {
    let peeked = client.set_nonblocking(true).and_then(|()| client.peek(&mut [0]));
    let is_there = peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    client.set_nonblocking(false).is_err() || !is_there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_its_operation_or_its_path() {
        let sent = b"POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n\r\n{}";
        assert_eq!(endpoint(sent), "getitem");
        assert_eq!(endpoint(b"GET /jwk.json HTTP/1.1\r\n\r\n"), "/jwk.json");
        assert_eq!(endpoint(b""), "");
    }

    #[test]
    fn the_process_that_has_the_other_end_of_a_connection_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (connection, _) = listener.accept().unwrap();
        let processes = Processes::default();
        assert_eq!(processes.owner(&connection), None);
        let other = std::process::Command::new("true").spawn().unwrap();
        processes.add(std::process::id(), Arc::new(Mutex::new(other)));
        assert_eq!(processes.owner(&connection), Some(std::process::id()));
    }
}
