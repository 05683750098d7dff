use std::time::{Duration, Instant};

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, Endpoint, Fault, StandIn};
use shared::{
    config::ConfigError,
    return_path::ReturnPath,
    testing::{Answer, Browser, Event, Log, configure, now},
};

use super::*;

const SESSION: &str = "__Host-session";

/// This function, Globus as it knows it, and somebody who has signed in.
struct World {
    app: Result<(App, Globus), ConfigError>,
    stand_in: StandIn,
    browser: Browser,
    now: SystemTime,
}

impl World {
    async fn signed_in() -> Self {
        let stand_in = StandIn::start(0, &["https://gateway.example/login"]).await.unwrap();
        let pairs = [
            ("GLOBUS_AUTH_URL", stand_in.url()),
            ("GLOBUS_CLIENT_ID", CLIENT_ID),
            ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET),
        ];
        let app = configure(&pairs, |env| App::with_globus(App::read(env), env));
        let mut world = Self { app, stand_in, browser: Browser::default(), now: now() };
        world.sign_in().await;
        world
    }

    /// Signs in as the login function does.
    async fn sign_in(&mut self) {
        let (app, globus) = self.app.as_ref().unwrap();
        let redirect_uri = "https://gateway.example/login";
        let (attempt, url) = globus.begin(redirect_uri, ReturnPath::home(), self.now).unwrap();
        let callback = self.stand_in.sign_in(&url, "ada").await.unwrap();
        let (_, code) = callback.split_once("code=").unwrap();
        let code = code.split('&').next().unwrap().to_owned();
        let signed_in = globus.complete(code, &attempt, redirect_uri, self.now).await.unwrap();
        let session = Session::new(signed_in.identity, signed_in.tokens, self.now);
        let cookie = app.storage.create(&Event::get("/").request(), &session, self.now).await.unwrap();
        self.browser.keep(&cookie);
    }

    async fn send(&mut self, event: Event) -> Answer {
        self.browser.send(&self.app, handle, event, self.now).await
    }

    fn revoked(&self) -> usize {
        let issued = self.stand_in.issued_tokens();
        issued.iter().filter(|token| self.stand_in.is_revoked(token)).count()
    }

    fn is_signed_in(&self) -> bool {
        self.browser.cookies.contains_key(SESSION)
    }
}

