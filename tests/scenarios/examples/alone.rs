//! The examples without any authorizer: what they do with what they are told, or not told, of their user.

use std::{
    io::BufReader,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use kit::{
    Result,
    examples::{self, Authorizer, ROUTES, Route},
    http::{Request, Response},
};
use serde_json::{Value, json};

const HOSTILE: &str = "<script>alert(1)</script>'\"&";

/// The token function and Globus Transfer in one: the first answers `token`, the second lists a task. Its port, and the
/// requests so far.
fn services(token: Value) -> (u16, Arc<Mutex<Vec<Request>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&requests);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let request = Request::read(&mut connection).unwrap();
            let task = json!({ "label": HOSTILE, "status": HOSTILE, "request_time": null });
            let list = json!({ "DATA": [task] });
            let body = if request.target.starts_with("/v0.10/") { list } else { token.clone() };
            received.lock().unwrap().push(request);
            let response = Response { status: 200, body: body.to_string(), ..Response::default() };
            response.write(connection.get_mut()).unwrap();
        }
    });
    (port, requests)
}

/// What an example gives for an event with that as its context, or with none at all.
fn result(route: &Route, services: u16, lambda: Option<&Value>) -> Result<Option<Value>> {
    let mut event = json!({
        "cookies": ["session=sealed"],
        "rawPath": route.path,
        "requestContext": {},
        "stageVariables": { "BASE_PATH": "/examples" },
    });
    if let Some(lambda) = lambda {
        event["requestContext"]["authorizer"] = json!({ "lambda": lambda });
    }
    let url = format!("http://127.0.0.1:{services}");
    let variables = [
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_LAMBDA", &url),
        ("TOKEN_FUNCTION", "token"),
        ("TRANSFER_URL", &url),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    examples::run(route, &event, &variables)
}

fn transfers() -> &'static Route {
    ROUTES.iter().find(|route| route.path == "/transfers").unwrap()
}

/// As after a mistake in the template. API Gateway makes a 500 of it.
#[test]
fn an_example_that_is_told_of_no_user_fails() -> Result<()> {
    let (services, requests) = services(json!({ "access_token": "token" }));
    for route in &ROUTES {
        for lambda in [None, Some(json!(null)), Some(json!({})), Some(json!({ "name": "Ada", "username": "ada" }))] {
            assert_eq!(result(route, services, lambda.as_ref())?, None, "{} {lambda:?}", route.file);
        }
    }
    assert!(requests.lock().unwrap().is_empty(), "no token is asked for");
    Ok(())
}

#[test]
fn a_visitor_is_redirected_to_the_login_by_each_page() -> Result<()> {
    let lambda = json!({ "login": "/login?refresh&next=%2Fexamples%2Freport" });
    for route in &ROUTES {
        let result = result(route, 0, Some(&lambda))?;
        if route.authorizer == Authorizer::SignedIn {
            assert_eq!(result, None, "{}: behind the wrong authorizer it fails", route.file);
            continue;
        }
        let result = result.unwrap();
        assert_eq!(result["statusCode"], 302, "{}", route.file);
        assert_eq!(result["headers"]["location"], lambda["login"], "{}", route.file);
        assert_eq!((&result["headers"]["cache-control"], &result["body"]), (&json!("no-store"), &Value::Null));
    }
    Ok(())
}

#[test]
fn no_text_from_outside_is_markup_in_a_page() -> Result<()> {
    let (services, _) = services(json!({ "access_token": "token", "expires_at": 1 }));
    let lambda = json!({ "sub": HOSTILE, "name": HOSTILE, "username": HOSTILE });
    for route in &ROUTES {
        let result = result(route, services, Some(&lambda))?.unwrap();
        assert_eq!((&result["statusCode"], &result["headers"]["cache-control"]), (&json!(200), &json!("no-store")));
        let body = result["body"].as_str().unwrap();
        if route.authorizer == Authorizer::SignedIn {
            assert_eq!(result["headers"]["content-type"], "application/json");
            assert_eq!(serde_json::from_str::<Value>(body).unwrap()["name"], HOSTILE);
            continue;
        }
        assert!(body.contains("script") && !body.contains("<script") && !body.contains("'\""), "{body}");
        let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        assert_eq!(result["headers"]["content-security-policy"], policy);
        assert_eq!(result["headers"]["x-content-type-options"], "nosniff");
    }
    Ok(())
}

#[test]
fn a_user_without_a_name_has_a_page_too() -> Result<()> {
    for route in ROUTES.iter().filter(|route| route.path != "/transfers") {
        let result = result(route, 0, Some(&json!({ "sub": "7fb58e00" })))?.unwrap();
        assert_eq!(result["statusCode"], 200, "{}", route.file);
        assert!(result["body"].as_str().unwrap().contains("7fb58e00"), "{result}");
    }
    Ok(())
}

#[test]
fn the_transfers_are_asked_for_with_the_token_of_the_user_and_lead_back_here() -> Result<()> {
    let (services, requests) = services(json!({ "access_token": "token", "expires_at": 1 }));
    result(transfers(), services, Some(&json!({ "sub": "7fb58e00" })))?.unwrap();
    let requests = requests.lock().unwrap();
    let [invocation, list] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(invocation.target, "/2015-03-31/functions/token/invocations");
    let asked = json!({
        "cookies": ["session=sealed"],
        "resource_server": "transfer.api.globus.org",
        "next": "/examples/transfers",
    });
    assert_eq!(serde_json::from_str::<Value>(&invocation.body).ok(), Some(asked));
    assert_eq!(list.header("authorization"), "Bearer token");
    Ok(())
}

#[test]
fn without_a_token_the_page_of_transfers_leads_to_one_or_says_why_not() -> Result<()> {
    let page = |token| result(transfers(), services(token).0, Some(&json!({ "sub": "7fb58e00" })));
    let led = page(json!({ "login": "/login?refresh&next=%2Fexamples%2Ftransfers" }))?.unwrap();
    let location = &led["headers"]["location"];
    assert_eq!((&led["statusCode"], location), (&json!(302), &json!("/login?refresh&next=%2Fexamples%2Ftransfers")));

    let failed = page(json!({ "error": "store_timeout", "message": HOSTILE }))?.unwrap();
    let body = failed["body"].as_str().unwrap();
    assert_eq!(failed["statusCode"], 502);
    assert!(body.contains("&lt;script&gt;alert(1)") && !body.contains("<script"), "{body}");

    // As from a function that has crashed.
    assert_eq!(page(json!({ "errorMessage": "timed out" }))?, None);
    Ok(())
}
