mod first_release;
mod late;

use std::time::{Duration, Instant};

use globus_stand_in::{CLIENT_ID, Endpoint, Fault};
use shared::{
    Function,
    testing::{self, Browser, Event, Log, Received, SESSION, TABLE_DOWN, World, function, noon, now, ticket},
};

use super::*;

/// The browser of a signed-in user.
struct SignedIn {
    world: World,
    browser: Browser,
}

impl SignedIn {
    async fn start() -> Self {
        let (world, mut browser) = (World::start().await, Browser::default());
        world.sign_in(login::handle, &mut browser, "ada").await;
        Self { world, browser }
    }

    async fn send(&mut self, event: Event) -> Received {
        self.world.send(handle, &mut self.browser, event).await
    }

    fn is_signed_in(&self) -> bool {
        self.browser.cookies.contains_key(SESSION)
    }
}

#[tokio::test]
async fn a_request_for_the_logout_page_changes_nothing() {
    let mut user = SignedIn::start().await;
    let image = Event::get("/logout").header("sec-fetch-dest", "image").header("sec-fetch-mode", "no-cors");
    let image = image.header("sec-fetch-site", "cross-site");
    for event in [Event::get("/logout"), Event::get("/logout").method("HEAD"), image] {
        let response = user.send(event).await;
        response.assert_page(200, "You are logged in as Ada Lovelace").assert_no_cookie();
    }
    assert!(user.is_signed_in());
    assert_eq!(user.world.stand_in.requests(Endpoint::Revoke), 0);
}

#[tokio::test]
async fn a_logout_revokes_every_token_and_removes_every_cookie_of_this_site() {
    let mut user = SignedIn::start().await;
    // An attempt to sign in, in another tab.
    user.world.send(login::handle, &mut user.browser, Event::get("/login")).await;
    for others in ["theme", "__Host-login-abc"] {
        user.browser.cookies.insert(others.to_owned(), "of-another-app".to_owned());
    }
    let log = Log::listen();

    let response = user.send(Event::post("/logout")).await;

    response.assert_redirect(303, "https://gateway.example/logout");
    let left: Vec<_> = user.browser.cookies.keys().map(String::as_str).collect();
    assert_eq!(left, ["__Host-login-abc", "__Host-logout-8af82921", "theme"]);
    assert_eq!((user.world.stand_in.issued_tokens().len(), user.world.revoked()), (4, 4));
    assert!(log.text().contains("event=\"logout\" outcome=\"success\""), "{}", log.text());
    let tokens = user.world.stand_in.issued_tokens();
    log.assert_lacks(tokens.iter().map(String::as_str));
}

#[tokio::test]
async fn the_page_after_a_logout_links_to_the_logout_of_globus() {
    let mut user = SignedIn::start().await;
    user.send(Event::post("/logout")).await;

    let response = user.send(Event::get("/logout")).await;

    response.assert_page(200, "You are logged out");
    // The template escapes slashes in attributes.
    let link = format!("{}/v2/web/logout?client_id={CLIENT_ID}&amp;redirect_uri=", user.world.stand_in.url());
    assert!(response.body.replace("&#x2f;", "/").contains(&link), "{}", response.body);
}

#[tokio::test]
async fn cross_site_request_forgery_does_not_log_the_user_out() {
    let mut user = SignedIn::start().await;
    let form = || Event::post("/logout");
    for forged in [
        form().header("sec-fetch-site", "cross-site"),
        form().header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "no-cors"),
        form().header("sec-fetch-site", "same-site"),
        form().header("sec-fetch-site", "").header("origin", "null"),
        form().header("sec-fetch-site", "").header("origin", "https://evil.example"),
        form().header("sec-fetch-site", "").header("origin", ""),
    ] {
        let log = Log::listen();
        let response = user.send(forged).await;
        response.assert_page(403, "did not come from this site").assert_no_cookie();
        log.assert_reason("cross_site");
    }
    assert!(user.is_signed_in());
    assert_eq!(user.world.revoked(), 0);
}

#[tokio::test]
async fn a_browser_without_fetch_metadata_can_log_out() {
    let mut user = SignedIn::start().await;
    user.send(Event::post("/logout").header("sec-fetch-site", "")).await;
    assert!(!user.is_signed_in());
}

#[tokio::test]
async fn a_logout_succeeds_while_globus_does_not_respond() {
    let mut user = SignedIn::start().await;
    user.world.stand_in.fault(Endpoint::Revoke, Fault::Hold);
    let (log, begun) = (Log::listen(), Instant::now());

    let response = user.send(Event::post("/logout")).await;

    response.assert_page(200, "You are logged out").assert_page(200, "did not revoke every token");
    response.assert_page(200, "&#x2f;v2&#x2f;web&#x2f;consents?client_id=");
    assert!(!user.is_signed_in());
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    log.assert_reason("tokens_not_revoked");
    user.world.stand_in.clear_faults();
}

