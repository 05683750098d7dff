//! The access rules during a session: they are checked again.

use shared::{
    config::Secret,
    session::{Admission, Visitor},
};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

/// A user who is in, and this much time.
async fn after(pairs: &[(&str, &str)], person: &str, passed: Duration) -> (World, Browser) {
    let mut world = World::with(pairs).await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, person).await.assert_redirect(302, "https://gateway.example/");
    world.later(passed);
    (world, browser)
}

async fn renew(world: &World, browser: &mut Browser) -> Received {
    send(world, browser, Event::get("/login?refresh&next=%2Ffiles")).await
}

/// What a browser that opens a page is told.
async fn page(world: &World, browser: &Browser) -> &'static str {
    let event = browser.with_cookies(Event::get("/"));
    let session = world.state().0.session(&event.request(), world.now).await;
    session.map_or_else(|error| error.row().reason.as_str(), |_| "in")
}

/// The same for a script.
async fn api(world: &World, browser: &Browser) -> &'static str {
    let event = browser.with_cookies(Event::get("/").header("accept", "application/json"));
    let session = world.state().0.session(&event.request(), world.now).await;
    session.map_or_else(|error| error.row().reason.as_str(), |_| "in")
}

#[tokio::test]
async fn a_page_is_sent_to_the_check_from_half_of_the_period_on_and_a_script_at_its_end() {
    let (mut world, browser) = after(&[GROUP], "member", MINUTE * 29).await;
    assert_eq!((page(&world, &browser).await, api(&world, &browser).await), ("in", "in"));
    world.later(MINUTE);
    assert_eq!((page(&world, &browser).await, api(&world, &browser).await), ("rules_not_checked", "in"));
    world.later(MINUTE * 30);
    assert_eq!((page(&world, &browser).await, api(&world, &browser).await), ("rules_not_checked", "rules_not_checked"));
}

