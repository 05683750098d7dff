//! A server on https, at whatever name under `gateway.example` a browser asks for.

use std::{
    fmt, io,
    io::{BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::{
    Result,
    http::{Request, Response},
    tools,
};

/// Serves on this port of 127.0.0.1, for as long as this process lives. Port 0 means any free port. Gives the port.
pub fn serve(port: u16, respond: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", port));
    let listener = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    let (port, listener) = listener.map_err(|error| format!("Port {port} cannot be listened at: {error}."))?;
    let (tls, respond) = (Arc::new(tls(port)?), Arc::new(respond));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (tls, respond) = (Arc::clone(&tls), Arc::clone(&respond));
            // Either end may give up at any time; the other then notices.
            thread::spawn(move || exchange(client, tls, respond.as_ref()));
        }
    });
    Ok(port)
}

/// One request and its response.
fn exchange(client: TcpStream, tls: Arc<ServerConfig>, respond: &impl Fn(&Request) -> Response) -> io::Result<()> {
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    let mut connection = BufReader::new(StreamOwned::new(connection, client));
    let request = Request::read(&mut connection)?;
    let connection = connection.get_mut();
    respond(&request).write(connection)?;
    connection.conn.send_close_notify();
    connection.flush()
}

fn tls(port: u16) -> Result<ServerConfig> {
    let (certificate, key) = tools::certificate(&port.to_string())?;
    let certificate = CertificateDer::from_pem_file(certificate).map_err(unusable)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(unusable)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(unusable)?;
    config.with_no_client_auth().with_single_cert(vec![certificate], key).map_err(unusable)
}

fn unusable(error: impl fmt::Display) -> String {
    format!("The certificate cannot be used: {error}.")
}