#[tokio::test]
async fn asking_for_the_page_changes_nothing() {
    let mut world = World::signed_in().await;
    for method in ["GET", "HEAD"] {
        let answer = world.send(Event::get("/logout").method(method)).await;
        answer.assert_page(200, "You are signed in as Ada Lovelace").assert_no_cookie();
    }
    assert_eq!(world.stand_in.requests(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn logging_out_revokes_every_token_and_takes_every_cookie_of_ours_away() {
    let mut world = World::signed_in().await;
    world.browser.cookies.insert("__Host-login-abc".to_owned(), "an attempt".to_owned());
    world.browser.cookies.insert("theme".to_owned(), "dark".to_owned());
    let log = Log::listen();

    let answer = world.send(Event::post("/logout")).await;

    answer.assert_redirect(303, "https://gateway.example/logout");
    assert_eq!(world.browser.cookies.keys().collect::<Vec<_>>(), ["theme"]);
    assert_eq!((world.stand_in.issued_tokens().len(), world.revoked()), (4, 4));
    assert!(log.text().contains("logged out"), "{}", log.text());
    let tokens = world.stand_in.issued_tokens();
    log.assert_lacks(tokens.iter().map(String::as_str));
}

#[tokio::test]
async fn afterwards_a_page_says_so_and_links_to_globus_own_logout() {
    let mut world = World::signed_in().await;
    world.send(Event::post("/logout")).await;

    let answer = world.send(Event::get("/logout")).await;

    answer.assert_page(200, "You are logged out");
    // In an attribute, where the template escapes what it must.
    let link = format!("{}/v2/web/logout?client_id={CLIENT_ID}&amp;redirect_uri=", world.stand_in.url());
    assert!(answer.body.replace("&#x2f;", "/").contains(&link), "{}", answer.body);
}

#[tokio::test]
async fn cross_site_request_forgery_logs_nobody_out() {
    let mut world = World::signed_in().await;
    let form = || Event::post("/logout");
    for forged in [
        form().header("sec-fetch-site", "cross-site"),
        form().header("sec-fetch-site", "same-site"),
        form().header("sec-fetch-site", "").header("origin", "null"),
        form().header("sec-fetch-site", "").header("origin", "https://evil.example"),
        form().header("sec-fetch-site", "").header("origin", ""),
    ] {
        let log = Log::listen();
        let answer = world.send(forged).await;
        answer.assert_page(403, "did not come from this site").assert_no_cookie();
        log.assert_reason("cross_site");
    }
    assert!(world.is_signed_in());
    assert_eq!(world.revoked(), 0);
}

#[tokio::test]
async fn a_browser_without_fetch_metadata_can_log_out() {
    let mut world = World::signed_in().await;
    world.send(Event::post("/logout").header("sec-fetch-site", "")).await;
    assert!(!world.is_signed_in());
}

#[tokio::test]
async fn a_logout_succeeds_while_globus_does_not_answer() {
    let mut world = World::signed_in().await;
    world.stand_in.fault(Endpoint::Revoke, Fault::Hold);
    let (log, begun) = (Log::listen(), Instant::now());

    let answer = world.send(Event::post("/logout")).await;

    answer.assert_redirect(303, "https://gateway.example/logout");
    assert!(!world.is_signed_in());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    log.assert_reason("tokens_not_revoked");
    world.stand_in.clear_faults();
}

#[tokio::test]
async fn the_tokens_of_an_expired_session_are_revoked_as_well() {
    let mut world = World::signed_in().await;
    world.now += Duration::from_hours(72);

    world.send(Event::get("/logout")).await.assert_page(200, "Ada Lovelace");
    world.send(Event::post("/logout")).await;

    assert_eq!(world.revoked(), 4);
}

#[tokio::test]
async fn somebody_without_a_session_or_with_an_unreadable_one_is_logged_out_all_the_same() {
    let mut world = World::signed_in().await;
    for cookie in [None, Some("unreadable")] {
        world.browser = Browser::default();
        if let Some(value) = cookie {
            world.browser.cookies.insert(SESSION.to_owned(), value.to_owned());
        }
        world.send(Event::get("/logout")).await.assert_page(200, "You are logged out");
        let answer = world.send(Event::post("/logout")).await;
        answer.assert_redirect(303, "https://gateway.example/logout").assert_cleared(SESSION);
    }
}

#[tokio::test]
async fn an_open_redirect_in_the_query_is_not_even_looked_at() {
    let mut world = World::signed_in().await;
    for query in ["next=//evil.example", "next=https://evil.example", "redirect_uri=https://evil.example"] {
        let answer = world.send(Event::post(&format!("/logout?{query}"))).await;
        answer.assert_redirect(303, "https://gateway.example/logout");
    }
}

#[tokio::test]
async fn any_other_path_is_a_404_and_any_other_method_a_405() {
    let mut world = World::signed_in().await;
    world.send(Event::get("/logout/all")).await.assert_page(404, "Page not found");
    let answer = world.send(Event::get("/logout").method("DELETE")).await;
    answer.assert_page(405, "not possible here");
    assert_eq!(answer.headers["allow"], "GET, HEAD, POST");
}

#[tokio::test]
async fn every_sample_event_is_answered() {
    let pairs = [("BASE_URL", ""), ("AWS_REGION", "us-east-1")];
    let app = configure(&pairs, |env| App::with_globus(App::read(env), env));
    let samples = [
        ("logout-ask", 200, "You are logged out"),
        ("logout-submit", 303, ""),
        ("logout-cross-site", 403, "did not come from this site"),
    ];
    for (name, status, text) in samples {
        let answer = Browser::default().send(&app, handle, Event::sample(name), now()).await;
        answer.assert_page(status, text);
    }
    assert_eq!(Event::samples_for("logout-"), samples.map(|(name, ..)| name.to_owned()).into());
}
