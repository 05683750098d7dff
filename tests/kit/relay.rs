//! A second address for a server on this machine.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream},
    thread,
};

/// A connection to `[::1]` reaches the server at 127.0.0.1 on the same port, for as long as this process lives.
///
/// `localhost` means both, and programs differ in which one they try: browsers try each, `cargo lambda invoke` only this
/// one. `cargo lambda watch` can listen at one of them, or at every address of the machine, where others could reach it.
pub(crate) fn start(port: u16) {
    // A machine without IPv6 needs no second address.
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)) else {
        return;
    };
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Either end may give up at any time; the other is then closed as well, and notices.
            thread::spawn(move || pass_on(client, port));
        }
    });
}

fn pass_on(client: TcpStream, port: u16) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (requests, responses) = (client.try_clone()?, server.try_clone()?);
    let there = thread::spawn(move || one_way(requests, server));
    one_way(responses, client)?;
    there.join().unwrap_or(Ok(()))
}

fn one_way(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let passed = io::copy(&mut from, &mut to).map(drop);
    to.shutdown(Shutdown::Write)?;
    passed
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn both_loopback_addresses_lead_to_the_same_server() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = server.local_addr().unwrap().port();
        start(port);

        let Ok(mut client) = TcpStream::connect((Ipv6Addr::LOCALHOST, port)) else {
            // No IPv6 here, and so no second address.
            return assert!(TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err());
        };
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (mut connection, _) = server.accept().unwrap();
        let (mut question, mut answer) = (String::new(), String::new());
        connection.read_to_string(&mut question).unwrap();
        connection.write_all(b"answer").unwrap();
        drop(connection);
        client.read_to_string(&mut answer).unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    }
}
