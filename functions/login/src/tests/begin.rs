use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn a_sign_in_sends_state_nonce_and_pkce_and_requests_refresh_tokens() {
    let world = World::start().await;
    let mut browser = Browser::default();

    let url = begin(&world, &mut browser, "/login").await;

    assert!(url.starts_with(&format!("{}/v2/oauth2/authorize?", world.stand_in.url())));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", "https%3A%2F%2Fgateway.example%2Flogin"),
        ("scope", "openid+profile+email+urn%3Aglobus%3Aauth%3Ascope%3Atransfer.api.globus.org%3Aall"),
        ("code_challenge_method", "S256"),
        ("access_type", "offline"),
    ] {
        assert_eq!(query(&url, name), value, "{url}");
    }
    assert_eq!(query(&url, "code_challenge").len(), 43);
    assert!(query(&url, "state").len() >= 22 && query(&url, "nonce").len() >= 22);
    let names: Vec<_> = browser.cookies.keys().collect();
    assert!(matches!(names.as_slice(), [one] if one.starts_with("__Host-attempt-")), "{names:?}");
}

#[tokio::test]
async fn no_two_attempts_share_a_secret() {
    let world = World::start().await;
    let (mut browser, mut secrets) = (Browser::default(), BTreeSet::new());
    for _ in 0..4 {
        let url = begin(&world, &mut browser, "/login").await;
        secrets.extend(["state", "nonce", "code_challenge"].map(|name| query(&url, name).to_owned()));
    }
    assert_eq!(secrets.len(), 12);
}

#[tokio::test]
async fn the_login_cookie_is_short_and_shows_nothing() {
    let world = World::start().await;
    let path = format!("/login?next=/{}", "x".repeat(109));

    let response = send(&world, &mut Browser::default(), Event::get(&path)).await;

    let cookie = &response.cookies[0];
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=3600"), "{cookie}");
    let pair = cookie.split_once(';').unwrap().0;
    assert!(pair.len() <= 380, "{} bytes", pair.len());
    assert!(!pair.contains(&"x".repeat(16)) && !pair.contains(query(response.location(), "nonce")));
}

#[tokio::test]
async fn the_five_latest_of_many_attempts_are_kept() {
    let mut world = World::start().await;
    let mut browser = Browser::default();
    let mut urls = Vec::new();
    for _ in 0..8 {
        urls.push(begin(&world, &mut browser, "/login").await);
        world.later(Duration::from_secs(1));
        assert!(browser.cookies.len() <= 5);
    }
    for (number, url) in urls.iter().enumerate() {
        let denied = Event::callback(&world.stand_in.deny(url).await.unwrap());
        let status = send(&world, &mut browser, denied).await.status;
        assert_eq!(status, if number < 3 { 400 } else { 403 }, "attempt {number}");
    }
}

/// As when a browser restores a window: each tab begins before any has a response.
#[tokio::test]
async fn forty_tabs_at_once_leave_five_cookies_and_one_signs_in() {
    let world = World::start().await;
    let mut browser = Browser::default();
    let mut urls = Vec::new();
    for _ in 0..40 {
        let response = send(&world, &mut Browser::default(), Event::get("/login")).await;
        assert_eq!(response.cookies.len(), 1);
        browser.receive(&response);
        urls.push(response.location().to_owned());
    }
    let size: usize = browser.cookies.iter().map(|(name, value)| name.len() + value.len() + 3).sum();
    assert!(browser.cookies.len() <= 5 && size < 2_048, "{size} bytes");

    let callback = world.at_globus(&urls[39], "ada").await;
    send(&world, &mut browser, callback).await.assert_redirect(302, "https://gateway.example/");
}

#[tokio::test]
async fn six_hundred_planted_login_cookies_draw_one_set_cookie_line() {
    let world = World::start().await;
    let planted = |number| (format!("__Host-attempt-{number}-8af82921"), "planted".to_owned());
    let mut browser = Browser { cookies: (0..600).map(planted).collect() };

    let response = send(&world, &mut browser, Event::get("/login")).await;

    assert_eq!((response.status, response.cookies.len()), (302, 1));
}

