use std::{
    io::{BufReader, PipeWriter, Write as _},
    net::TcpStream,
    sync::{Mutex, mpsc},
};

use super::*;
use crate::{
    http::{self, Request, Response},
    local::free_port,
    process::wait_for,
};

const SOON: Duration = Duration::from_secs(20);

/// A line of the functions' log, about a page that is not there.
const NOT_FOUND: &str = r#"{"event":"request","outcome":"refused","reason":"not_found","status":404}"#;

/// Functions that respond to each request with 404 and the host that it names, and log that before.
fn functions(mut log: PipeWriter) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let body = Request::read(&mut connection).unwrap().header("host").to_owned();
            writeln!(log, "{NOT_FOUND}").unwrap();
            Response { status: 404, body, ..Response::default() }.write(connection.get_mut()).unwrap();
        }
    });
    port
}

/// A proxy to functions in that state, its port, where the functions log, and the lines that are shown.
fn start(functions: Functions) -> (Proxy, u16, PipeWriter, Arc<Mutex<Vec<String>>>) {
    let (log, writer) = io::pipe().unwrap();
    let (port, shown) = (free_port().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let lines = Arc::clone(&shown);
    let examples = Examples::new(&[], writer.try_clone().unwrap());
    let show = move |line: &str| lines.lock().unwrap().push(line.to_owned());
    let proxy = Proxy::start(port, functions, examples, log, show).unwrap();
    (proxy, port, writer, shown)
}

fn get(port: u16, path: &str) -> http::Response {
    http::send(port, "GET", path, &[], "").unwrap()
}

#[test]
fn after_a_failed_build_each_request_gets_a_response_at_once() {
    let (proxy, port, writer, _) = start(Functions::Broken);
    for _ in 0..2 {
        let response = get(port, "/");
        assert_eq!(response.status, 503);
        assert!(response.body.starts_with("The code does not build."), "{response:?}");
        assert_eq!(response.header("cache-control"), "no-store");
    }
    proxy.set(Functions::Running(functions(writer)));
    let response = get(port, "/");
    assert_eq!((response.status, response.body), (404, format!("localhost:{port}")));
}

#[test]
fn during_a_build_a_request_waits_for_the_new_functions() {
    let (proxy, port, writer, _) = start(Functions::Building);
    let (send, received) = mpsc::channel();
    thread::spawn(move || send.send(get(port, "/").status));
    assert_eq!(received.recv_timeout(Duration::from_millis(300)), Err(mpsc::RecvTimeoutError::Timeout));
    proxy.set(Functions::Running(functions(writer)));
    assert_eq!(received.recv_timeout(SOON), Ok(404));
}

#[test]
fn a_client_that_does_not_wait_has_a_line_too() {
    let (_proxy, port, _writer, shown) = start(Functions::Building);
    // One that is gone before its request was read has none: each waits longer than the one before it.
    let line = (1..8).find_map(|seconds| {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        thread::sleep(Duration::from_millis(50 * (1 << seconds)));
        drop(client);
        wait_for(Duration::from_secs(seconds), || shown.lock().unwrap().first().cloned())
    });
    let line = line.unwrap();
    assert!(line.ends_with("GET     /slow                   ---  the client did not wait"), "{line}");
}

/// API Gateway responds by itself, and the domain name leads nowhere else.
#[test]
fn a_path_of_the_examples_that_none_has_is_a_404_of_api_gateway() {
    let (proxy, port, writer, shown) = start(Functions::Broken);
    assert_eq!(get(port, "/examples/report").status, 503, "the authorizer is one of the functions");
    proxy.set(Functions::Running(functions(writer)));
    let response = get(port, "/examples/nothing?secret");
    assert_eq!((response.status, response.body.as_str()), (404, r#"{"message":"Not Found"}"#));
    assert_eq!(response.header("content-type"), "application/json");
    let line = shown.lock().unwrap().last().cloned().unwrap();
    assert!(line.ends_with("Z  GET     /examples/nothing       404"), "{line}");
}

#[test]
fn functions_that_are_gone_are_a_bad_gateway() {
    let (_proxy, port, ..) = start(Functions::Running(free_port().unwrap()));
    assert_eq!(get(port, "/").status, 502);
}

#[test]
fn a_request_is_one_line_with_its_reason_and_without_its_query() {
    let (proxy, port, writer, shown) = start(Functions::Broken);
    proxy.set(Functions::Running(functions(writer)));
    get(port, "/no/page?code=secret");
    proxy.set(Functions::Broken);
    get(port, "/login");

    let shown = shown.lock().unwrap().clone();
    let lines: Vec<_> = shown.iter().filter_map(|line| line.split_once("Z  ")).map(|(_, line)| line).collect();
    assert_eq!(lines, ["GET     /no/page                404  not_found", "GET     /login                  503"]);
}

#[test]
fn an_event_is_shown_with_the_status_in_the_response_of_the_function() {
    const SAID: &str = r#"{"statusCode":404,"body":"Page not found"}"#;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_proxy, port, _writer, shown) = start(Functions::Running(listener.local_addr().unwrap().port()));
    thread::spawn(move || {
        let mut connection = BufReader::new(listener.accept().unwrap().0);
        Request::read(&mut connection).unwrap();
        let response = Response { status: 200, body: SAID.to_owned(), ..Response::default() };
        response.write(connection.get_mut()).unwrap();
    });
    let response = http::send(port, "POST", "/2015-03-31/functions/home/invocations", &[], "{}").unwrap();
    assert_eq!((response.status, response.body.as_str()), (200, SAID));
    let line = shown.lock().unwrap().join("\n");
    assert!(line.ends_with("POST    /2015-03-31/functions/home/invocations 404"), "{line}");
}

/// It could be about each of them.
#[test]
fn a_reason_while_two_requests_wait_is_a_line_by_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_proxy, port, mut writer, shown) = start(Functions::Running(listener.local_addr().unwrap().port()));
    let count = |text: &str| shown.lock().unwrap().iter().filter(|line| line.contains(text)).count();
    let clients = ["/a", "/b"].map(|path| thread::spawn(move || get(port, path)));
    let mut connections = [(); 2].map(|()| BufReader::new(listener.accept().unwrap().0));
    for connection in &mut connections {
        Request::read(connection).unwrap();
    }

    writeln!(writer, "{NOT_FOUND}\ntext of a developer").unwrap();
    for line in ["Z  not_found", "text of a developer"] {
        assert_eq!(wait_for(SOON, || (count(line) == 1).then_some(())), Some(()), "{line}");
    }
    for connection in &mut connections {
        Response { status: 200, ..Response::default() }.write(connection.get_mut()).unwrap();
    }
    for client in clients {
        assert_eq!(client.join().unwrap().status, 200);
    }
    assert_eq!((count("not_found"), count("200")), (1, 2));
}