#[tokio::test]
async fn the_name_of_the_site_is_on_its_page_and_in_the_link_of_globus() {
    let world = World::with(&[("SITE_NAME", "Beamline <7>")]).await;
    let response = world.send(handle, &mut Browser::default(), Event::get("/logout")).await;

    response
        .assert_page(200, "<title>Logged out · Beamline &lt;7&gt;</title>")
        .assert_page(200, "</svg>Beamline &lt;7&gt;</a>");
    response.assert_page(200, "&amp;redirect_name=Beamline+%3C7%3E\"");
    let world = World::start().await;
    let response = world.send(handle, &mut Browser::default(), Event::get("/logout")).await;
    response.assert_page(200, "&amp;redirect_name=Web+app+with+authentication+delegated+to+Globus+Auth\"");
}

#[tokio::test]
async fn a_user_whose_session_has_expired_is_not_told_to_be_logged_in() {
    let mut user = SignedIn::start().await;
    user.world.later(Duration::from_hours(168));

    let response = user.send(Event::get("/logout")).await;

    response.assert_page(200, "Your login has expired").assert_page(200, "You are no longer logged in.");
    assert!(!response.body.contains("You are logged in"), "{}", response.body);
}

#[tokio::test]
async fn the_tokens_of_an_expired_session_are_revoked_as_well() {
    let mut user = SignedIn::start().await;
    user.world.later(Duration::from_hours(72));

    user.send(Event::get("/logout")).await.assert_page(200, "Ada Lovelace");
    user.send(Event::post("/logout")).await;

    assert_eq!(user.world.revoked(), 4);
}

#[tokio::test]
async fn a_user_whose_login_is_too_old_for_the_access_rules_can_log_out() {
    let world = World::with(&[("MAX_AUTHENTICATION_MINUTES", "30")]).await;
    let mut user = SignedIn { world, browser: Browser::default() };
    user.world.sign_in(login::handle, &mut user.browser, "ada").await;
    user.world.later(Duration::from_mins(31));

    user.send(Event::get("/logout")).await.assert_page(200, "Your login has expired");
    user.send(Event::post("/logout")).await.assert_redirect(303, "https://gateway.example/logout");

    assert!(!user.is_signed_in());
    assert_eq!(user.world.revoked(), user.world.stand_in.issued_tokens().len());
}