#[tokio::test]
async fn a_prefetch_or_a_frame_begins_no_sign_in() {
    let world = World::start().await;
    for event in [
        Event::get("/login").header("sec-purpose", "prefetch;prerender"),
        Event::get("/login").header("sec-fetch-dest", "image").header("sec-fetch-mode", "no-cors"),
        Event::get("/login").header("sec-fetch-dest", "iframe"),
        Event::get("/login").method("HEAD"),
    ] {
        let response = send(&world, &mut Browser::default(), event).await;
        response.assert_page(403, "Open this page yourself").assert_no_cookie();
    }
}

#[tokio::test]
async fn an_api_client_gets_a_401_and_is_not_sent_to_globus() {
    let world = World::start().await;
    let event = Event::get("/login").header("accept", "application/json");

    let response = send(&world, &mut Browser::default(), event).await;

    assert_eq!((response.status, response.error().as_str()), (401, "sign_in_required"));
    response.assert_no_cookie();
}

#[tokio::test]
async fn a_sign_in_at_another_host_name_first_moves_to_the_site() {
    let world = World::start().await;
    let mut browser = Browser::default();
    let elsewhere = |path: &str| Event::get(path).header("host", "127.0.0.1:9000");

    let response = send(&world, &mut browser, elsewhere("/login?next=/files?a=b%26c")).await;

    let moved = "https://gateway.example/login?moved&next=%2Ffiles%3Fa%3Db%26c";
    response.assert_redirect(302, moved).assert_no_cookie();
    let path = moved.strip_prefix(BASE_URL).unwrap();
    let url = begin(&world, &mut browser, path).await;
    let landed = world.at_globus(&url, "ada").await;
    let landed = send(&world, &mut browser, landed).await;
    landed.assert_redirect(302, "https://gateway.example/files?a=b&c");

    // Behind a proxy that uses another host name than browsers do, every request seems to come by another name.
    let response = send(&world, &mut Browser::default(), elsewhere(path)).await;
    assert!(response.location().starts_with(world.stand_in.url()), "{response:?}");
}

#[tokio::test]
async fn without_a_base_url_the_site_is_at_the_apis_own_name() {
    let world = World::with(&[("BASE_URL", ""), ("AWS_REGION", "us-east-1")]).await;
    let name = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";
    let event = Event::get("/login").arriving_at(name).header("host", name);

    let response = send(&world, &mut Browser::default(), event).await;
    assert_eq!(
        query(response.location(), "redirect_uri"),
        "https%3A%2F%2Fa1b2c3d4e5.execute-api.us-east-1.amazonaws.com%2Flogin"
    );

    let spoofed = Event::get("/login").arriving_at("evil.example").header("host", "evil.example");
    let response = send(&world, &mut Browser::default(), spoofed).await;
    response.assert_page(400, "This is not the address of this site").assert_no_cookie();
}

#[tokio::test]
async fn any_other_path_is_a_404_and_any_other_method_a_405() {
    let world = World::start().await;
    send(&world, &mut Browser::default(), Event::get("/login/")).await.assert_page(404, "Page not found");
    let response = send(&world, &mut Browser::default(), Event::post("/login")).await;
    response.assert_page(405, "not possible here");
    assert_eq!(response.headers["allow"], "GET, HEAD");
}

#[tokio::test]
async fn every_sample_event_gets_its_response() {
    let world = World::with(&[("BASE_URL", ""), ("AWS_REGION", "us-east-1")]).await;
    let samples = [
        ("login-begin", 302, ""),
        ("login-callback", 400, "Start again"),
        ("login-denied", 400, "Start again"),
        ("login-prefetch", 403, "Open this page yourself"),
        ("login-program", 401, "sign_in_required"),
    ];
    for (name, status, text) in samples {
        let response = send(&world, &mut Browser::default(), Event::sample(name)).await;
        response.assert_page(status, text);
    }
    assert_eq!(Event::samples_for("login-"), samples.map(|(name, ..)| name.to_owned()).into());
}
