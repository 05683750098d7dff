use super::*;

fn read(result: &Value) -> (u16, Vec<(String, String)>, String) {
    let response = Answer::read(result).unwrap_or_else(Answer::failure).0;
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    (response.status().as_u16(), headers, String::from_utf8_lossy(response.body()).into_owned())
}

fn owned(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_result_becomes_a_response_with_every_header_and_cookie() {
    let result = json!({
        "statusCode": 302,
        "headers": { "Location": "/login", "x-count": 2 },
        "cookies": ["a=1", "b=2"],
        "body": "here",
    });
    let headers = [("location", "/login"), ("x-count", "2"), ("set-cookie", "a=1"), ("set-cookie", "b=2")];
    assert_eq!(read(&result), (302, owned(&headers), "here".to_owned()));
    let encoded = json!({ "statusCode": 200, "body": "PGI+", "isBase64Encoded": true });
    assert_eq!(read(&encoded), (200, Vec::new(), "<b>".to_owned()));
}

#[test]
fn a_result_without_a_status_is_json() {
    let headers = owned(&[("content-type", "application/json")]);
    assert_eq!(read(&json!({ "a": 1 })), (200, headers.clone(), r#"{"a":1}"#.to_owned()));
    assert_eq!(read(&json!("text")), (200, headers, "text".to_owned()));
}

#[test]
fn a_result_that_is_no_response_is_an_error_of_the_server() {
    for wrong in [
        json!({ "statusCode": "ok" }),
        json!({ "statusCode": 99 }),
        json!({ "statusCode": 200, "headers": { "location": "a\nb: c" } }),
        json!({ "statusCode": 200, "body": "no base64", "isBase64Encoded": true }),
    ] {
        let (status, _, body) = read(&wrong);
        assert_eq!((status, body.as_str()), (500, r#"{"message":"Internal Server Error"}"#), "{wrong}");
    }
}

#[test]
fn a_path_belongs_to_the_examples_only_as_a_whole() {
    for path in ["/examples", "/examples/", "/examples/report", "/examples/nothing"] {
        assert!(Examples::have(path), "{path}");
    }
    for path in ["/", "/examples2", "/report", "/tasks/examples"] {
        assert!(!Examples::have(path), "{path}");
    }
}

#[test]
fn only_a_get_request_of_a_route_leads_to_an_example() {
    let file = |method, path| route(method, path).map(|route| route.file);
    assert_eq!(file("GET", "/examples/report"), Some("python/report.py"));
    for (method, path) in [("HEAD", "/examples/report"), ("POST", "/examples/report"), ("GET", "/examples/report/")] {
        assert_eq!(file(method, path), None, "{method} {path}");
    }
}
