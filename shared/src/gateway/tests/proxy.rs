//! The proxy in front of the site, which may let through less than the API itself does.

use crate::testing::{Browser, Event, Log, Received, function, noon};

const OLD: &str = "an-old-secret-of-32-characters-01";
const NEW: &str = "a-new-secret-of-32-characters-001";

/// The response of a function that responds 200 to everything, behind a proxy with these secrets.
async fn response(secrets: &str, event: Event) -> Received {
    let function = function(&[("ORIGIN_SECRET", secrets)], |_| Ok(()));
    let handle = async |(): &(), _: &_, _| Ok(lambda_http::Response::default());
    Browser::default().send(&function, handle, event, noon()).await
}

fn through_the_proxy(secret: &str) -> Event {
    Event::get("/").header("x-origin-secret", secret)
}

#[tokio::test]
async fn a_request_that_goes_round_the_proxy_is_refused() {
    for sent in ["", "another-secret-of-32-characters-1", "a-new-secret-of-32-characters-0011", &NEW[..32]] {
        let log = Log::listen();
        let refused = response(NEW, through_the_proxy(sent)).await;
        refused.assert_page(403, "This is not the address of this site").assert_no_cookie();
        log.assert_reason("origin_secret_missing");
        log.assert_lacks([NEW]);
    }
    let program = response(NEW, Event::get("/").header("accept", "application/json")).await;
    assert_eq!((program.status, program.error().as_str()), (403, "origin_secret_missing"));
    assert!(!program.body.contains(NEW), "{}", program.body);
}

#[tokio::test]
async fn a_request_through_the_proxy_passes_also_while_its_secret_changes() {
    let both = format!("{OLD}, {NEW}");
    for (known, sent) in [(OLD, OLD), (&both, OLD), (&both, NEW), (NEW, NEW)] {
        assert_eq!(response(known, through_the_proxy(sent)).await.status, 200);
    }
    assert_eq!(response(NEW, through_the_proxy(OLD)).await.status, 403);
    assert_eq!(response(&both, through_the_proxy(&both)).await.status, 403, "the list is not a secret itself");
}

#[tokio::test]
async fn without_a_secret_every_request_passes() {
    assert_eq!(response("", Event::get("/")).await.status, 200);
    assert_eq!(response("", through_the_proxy("anything")).await.status, 200);
}

/// A site that cannot tell its proxy's requests from others is closed, not open.
#[tokio::test]
async fn a_secret_that_is_no_protection_closes_the_site() {
    for (secrets, base_url, problem) in [
        ("too-short", "https://gateway.example", "ORIGIN_SECRET must be secrets of at least 32 characters each"),
        ("too-short,a-new-secret-of-32-characters-001", "https://gateway.example", "ORIGIN_SECRET must be secrets"),
        (",", "https://gateway.example", "ORIGIN_SECRET must be secrets"),
        (NEW, "", "ORIGIN_SECRET is set, but BASE_URL, the address of the proxy, is not"),
    ] {
        let log = Log::listen();
        let function = function(&[("ORIGIN_SECRET", secrets), ("BASE_URL", base_url)], |_| Ok(()));
        let handle = async |(): &(), _: &_, _| Ok(lambda_http::Response::default());
        let closed = Browser::default().send(&function, handle, through_the_proxy(secrets), noon()).await;
        closed.assert_page(503, "This site is not ready yet");
        assert!(log.text().contains(problem), "{}", log.text());
    }
}
