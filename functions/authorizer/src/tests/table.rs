//! Every kind of request with every kind of cookie, in both modes.

use super::*;

const LOGIN: &str = "/login?refresh&next=%2Freport";

/// The kinds of request.
fn requests() -> [(&'static str, Event); 9] {
    let get = || Event::get("/report");
    let post = || Event::post("/report").header("sec-fetch-dest", "document");
    let script = || get().header("accept", "*/*").header("sec-fetch-dest", "empty").header("sec-fetch-mode", "cors");
    [
        ("navigation", get()),
        ("HEAD", get().method("HEAD")),
        ("fetch", script().header("sec-fetch-site", "same-origin")),
        ("curl", get().of_program()),
        ("prefetch", get().header("sec-purpose", "prefetch")),
        ("frame", get().header("sec-fetch-dest", "iframe")),
        ("OPTIONS", script().method("OPTIONS")),
        ("POST of this site", post()),
        (
            "POST of another site",
            post().header("sec-fetch-site", "cross-site").header("origin", "https://evil.example"),
        ),
    ]
}

/// What becomes of each request: `-` it is denied, `l` only the login is in the context, `u` the user is, `!` an error.
#[track_caller]
fn assert_row(found: &str, expected: &str, row: &str) {
    let names = requests().map(|(name, _)| name);
    assert_eq!(found, expected, "{row}: {names:?}");
}

async fn row(pairs: &[(&str, &str)], cookie: &str, now: Timestamp) -> String {
    let mut row = String::new();
    for (name, event) in requests() {
        let event = if cookie.is_empty() { event } else { event.cookie(cookie) };
        let result = result(pairs, &event, now).await;
        let context = result["context"].as_object();
        row.push(match (result["isAuthorized"].as_bool(), context) {
            (Some(false), Some(context)) if context.is_empty() => '-',
            (Some(true), Some(context)) if context.contains_key("sub") && !context.contains_key("login") => 'u',
            // Nothing beside the login.
            (Some(true), Some(context)) if context.len() == 1 && context["login"] == LOGIN => 'l',
            _ if result == "store_unreachable" => '!',
            _ => panic!("{name}: {result}"),
        });
    }
    row
}

#[tokio::test]
async fn only_a_session_that_is_good_now_opens_a_route_and_only_a_page_is_shown_the_login() {
    const RETIRED: [(&str, &str); 1] = [("SESSION_KEYS", "a-retired-session-key-of-32-characters")];
    let cookie = async |pairs| format!("{SESSION}={}", signed_in(pairs).await.cookies[SESSION]);
    let (own, retired) = (cookie(&[]).await, cookie(&RETIRED).await);
    let altered = own.replace(own.get(60..64).unwrap(), "AAAA");
    let planted = format!("\u{2000}{own}");
    let twice = format!("{own}; {SESSION}=x");
    for (name, cookie, hours, strict, for_pages) in [
        ("no cookie", "", 0, "---------", "ll-------"),
        ("foreign", "other=1", 0, "---------", "ll-------"),
        ("garbled", &format!("{SESSION}=%zz"), 0, "---------", "ll-------"),
        ("altered", &altered, 0, "---------", "ll-------"),
        ("planted", &planted, 0, "---------", "ll-------"),
        ("retired key", &retired, 0, "---------", "ll-------"),
        ("to be renewed", &own, 48, "---------", "ll-------"),
        ("expired", &own, 168, "---------", "ll-------"),
        ("beside one that is garbled", &twice, 0, "uuuuuuuu-", "uuuuuuuu-"),
        ("good", &own, 0, "uuuuuuuu-", "uuuuuuuu-"),
        ("good for an hour", &own, 47, "uuuuuuuu-", "uuuuuuuu-"),
    ] {
        let now = noon() + Duration::from_hours(hours);
        assert_row(&row(&[SIGNED_IN], cookie, now).await, strict, name);
        assert_row(&row(&[VISITOR], cookie, now).await, for_pages, name);
    }
}

#[tokio::test]
async fn a_table_that_is_down_lets_no_request_through() {
    for mode in [SIGNED_IN, VISITOR] {
        assert_row(&row(&[&TABLE_DOWN[..], &[mode]].concat(), &ticket(), noon()).await, "!!!!!!!!-", "down");
    }
    assert_row(&row(&[&TABLE_DOWN[..], &[VISITOR]].concat(), "", noon()).await, "ll-------", "no cookie");
}

#[tokio::test]
async fn cross_site_request_forgery_passes_no_guard_and_a_program_names_its_origin() {
    let grace = signed_in(&[]).await;
    let verdict = async |method: &str, headers: &[(&str, &str)]| {
        let event = grace.with_cookies(Event::get("/report").of_program()).method(method);
        let event = headers.iter().fold(event, |event, (name, value)| event.header(name, value));
        let [strict, for_pages] = [SIGNED_IN, VISITOR].map(async |mode| result(&[mode], &event, noon()).await);
        let (strict, for_pages) = (strict.await["isAuthorized"].clone(), for_pages.await["isAuthorized"].clone());
        assert_eq!(strict, for_pages);
        strict
    };
    for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE", "QUERY", "get"] {
        assert_eq!(verdict(method, &[]).await, false, "{method}");
        assert_eq!(verdict(method, &[("origin", "https://gateway.example")]).await, true, "{method}");
        assert_eq!(verdict(method, &[("sec-fetch-site", "same-origin")]).await, true, "{method}");
        for other in ["https://evil.example", "https://gateway.example.evil.example", "http://gateway.example", "null"]
        {
            assert_eq!(verdict(method, &[("origin", other)]).await, false, "{method} {other}");
        }
        for site in ["cross-site", "same-site", "none"] {
            let headers = [("sec-fetch-site", site), ("origin", "https://gateway.example")];
            assert_eq!(verdict(method, &headers).await, false, "{method} {site}");
        }
    }
}