/// A script that asks for a part of a page in HTML, and a page that a browser loads before the user opens it.
#[tokio::test]
async fn a_request_that_opens_no_page_is_not_sent_to_a_check_ahead_of_time() {
    let (world, browser) = after(&[GROUP], "member", MINUTE * 30).await;
    for (name, value) in [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "iframe"), ("sec-purpose", "prefetch")] {
        let request = browser.with_cookies(Event::get("/").header(name, value)).request();
        assert!(world.state().0.session(&request, world.now).await.is_ok(), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_check_ahead_of_time_loses_no_page_whose_address_is_too_long_to_come_back_to() {
    let (mut world, browser) = after(&[GROUP], "member", MINUTE * 30).await;
    let event = browser.with_cookies(Event::get(&format!("/files?{}", "x".repeat(512))));
    let app = &world.state().0;
    assert!(app.session(&event.request(), world.now).await.is_ok());
    world.later(MINUTE * 30);
    let app = &world.state().0;
    assert!(app.session(&event.request(), world.now).await.is_err(), "at the end of the period, it must be");
}

#[tokio::test]
async fn the_check_renews_no_token_and_returns_to_the_page() {
    let (mut world, mut browser) = after(&[DOMAIN, ("RULES_EVERY_MINUTES", "10")], "mfa", Duration::ZERO).await;
    let issued = world.stand_in.issued_tokens();
    world.later(MINUTE * 5);

    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");

    assert_eq!(page(&world, &browser).await, "in");
    assert_eq!(world.stand_in.issued_tokens(), issued);
    world.later(Duration::from_secs(299));
    assert_eq!(api(&world, &browser).await, "in", "the period begins anew");
    world.later(Duration::from_secs(301));
    assert_eq!(api(&world, &browser).await, "rules_not_checked");
}

#[tokio::test]
async fn a_removed_member_ends_at_the_next_check() {
    let (world, mut browser) = after(&[GROUP], "member", MINUTE * 30).await;
    world.stand_in.remove_from_group("member", BEAMLINE).unwrap();
    let log = Log::listen();

    let response = renew(&world, &mut browser).await;

    response.assert_page(403, "This account has no access").assert_cleared(SESSION);
    response.assert_page(403, "dorothy@globusid.example");
    assert_eq!(api(&world, &browser).await, "sign_in_required");
    assert_eq!(world.revoked(), world.stand_in.issued_tokens().len());
    let text = log.text();
    let line =
        "event=\"renewal\" outcome=\"refused\" reason=\"not_in_group\" sub=\"9e0b000a-010a-4a0a-8b0a-0a1b2c3d4e0a\"";
    assert!(text.contains(line) && text.lines().count() == 1, "{text}");
}

#[tokio::test]
async fn a_script_of_a_removed_member_learns_what_is_missing() {
    let (world, mut browser) = after(&[GROUP], "member", MINUTE * 30).await;
    world.stand_in.remove_from_group("member", BEAMLINE).unwrap();

    let renewal = Event::post("/login?refresh").header("accept", "application/json");
    let response = send(&world, &mut browser, renewal).await;

    assert_eq!((response.status, response.error().as_str()), (403, "not_in_group"));
    let body: serde_json::Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(body["missing"][0]["rule"], "ALLOWED_GROUPS");
    assert_eq!(body["login"], "/login?account=other");
}

#[tokio::test]
async fn a_policy_that_is_no_longer_fulfilled_leads_to_a_login_and_ends_the_session() {
    let (world, mut browser) = after(&[("REQUIRED_POLICIES", policies::MFA)], "mfa", MINUTE * 30).await;
    world.stand_in.edit_introspection(|about| about["policy_evaluations"] = json!({}));

    let response = renew(&world, &mut browser).await;

    assert!(response.location().starts_with(world.stand_in.url()), "{response:?}");
    assert_eq!(query(response.location(), "session_required_policies"), policies::MFA);
    assert_eq!(query(response.location(), "prompt"), "", "Globus asks for what is missing");
    assert_eq!(api(&world, &browser).await, "sign_in_required");
    assert_eq!(world.revoked(), world.stand_in.issued_tokens().len());
}

#[tokio::test]
async fn an_address_with_a_parameter_twice_keeps_no_cookie_of_a_session_that_was_refused() {
    let (world, mut browser) = after(&[("REQUIRED_POLICIES", policies::MFA)], "mfa", MINUTE * 30).await;
    world.stand_in.edit_introspection(|about| about["policy_evaluations"] = json!({}));

    let response = send(&world, &mut browser, Event::get("/login?refresh&account=a&account=b")).await;

    assert_eq!(response.status, 400);
    response.assert_cleared(SESSION);
    assert_eq!(api(&world, &browser).await, "sign_in_required");
}

#[tokio::test]
async fn roles_are_replaced_at_each_check() {
    let roles = format!("scientist={BEAMLINE},admin={}", groups::with(Status::Active));
    let (world, mut browser) = after(&[("ROLE_GROUPS", &roles)], "member", MINUTE * 30).await;
    world.stand_in.remove_from_group("member", BEAMLINE).unwrap();
    world.stand_in.set_membership("member", groups::with(Status::Active), Status::Active).unwrap();

    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");

    assert_eq!(world.session_of(&browser).await.unwrap().roles(), ["admin"]);
}

#[tokio::test]
async fn a_check_that_fails_leaves_the_session_until_the_end_of_its_period_and_never_longer() {
    for endpoint in [Endpoint::MyGroups, Endpoint::Introspect] {
        let (mut world, mut browser) = after(&[GROUP, RECENT_FOR_HOURS], "member", MINUTE * 30).await;
        world.stand_in.fault(endpoint, respond(500, "{}"));
        let log = Log::listen();

        renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");
        assert!(log.text().contains("outcome=\"failure\" reason=\"globus_error_status\""), "{}", log.text());
        assert_eq!(page(&world, &browser).await, "in", "not twice in a row");
        world.later(Duration::from_secs(89));
        assert_eq!(page(&world, &browser).await, "in");
        world.later(Duration::from_secs(1));
        assert_eq!(page(&world, &browser).await, "rules_not_checked");

        world.later(Duration::from_secs(1_710));
        assert_eq!(api(&world, &browser).await, "rules_not_checked");
        renew(&world, &mut browser).await.assert_page(503, "Globus is not responding").assert_page(503, "Try again");
        assert_eq!(api(&world, &browser).await, "rules_not_checked");

        world.stand_in.clear_faults();
        renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");
        assert_eq!(page(&world, &browser).await, "in");
    }
}

const RECENT_FOR_HOURS: (&str, &str) = ("MAX_AUTHENTICATION_MINUTES", "600");

fn set_login_time(about: &mut serde_json::Value, seconds: u64) {
    for (_, login) in about["session_info"]["authentications"].as_object_mut().unwrap() {
        login["auth_time"] = json!(seconds);
    }
}

#[tokio::test]
async fn a_login_that_became_too_old_is_repeated_with_prompt_login() {
    let (world, mut browser) = after(&[RECENT], "ada", MINUTE * 31).await;
    assert_eq!((page(&world, &browser).await, api(&world, &browser).await), ("rules_not_checked", "rules_not_checked"));

    let response = renew(&world, &mut browser).await;

    assert_eq!(query(response.location(), "prompt"), "login", "{response:?}");
    assert_eq!(world.stand_in.requests(Endpoint::Token), 1);
    let today = world.now.seconds();
    world.stand_in.edit_introspection(move |about| set_login_time(about, today));
    let callback = world.at_globus(response.location(), "ada").await;
    send(&world, &mut browser, callback).await.assert_redirect(302, "https://gateway.example/files");
}

#[tokio::test]
async fn a_login_just_before_its_end_is_repeated_too() {
    let (world, mut browser) = after(&[RECENT, ("RULES_EVERY_MINUTES", "10")], "ada", MINUTE * 20).await;
    world.stand_in.edit_introspection(|about| set_login_time(about, 1));
    let response = renew(&world, &mut browser).await;
    assert_eq!(query(response.location(), "prompt"), "login", "{response:?}");
    assert_eq!(api(&world, &browser).await, "sign_in_required");
}

#[tokio::test]
async fn a_login_that_is_too_old_is_repeated_also_if_a_policy_is_not_fulfilled_either() {
    let (world, mut browser) =
        after(&[RECENT_FOR_HOURS, ("REQUIRED_POLICIES", policies::MFA)], "mfa", MINUTE * 30).await;
    world.stand_in.edit_introspection(|about| {
        set_login_time(about, 1);
        about["policy_evaluations"] = json!({});
    });
    let response = renew(&world, &mut browser).await;
    assert_eq!(query(response.location(), "prompt"), "login", "{response:?}");
}

/// A session as the release before the rules kept it: without a token of Globus Groups.
#[tokio::test]
async fn a_session_without_a_token_of_groups_signs_in_anew_without_a_question() {
    let world = World::with(&[GROUP]).await;
    let mut browser = Browser::default();
    let (app, _) = world.state();
    let session = testing::session(world.now);
    let created = app.storage.create(&Event::get("/").request(), &session, world.now).await.unwrap();
    browser.keep(&created.cookie);
    assert_eq!(page(&world, &browser).await, "rules_not_checked");

    let response = renew(&world, &mut browser).await;

    assert!(response.location().starts_with(world.stand_in.url()), "{response:?}");
    assert_eq!(query(response.location(), "prompt"), "");
    assert_eq!(api(&world, &browser).await, "rules_not_checked");
}

#[tokio::test]
async fn a_consent_that_was_withdrawn_leads_to_a_sign_in() {
    for rule in [GROUP, RECENT_FOR_HOURS] {
        let (world, mut browser) = after(&[rule], "member", MINUTE * 30).await;
        world.stand_in.revoke_person("member");
        let response = renew(&world, &mut browser).await;
        assert!(response.location().starts_with(world.stand_in.url()), "{response:?}");
    }
}

/// 401 for a token that is not good, 403 for one without the scope.
#[tokio::test]
async fn a_token_that_globus_groups_refuses_leads_to_a_sign_in() {
    for status in [401, 403] {
        let (world, mut browser) = after(&[GROUP], "member", MINUTE * 30).await;
        world.stand_in.fault(Endpoint::MyGroups, respond(status, "{}"));
        let response = renew(&world, &mut browser).await;
        assert!(response.location().starts_with(world.stand_in.url()), "{status}: {response:?}");
    }
}

/// The check is then made with a token that has expired, and that Globus refuses.
#[tokio::test]
async fn a_user_whose_tokens_could_not_be_renewed_is_not_sent_to_log_in_by_the_check() {
    let inactive = respond(200, r#"{"active":false}"#);
    for (rule, endpoint, refused) in [
        (GROUP, Endpoint::MyGroups, respond(401, "{}")),
        (("MAX_AUTHENTICATION_MINUTES", "6000"), Endpoint::Introspect, inactive),
    ] {
        let (world, mut browser) = after(&[rule], "member", Duration::from_hours(49)).await;
        world.stand_in.fault(Endpoint::Token, respond(503, "{}"));
        world.stand_in.fault(endpoint, refused);
        renew(&world, &mut browser).await.assert_page(503, "Globus is not responding").assert_page(503, "Try again");

        world.stand_in.clear_faults();
        renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");
        assert_eq!(page(&world, &browser).await, "in");
    }
}

/// Another instance, whose clock is ahead, would send the browser back at once.
#[tokio::test]
async fn a_check_that_fails_half_a_minute_before_it_must_be_done_offers_another_try() {
    for (seconds, redirects) in [(3_569, true), (3_570, false)] {
        let (world, mut browser) = after(&[GROUP], "member", Duration::from_secs(seconds)).await;
        world.stand_in.fault(Endpoint::MyGroups, respond(500, "{}"));
        let response = renew(&world, &mut browser).await;
        assert_eq!(response.status, if redirects { 302 } else { 503 }, "after {seconds} s");
    }
}

/// It is just after a failed check by one clock, and after the end of the period by the other.
#[tokio::test]
async fn a_page_whose_clock_is_ahead_is_sent_to_the_check_once() {
    let (mut world, mut browser) = after(&[GROUP], "member", Duration::from_secs(3_525)).await;
    world.stand_in.fault(Endpoint::MyGroups, respond(500, "{}"));
    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");
    world.stand_in.clear_faults();
    world.later(Duration::from_secs(50));

    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");

    world.later(Duration::from_secs(30));
    assert_eq!(page(&world, &browser).await, "in");
}

#[tokio::test]
async fn nothing_is_checked_with_tokens_that_globus_no_longer_renews() {
    let mut world = World::with(&[GROUP, ("RULES_EVERY_MINUTES", "10")]).await;
    let mut browser = Browser::default();
    world.stand_in.expire_tokens_in(900);
    sign_in(&world, &mut browser, "member").await;
    world.later(MINUTE * 14);
    world.stand_in.revoke_person("member");

    let response = renew(&world, &mut browser).await;

    assert!(response.location().starts_with(world.stand_in.url()), "{response:?}");
    assert_eq!(world.stand_in.requests(Endpoint::MyGroups), 1, "at the sign-in");
}

/// While functions are updated one after the other, home has the new rules and login the old ones, or the reverse.
#[tokio::test]
async fn functions_with_different_rules_send_nobody_round_in_a_circle() {
    for own in [&[GROUP][..], &[]] {
        let (world, mut browser) = after(own, "member", Duration::ZERO).await;
        let path = "/login?refresh&rules=of-another&next=%2Ffiles";
        let response = send(&world, &mut browser, Event::get(path)).await;
        response.assert_page(503, "This site is being updated").assert_no_cookie();
        response.assert_page(503, "login?refresh&amp;next=%2Ffiles");

        let script = Event::post("/login?refresh&rules=of-another").header("accept", "application/json");
        let response = send(&world, &mut browser, script).await;
        assert_eq!((response.status, response.error().as_str()), (503, "rules_differ"));
    }
}

/// The settings of a function in the middle of an update: the rules of before, those of after, or none.
const VERSIONS: [&[(&str, &str)]; 5] = [
    &[],
    &[GROUP],
    &[GROUP, ("RULES_EVERY_MINUTES", "10")],
    &[GROUP, RECENT],
    &[("ALLOWED_DOMAINS", "globusid.example")],
];

/// Whether home, with these settings, sends a browser away that has just come back from the login, to which home had sent it.
async fn home_sends_it_twice(settings: &[(&str, &str)], world: &World, browser: &mut Browser) -> bool {
    let globus = [("GLOBUS_AUTH_URL", world.stand_in.url())];
    let home = testing::configure(&[settings, &globus].concat(), App::read).unwrap();
    let remedy = async |browser: &Browser| {
        let event = browser.with_cookies(Event::get("/"));
        let error = home.session(&event.request(), world.now).await.err()?;
        error.kind().remedy().map(std::borrow::Cow::into_owned)
    };
    let Some(path) = remedy(browser).await else { return false };
    let response = send(world, browser, Event::get(&path)).await;
    let is_back = response.location() == "https://gateway.example/";
    is_back && remedy(browser).await.is_some_and(|path| path.starts_with("/login?refresh"))
}

/// Also if one of them has no rules at all, or if only the period has changed.
#[tokio::test]
async fn a_page_is_sent_to_the_check_once_whatever_the_rules_of_either_function() {
    for login in VERSIONS {
        let mut world = World::with(login).await;
        for home in VERSIONS {
            for checked_by in [home, login] {
                for minutes in [0, 6, 31, 61] {
                    let mut browser = Browser::default();
                    let rules = testing::configure(checked_by, shared::config::AccessRules::read).unwrap();
                    let until = Some(world.now + MINUTE * 30).filter(|_| checked_by.contains(&RECENT));
                    let mut session = testing::session(world.now);
                    session.admission = rules.map(|rules| Admission::new(&rules, vec![], until, world.now));
                    let (app, request) = (&world.state().0, Event::get("/").request());
                    browser.keep(&app.storage.create(&request, &session, world.now).await.unwrap().cookie);
                    let began = world.now;
                    world.later(MINUTE * minutes);
                    let twice = home_sends_it_twice(home, &world, &mut browser).await;
                    world.now = began;
                    assert!(
                        !twice,
                        "home {home:?}, login {login:?}, {minutes} minutes after a check by {checked_by:?}"
                    );
                }
            }
        }
    }
}

/// A 5xx raises an alarm.
#[tokio::test]
async fn an_address_alone_causes_no_error_of_the_site() {
    let world = World::with(&[GROUP]).await;
    let response = send(&world, &mut Browser::default(), Event::get("/login?refresh&rules=of-another")).await;
    assert!(response.location().starts_with(world.stand_in.url()), "{response:?}");
}

#[tokio::test]
async fn a_change_of_the_rules_is_checked_at_once_and_leads_back() {
    let (world, mut browser) = after(&[GROUP], "member", Duration::ZERO).await;
    let (app, _) = world.state();
    let event = browser.with_cookies(Event::get("/"));
    let Ok(Visitor::SignedIn(session)) = app.visitor(&event.request(), world.now).await else { panic!() };
    // As a function with the rules from before wrote it.
    let before = World::with(&[DOMAIN]).await;
    let rules = before.state().0.config.rules.clone().unwrap();
    let mut old = session;
    old.admission = Some(Admission::new(&rules, vec!["admin".to_owned()], None, world.now));
    browser.keep(&app.storage.create(&Event::get("/").request(), &old, world.now).await.unwrap().cookie);
    assert_eq!((page(&world, &browser).await, api(&world, &browser).await), ("rules_not_checked", "rules_not_checked"));

    let sent = world.state().0.renewal_of(&old, world.now);
    let path = sent.kind().remedy().unwrap().into_owned();
    send(&world, &mut browser, Event::get(&path)).await.assert_redirect(302, "https://gateway.example/");

    assert_eq!(page(&world, &browser).await, "in");
    assert_eq!(world.session_of(&browser).await.unwrap().roles(), [""; 0]);
}

/// The token of Globus Auth expires while the rules are due: it is renewed first, and then checked.
#[tokio::test]
async fn tokens_that_expired_are_renewed_before_the_check() {
    let rules = [("ALLOWED_DOMAINS", LAB), GROUP];
    let mut world = World::with(&rules).await;
    let mut browser = Browser::default();
    world.stand_in.set_membership("mfa", BEAMLINE, Status::Active).unwrap();
    world.stand_in.expire_tokens_in(1);
    sign_in(&world, &mut browser, "mfa").await;
    world.stand_in.expire_tokens_in(172_800);
    world.later(MINUTE * 60);
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");

    assert_eq!(page(&world, &browser).await, "in");
    let session = world.session_of(&browser).await.unwrap();
    assert!(session.tokens.iter().all(|token| world.stand_in.is_active(Secret::expose(&token.access_token))));
}

/// What a renewal of the tokens does not ask for stays: some proxies forget the groups of a user here.
#[tokio::test]
async fn a_renewal_of_tokens_between_two_checks_keeps_the_roles_and_the_end_of_the_period() {
    let roles = format!("scientist={BEAMLINE}");
    let mut world = World::with(&[("ROLE_GROUPS", &roles)]).await;
    let mut browser = Browser::default();
    world.stand_in.expire_tokens_in(900);
    sign_in(&world, &mut browser, "member").await;
    world.stand_in.expire_tokens_in(172_800);
    world.later(MINUTE * 14);
    assert_eq!(page(&world, &browser).await, "renewal_required", "the rules are not the reason");

    renew(&world, &mut browser).await.assert_redirect(302, "https://gateway.example/files");

    let requests = [Endpoint::Token, Endpoint::MyGroups].map(|endpoint| world.stand_in.requests(endpoint));
    assert_eq!(requests, [4, 1], "three tokens are renewed, and nothing is checked");
    assert_eq!(world.session_of(&browser).await.unwrap().roles(), ["scientist"]);
    world.later(MINUTE * 46);
    assert_eq!(api(&world, &browser).await, "rules_not_checked");
}
