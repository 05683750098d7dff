use globus_stand_in::{Pkce, Signing};
use shared::testing::Log;

use super::*;

#[tokio::test]
async fn login_csrf_with_a_state_of_another_browser_is_refused() {
    let (world, log) = (World::start().await, Log::listen());
    let (mut attacker, mut victim) = (Browser::default(), Browser::default());
    let url = begin(&world, &mut attacker, "/login").await;
    let callback = world.at_globus(&url, "sparse").await;

    let response = send(&world, &mut victim, callback).await;

    response.assert_page(400, "Start again</a>").assert_no_cookie();
    log.assert_reason("no_login_cookie");
    world.assert_stopped_before_globus(&victim).await;
}

/// The user sees nothing of it; the operator does.
#[tokio::test]
async fn a_forged_callback_against_a_signed_in_user_is_logged_and_changes_nothing() {
    let world = World::start().await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, "ada").await;
    let log = Log::listen();

    let forged = Event::callback(&format!("{BASE_URL}/login?code=x&state=invented"));
    let response = send(&world, &mut browser, forged).await;

    response.assert_redirect(302, "https://gateway.example/").assert_no_cookie();
    log.assert_reason("no_login_cookie");
    assert!(log.text().contains("event=\"sign_in\" outcome=\"refused\""), "{}", log.text());
    assert_eq!(world.stand_in.requests(Endpoint::Token), 1, "none but that of the user's own sign-in");
}

#[tokio::test]
async fn a_missing_or_invented_state_is_refused() {
    let world = World::start().await;
    let mut browser = Browser::default();
    let url = begin(&world, &mut browser, "/login").await;
    let state = query(&url, "state");
    let (cut, longer, other_case) = (&state[..21], format!("{state}A"), state.to_uppercase());
    for query in [
        "code=x",
        "code=x&state=",
        "code=x&state=invented",
        "error=access_denied",
        "code=&state=",
        "code=x&state=%00%22;",
        &format!("code=x&state={cut}"),
        &format!("code=x&state={longer}"),
        &format!("code=x&state={other_case}"),
    ] {
        let response = send(&world, &mut browser, Event::callback(&format!("{BASE_URL}/login?{query}"))).await;
        response.assert_page(400, "Start again</a>");
    }
    world.assert_stopped_before_globus(&browser).await;
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let world = World::start().await;
    let mut browser = Browser::default();
    let url = begin(&world, &mut browser, "/login").await;
    let state = query(&url, "state");
    for query in [format!("code=x&state={state}&state=y"), format!("code=x&code=y&state={state}")] {
        let response = send(&world, &mut browser, Event::callback(&format!("{BASE_URL}/login?{query}"))).await;
        response.assert_page(400, "could not read");
    }
    world.assert_stopped_before_globus(&browser).await;
}