#[tokio::test]
async fn a_logout_without_a_readable_session_succeeds() {
    let mut user = SignedIn::start().await;
    for cookie in [None, Some("unreadable")] {
        user.browser = Browser::default();
        if let Some(value) = cookie {
            user.browser.cookies.insert(SESSION.to_owned(), value.to_owned());
        }
        user.send(Event::get("/logout")).await.assert_page(200, "You are logged out");
        let response = user.send(Event::post("/logout")).await;
        response.assert_redirect(303, "https://gateway.example/logout");
        let names: Vec<_> = response.cookies.iter().map(|cookie| cookie.split('=').next().unwrap()).collect();
        let unreadable = cookie.map(|_| SESSION);
        assert_eq!(names, unreadable.into_iter().chain(["__Host-logout-8af82921"]).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_open_redirect_in_the_query_is_ignored() {
    let mut user = SignedIn::start().await;
    for query in ["next=//evil.example", "next=https://evil.example", "redirect_uri=https://evil.example"] {
        let response = user.send(Event::post(&format!("/logout?{query}"))).await;
        response.assert_redirect(303, "https://gateway.example/logout");
    }
}

#[tokio::test]
async fn any_other_path_is_a_404_and_any_other_method_a_405() {
    let mut user = SignedIn::start().await;
    user.send(Event::get("/logout/all")).await.assert_page(404, "Page not found");
    let response = user.send(Event::get("/logout").method("DELETE")).await;
    response.assert_page(405, "not possible here");
    assert_eq!(response.headers["allow"], "GET, HEAD, POST");
}

#[tokio::test]
async fn every_sample_event_gets_its_response() {
    let pairs = [("BASE_URL", ""), ("AWS_REGION", "us-east-1")];
    let function = testing::function(&pairs, |env| App::with_globus(App::read(env), env));
    let samples = [
        ("logout-ask", 200, "You are logged out"),
        ("logout-submit", 303, ""),
        ("logout-cross-site", 403, "did not come from this site"),
    ];
    for (name, status, text) in samples {
        let response = Browser::default().send(&function, handle, Event::sample(name), now()).await;
        response.assert_page(status, text);
    }
    assert_eq!(Event::samples_for("logout-"), samples.map(|(name, ..)| name.to_owned()).into());
}

/// What the page says if a logout everywhere has left a session.
const OTHERS: &str = "Not every session in your other browsers has ended.";

/// A function whose table is down, and a browser that has the ticket of a session there.
fn with_the_table_down() -> (Function<(App, Globus)>, Browser) {
    let function = function(&TABLE_DOWN, |env| App::with_globus(App::read(env), env));
    let mut browser = Browser::default();
    let (ticket, attempt) = (ticket(), "__Host-attempt-0-8af82921");
    let (name, value) = ticket.split_once('=').unwrap();
    browser.cookies.insert(name.to_owned(), value.to_owned());
    browser.cookies.insert(attempt.to_owned(), "of-another-app".to_owned());
    (function, browser)
}

#[tokio::test]
async fn while_the_table_is_down_the_logout_page_can_be_opened() {
    let (function, mut browser) = with_the_table_down();
    let log = Log::listen();

    let response = browser.send(&function, handle, Event::get("/logout"), noon()).await;

    response.assert_page(200, "Log out?").assert_no_cookie();
    log.assert_reason("store_unreachable");
}

#[tokio::test]
async fn while_the_table_is_down_a_logout_clears_the_browser_and_says_what_is_left() {
    for (form, everywhere) in [("", false), ("everywhere=yes", true)] {
        let (function, mut browser) = with_the_table_down();
        let log = Log::listen();

        let response = browser.send(&function, handle, Event::post("/logout").body(form), noon()).await;

        response.assert_page(503, "Your session there is not ended, and its tokens are not revoked.");
        assert_eq!(response.body.contains(OTHERS), everywhere, "{}", response.body);
        let left: Vec<_> = browser.cookies.keys().map(String::as_str).collect();
        assert_eq!(left, ["__Host-attempt-0-8af82921", "__Host-logout-8af82921"]);
        log.assert_reason("store_unreachable");
        let line = log.text();
        assert!(line.contains("sub=\"8c8b2a0e-0000-4000-8000-000000000001\" status=503"), "{line}");
    }
}

/// It is not known whose other sessions to end, so the table is not asked.
#[tokio::test]
async fn a_logout_everywhere_without_a_readable_ticket_says_what_is_left() {
    let (function, _) = with_the_table_down();
    let mut browser = Browser { cookies: [(SESSION.to_owned(), "damaged".to_owned())].into() };
    let log = Log::listen();

    let response = browser.send(&function, handle, Event::post("/logout").body("everywhere=yes"), noon()).await;

    response.assert_page(200, "You are logged out").assert_page(200, OTHERS).assert_cleared(SESSION);
    log.assert_reason("session_ended");
    assert!(log.text().contains("event=\"logout\" outcome=\"partial\""), "{}", log.text());
}

/// What an operator searches for: all lines of one session, and whose it was.
#[tokio::test]
async fn login_renewal_and_logout_are_lines_of_one_session_and_its_user() {
    let (mut user, log) = (SignedIn::start().await, Log::listen());
    let mut browser = Browser::default();
    user.world.sign_in(login::handle, &mut browser, "ada").await;
    user.browser = browser;
    let id = user.world.session_of(&user.browser).await.unwrap().log_id();
    user.world.later(Duration::from_hours(48));
    user.world.send(login::handle, &mut user.browser, Event::get("/login?refresh")).await;
    user.send(Event::post("/logout")).await;
    for event in ["sign_in", "renewal", "logout"] {
        let line = format!("event=\"{event}\" outcome=\"success\" session=\"{id}\" sub=\"ada10ace-");
        assert_eq!(log.text().matches(&line).count(), 1, "{event}: {}", log.text());
    }
}

#[tokio::test]
async fn two_sites_at_one_host_keep_apart_from_login_to_logout() {
    let site = async |path: &str| {
        let world = World::with(&[("BASE_URL", &format!("https://gateway.example{path}"))]).await;
        world.stand_in.register_redirect_uri(&format!("https://gateway.example{path}/login"));
        world
    };
    let (a, b, mut browser) = (site("/a").await, site("/b").await, Browser::default());
    a.sign_in(login::handle, &mut browser, "ada").await;
    b.sign_in(login::handle, &mut browser, "sparse").await;
    assert!(a.session_of(&browser).await.is_some());

    a.send(handle, &mut browser, Event::post("/logout")).await;

    assert!(a.session_of(&browser).await.is_none() && b.session_of(&browser).await.is_some());
    assert_eq!((a.revoked(), b.revoked()), (4, 0));
}

#[tokio::test]
async fn a_logout_stays_at_the_address_of_the_site() {
    for (base_url, stage, path) in [
        ("https://gateway.example/app", "$default", "/app/logout"),
        ("https://gateway.example", "prod", "/prod/logout"),
        ("https://gateway.example/app", "prod", "/prod/app/logout"),
    ] {
        let (world, mut browser) = (World::with(&[("BASE_URL", base_url)]).await, Browser::default());
        let response = world.send(handle, &mut browser, Event::post(path).at_stage(stage)).await;
        response.assert_redirect(303, &format!("{base_url}/logout"));
        let page = world.send(handle, &mut browser, Event::get(path).at_stage(stage)).await;
        let back = format!("redirect_uri={}", base_url.replace(':', "%3A").replace('/', "%2F"));
        assert!(page.body.replace("&#x2f;", "/").contains(&back), "{}", page.body);
    }
}