#[tokio::test]
async fn a_state_is_good_for_one_callback_only() {
    let world = World::start().await;
    let mut browser = Browser::default();
    let url = begin(&world, &mut browser, "/login").await;
    let callback = world.at_globus(&url, "ada").await;
    send(&world, &mut browser, callback.clone()).await.assert_redirect(302, "https://gateway.example/");

    // The page is loaded again, or opened from the history.
    let again = send(&world, &mut browser, callback.clone()).await;
    again.assert_redirect(302, "https://gateway.example/").assert_no_cookie();
    browser.cookies.remove(SESSION);
    send(&world, &mut browser, callback).await.assert_page(400, "Start again</a>");

    assert_eq!(world.stand_in.requests(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_replayed_callback_with_saved_cookies_gets_no_second_session() {
    let (world, log) = (World::start().await, Log::listen());
    let mut browser = Browser::default();
    let url = begin(&world, &mut browser, "/login").await;
    let mut saved = browser.clone();
    let callback = world.at_globus(&url, "ada").await;
    send(&world, &mut browser, callback.clone()).await;

    let response = send(&world, &mut saved, callback).await;

    response.assert_page(400, "no longer accepts it");
    log.assert_reason("code_refused");
    assert!(world.session_of(&saved).await.is_none());
}

#[tokio::test]
async fn an_attempt_ends_after_ten_minutes_even_if_its_cookie_is_sent() {
    let mut world = World::start().await;
    let mut browser = Browser::default();
    let url = begin(&world, &mut browser, "/login").await;
    let callback = world.at_globus(&url, "ada").await;
    world.later(Duration::from_mins(10));

    send(&world, &mut browser, callback).await.assert_page(400, "Start again</a>");
    world.assert_stopped_before_globus(&browser).await;
}

/// An attacker has the code of another user's callback, and sends it with the state of an own sign-in.
async fn inject_a_code(world: &World) -> Received {
    let (mut victim, mut attacker) = (Browser::default(), Browser::default());
    let stolen = begin(world, &mut victim, "/login").await;
    let stolen = world.stand_in.sign_in(&stolen, "ada").await.unwrap();
    let own = begin(world, &mut attacker, "/login").await;
    let injected = format!("{BASE_URL}/login?code={}&state={}", query(&stolen, "code"), query(&own, "state"));
    let response = send(world, &mut attacker, Event::callback(&injected)).await;
    assert!(world.session_of(&attacker).await.is_none());
    response
}

#[tokio::test]
async fn authorization_code_injection_is_stopped_by_pkce() {
    inject_a_code(&World::start().await).await.assert_page(400, "Start again</a>");
}

/// Globus does not say whether it looks at the verifier of a client with a secret.
#[tokio::test]
async fn where_pkce_is_ignored_an_injected_code_is_stopped_by_its_nonce() {
    let (world, log) = (World::start().await, Log::listen());
    world.stand_in.pkce(Pkce::Ignored);

    inject_a_code(&world).await.assert_page(502, "did not pass our checks");

    log.assert_reason("id_token_nonce");
    assert_eq!((world.stand_in.issued_tokens().len(), world.revoked()), (4, 4));
}

#[tokio::test]
async fn the_issuer_in_a_callback_is_globus_exactly_or_absent() {
    let world = World::start().await;
    let right = world.stand_in.url().to_owned();
    for (iss, status) in [
        (String::new(), 302),
        (format!("&iss={right}"), 302),
        (format!("&iss={right}/"), 502),
        (format!("&iss={}", right.to_uppercase()), 502),
        ("&iss=".to_owned(), 502),
        (format!("&iss={right}&iss={right}"), 400),
    ] {
        let mut browser = Browser::default();
        let url = begin(&world, &mut browser, "/login").await;
        let callback = world.stand_in.sign_in(&url, "ada").await.unwrap();
        let before = world.stand_in.requests(Endpoint::Token);

        let response = send(&world, &mut browser, Event::callback(&format!("{callback}{iss}"))).await;

        let redeemed = world.stand_in.requests(Endpoint::Token) - before;
        assert_eq!((response.status, redeemed), (status, usize::from(status == 302)), "{iss}");
    }
}

#[tokio::test]
async fn a_mix_up_with_another_authorization_server_is_refused() {
    let world = World::start().await;
    let ours = world.stand_in.url();
    for issuer in
        ["https://evil.example", &format!("{ours}.evil.example"), &format!("{ours}/"), &ours[..ours.len() - 1]]
    {
        let (mut browser, log) = (Browser::default(), Log::listen());
        let url = begin(&world, &mut browser, "/login").await;
        let callback = world.stand_in.sign_in(&url, "ada").await.unwrap();

        let mixed_up = format!("{callback}&iss={issuer}");
        send(&world, &mut browser, Event::callback(&mixed_up)).await.assert_page(502, "Start again</a>");

        log.assert_reason("callback_issuer");
        world.assert_stopped_before_globus(&browser).await;
    }
}

#[tokio::test]
async fn a_callback_that_names_our_authorization_server_is_accepted() {
    let (world, mut browser) = (World::start().await, Browser::default());
    let url = begin(&world, &mut browser, "/login").await;
    let callback = world.stand_in.sign_in(&url, "ada").await.unwrap();

    let named = format!("{callback}&iss={}", world.stand_in.url());
    send(&world, &mut browser, Event::callback(&named)).await.assert_redirect(302, "https://gateway.example/");
}

#[tokio::test]
async fn a_forged_id_token_gives_no_session_and_its_tokens_are_revoked() {
    for signing in [Signing::OtherKey, Signing::Unsigned, Signing::HmacWithPublicKey] {
        let world = World::start().await;
        let mut browser = Browser::default();
        world.stand_in.sign_id_tokens(signing);

        sign_in(&world, &mut browser, "ada").await.assert_page(502, "did not pass our checks");

        assert!(browser.cookies.is_empty());
        let issued = world.stand_in.issued_tokens();
        assert_eq!(issued.len(), 4);
        assert!(issued.iter().all(|token| world.stand_in.is_revoked(token)));
    }
}

#[tokio::test]
async fn a_failed_sign_in_keeps_the_previous_session() {
    let world = World::start().await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, "ada").await;
    world.stand_in.sign_id_tokens(Signing::OtherKey);

    sign_in(&world, &mut browser, "sparse").await.assert_page(502, "did not pass our checks");

    assert_eq!(world.session_of(&browser).await.unwrap().identity.display_name(), "Ada Lovelace");
}

/// Globus may give the tokens of the present session once more, in a response that then cannot be used.
#[tokio::test]
async fn a_failed_sign_in_revokes_no_token_of_the_session_that_stays() {
    for (at_hash, scope, status) in [("of another token", "openid".to_owned(), 502), ("", "x".repeat(4_000), 500)] {
        let (world, mut browser) = (World::start().await, Browser::default());
        sign_in(&world, &mut browser, "ada").await;
        let in_use = world.stand_in.issued_tokens();
        let again = [in_use[0].clone(), in_use[1].clone()];
        world.stand_in.edit_token_response(move |response| {
            [response["access_token"], response["refresh_token"]] = again.clone().map(Into::into);
            response["scope"] = scope.as_str().into();
        });
        world.stand_in.edit_id_token(move |claims| {
            claims["at_hash"] = Some(at_hash).filter(|hash| !hash.is_empty()).into();
        });

        assert_eq!(sign_in(&world, &mut browser, "ada").await.status, status);

        assert!(in_use.iter().all(|token| !world.stand_in.is_revoked(token)), "{status}");
        assert_eq!(world.revoked(), 2, "{status}: those of the other service were new");
        assert!(world.session_of(&browser).await.is_some(), "{status}");
    }
}

#[tokio::test]
async fn session_fixation_fails_since_a_session_is_made_new_at_every_sign_in() {
    let world = World::start().await;
    let (mut attacker, mut victim) = (Browser::default(), Browser::default());
    sign_in(&world, &mut attacker, "sparse").await;
    victim.cookies.clone_from(&attacker.cookies);

    sign_in(&world, &mut victim, "ada").await.assert_page(409, "Another user is logged in here");

    victim.cookies.clear();
    sign_in(&world, &mut victim, "ada").await;
    assert_ne!(victim.cookies[SESSION], attacker.cookies[SESSION]);
    assert_eq!(world.session_of(&attacker).await.unwrap().identity.name, None);
}

#[tokio::test]
async fn a_login_cookie_pasted_as_a_session_is_refused() {
    let world = World::start().await;
    let mut browser = Browser::default();
    begin(&world, &mut browser, "/login").await;
    let value = browser.cookies.values().next().unwrap().clone();

    browser.cookies.insert(SESSION.to_owned(), value);
    assert!(world.session_of(&browser).await.is_none());
}

#[tokio::test]
async fn an_open_redirect_in_next_leads_home() {
    let world = World::start().await;
    let (long, repeated) = (format!("/{}", "x".repeat(8_000)), "/%5C".repeat(2_000));
    for next in [
        "//evil.example",
        "/%5Cevil.example",
        "https:evil.example",
        "/%09/evil.example",
        "/x/..//evil.example",
        "%ff",
        "http://%5B",
        &long,
        &repeated,
    ] {
        let mut browser = Browser::default();
        let url = begin(&world, &mut browser, &format!("/login?next={next}")).await;
        let callback = world.at_globus(&url, "ada").await;
        let landed = send(&world, &mut browser, callback).await;
        assert_eq!(landed.location(), "https://gateway.example/", "{next}");
    }
}

#[tokio::test]
async fn no_parameter_can_be_smuggled_into_the_request_to_globus() {
    let world = World::start().await;
    let fixed = async |path: &str| {
        let url = begin(&world, &mut Browser::default(), path).await;
        let random = ["state=", "nonce=", "code_challenge="];
        let parts = url.split(['?', '&']).filter(|part| !random.iter().any(|name| part.starts_with(name)));
        assert!(!url.contains("evil"), "{url}");
        parts.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let plain = fixed("/login").await;
    assert_eq!(plain.len(), 7, "{plain:?}");
    for name in [
        "scope",
        "prompt",
        "redirect_uri",
        "client_id",
        "response_type",
        "response_mode",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "access_type",
        "max_age",
        "session_required_single_domain",
    ] {
        for query in [format!("{name}=evil"), format!("next=%2F%26{name}%3Devil"), format!("next=/a%23%26{name}=evil")]
        {
            assert_eq!(fixed(&format!("/login?{query}")).await, plain, "{query}");
        }
    }
}

#[tokio::test]
async fn no_text_from_outside_gets_into_the_log() {
    let (world, mut browser, log) = (World::start().await, Browser::default(), Log::listen());
    let state = query(&begin(&world, &mut browser, "/login").await, "state").to_owned();
    // API Gateway takes no longer request.
    let text = format!("canary%0D%0Aevent%3Dsign_in{}", "x".repeat(9_000));
    for name in ["next", "code", "error", "error_description", "iss", "account", "rules"] {
        let path = format!("/login?{name}={text}&state={state}");
        send(&world, &mut browser.clone(), Event::get(&path)).await;
    }
    send(&world, &mut browser.clone(), Event::get(&format!("/login?code=x&state={text}"))).await;
    for name in ["user-agent", "referer", "host", "origin", "accept", "x-forwarded-for", "sec-purpose"] {
        let event = Event::get("/login").header(name, &"canary".repeat(1_500));
        send(&world, &mut browser.clone(), event).await;
    }
    let planted = format!("{SESSION}={}", "canary".repeat(1_500));
    send(&world, &mut browser, Event::get("/login?refresh").cookie(&planted)).await;

    let lines = log.text();
    assert!(lines.lines().count() >= 5 && !lines.contains("canary"), "{lines}");
    assert!(lines.lines().all(|line| line.len() < 500 && line.contains("event=\"")), "{lines}");
}

#[tokio::test]
async fn each_invalid_variable_is_a_503_page_and_one_log_line_that_names_it() {
    for (variable, value) in [
        ("GLOBUS_CLIENT_SECRET", ""),
        ("GLOBUS_SCOPES", "email canary"),
        ("SESSION_KEYS", "canary"),
        ("BASE_URL", "http://canary.example"),
    ] {
        let log = Log::listen();
        let function = testing::function(&[(variable, value)], |env| App::with_globus(App::read(env), env));
        let response = Browser::default().send(&function, handle, Event::get("/login"), now()).await;

        response.assert_page(503, "This site is not ready yet").assert_no_cookie();
        log.assert_reason("configuration");
        assert!(log.text().contains(variable), "{}", log.text());
        assert!(!(response.body + &log.text()).contains("canary"));
    }
}
