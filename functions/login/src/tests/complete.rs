use globus_stand_in::Fault;
use shared::testing::Log;

use super::*;

fn respond_with(status: u16, content_type: &'static str, body: &str) -> Fault {
    Fault::Respond { status, content_type, body: body.into() }
}

#[tokio::test]
async fn a_sign_in_ends_at_home_with_only_a_session_cookie() {
    let world = World::start().await;
    let mut browser = Browser::default();

    let response = sign_in(&world, &mut browser, "ada").await;

    response.assert_redirect(302, "https://gateway.example/");
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
    let session = world.session_of(&browser).await.unwrap();
    assert_eq!(session.identity.display_name(), "Ada Lovelace");
    assert_eq!(session.tokens.len(), 2);
    let cookie = response.cookies.iter().find(|cookie| cookie.starts_with(SESSION)).unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=604800"), "{cookie}");
}

#[tokio::test]
async fn a_sign_in_ends_at_the_page_that_the_user_wanted() {
    let world = World::start().await;
    let mut browser = Browser::default();

    let url = begin(&world, &mut browser, "/login?next=%2Ffiles%3Fpath%3D%252Fdata%26x%3D1%23row").await;
    let callback = world.at_globus(&url, "ada").await;
    let response = send(&world, &mut browser, callback).await;

    response.assert_redirect(302, "https://gateway.example/files?path=%2Fdata&x=1#row");
}

#[tokio::test]
async fn a_request_ahead_of_the_callback_spends_nothing() {
    let world = World::start().await;
    let mut browser = Browser::default();
    let url = begin(&world, &mut browser, "/login?next=/files").await;
    let callback = world.at_globus(&url, "ada").await;
    for (ahead, status) in [
        (callback.clone().header("sec-purpose", "prefetch"), 403),
        (callback.clone().header("sec-purpose", "prefetch;prerender"), 403),
        (callback.clone().header("purpose", "Prefetch"), 403),
        (callback.clone().header("x-moz", "prefetch"), 403),
        (callback.clone().header("accept", "*/*").header("sec-fetch-mode", ""), 401),
        (callback.clone().method("HEAD"), 403),
        (callback.clone().method("HEAD").header("accept", "*/*").header("sec-fetch-mode", ""), 401),
        (callback.clone().method("OPTIONS"), 405),
    ] {
        let response = send(&world, &mut browser, ahead.clone()).await;
        assert_eq!(response.status, status, "{ahead:?}");
        response.assert_no_cookie();
    }
    world.assert_stopped_before_globus(&browser).await;

    let response = send(&world, &mut browser, callback).await;

    response.assert_redirect(302, "https://gateway.example/files");
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
}

#[tokio::test]
async fn a_browser_that_accepts_anything_can_sign_in() {
    let world = World::start().await;
    for accept in ["*/*", ""] {
        let mut browser = Browser::default();
        let begun = send(&world, &mut browser, Event::get("/login").header("accept", accept)).await;
        let callback = world.at_globus(begun.location(), "ada").await;

        let response = send(&world, &mut browser, callback.header("accept", accept)).await;

        response.assert_redirect(302, "https://gateway.example/");
    }
}

/// A page of your own at a path with a blank, which API Gateway decodes.
#[tokio::test]
async fn a_sign_in_comes_back_to_a_path_with_a_blank_in_it() {
    const PATHS: [(&str, &str); 4] = [
        ("/my file", "/my%20file"),
        ("/my%20file", "/my%20file"),
        ("/100% #1\\é", "/100%25%20%231%5C%C3%A9"),
        ("/#", "/%23"),
    ];
    async fn grown(_: &(App, Globus), request: &Request, _: Timestamp) -> Result<Response<Body>> {
        let path = PATHS.iter().find(|(_, path)| *path == request.uri().path()).map_or("/missing", |(_, path)| path);
        request::check_route(request, path, "GET, HEAD")?;
        Err(Kind::SignInRequired.into())
    }
    let world = World::start().await;
    for (sent, path) in PATHS {
        let mut browser = Browser::default();
        let refused = world.send(grown, &mut browser, Event::get(sent)).await;
        let login = refused.location().to_owned();
        assert!(login.starts_with("/login?next=%2F"), "{sent}: {refused:?}");

        let url = begin(&world, &mut browser, &login).await;
        let callback = world.at_globus(&url, "ada").await;
        let response = send(&world, &mut browser, callback).await;

        response.assert_redirect(302, &format!("https://gateway.example{path}"));
    }
}

#[tokio::test]
async fn two_tabs_finish_in_either_order() {
    for order in [[0, 1], [1, 0]] {
        let world = World::start().await;
        let mut browser = Browser::default();
        let tabs =
            [begin(&world, &mut browser, "/login?next=/a").await, begin(&world, &mut browser, "/login?next=/b").await];
        for tab in order {
            let callback = world.at_globus(&tabs[tab], "ada").await;
            let response = send(&world, &mut browser, callback).await;
            response.assert_redirect(302, ["https://gateway.example/a", "https://gateway.example/b"][tab]);
        }
        assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
    }
}

#[tokio::test]
async fn the_session_names_where_the_user_logged_in() {
    let (world, mut browser) = (World::start().await, Browser::default());
    sign_in(&world, &mut browser, "ada").await.assert_redirect(302, "https://gateway.example/");

    let identity = world.session_of(&browser).await.unwrap().identity;
    assert_eq!(identity.provider.as_ref().map(shared::session::DisplayText::for_display), Some("Globus ID"));
}

#[tokio::test]
async fn a_user_with_few_claims_can_sign_in() {
    let world = World::start().await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, "sparse").await.assert_redirect(302, "https://gateway.example/");

    let identity = world.session_of(&browser).await.unwrap().identity;
    assert_eq!((identity.name, identity.email, identity.organization), (None, None, None));
    assert!(identity.username.is_some());
}

#[tokio::test]
async fn twenty_linked_identities_and_a_second_at_sign_are_accepted() {
    let world = World::start().await;
    for person in ["linked", "twice"] {
        let mut browser = Browser::default();
        sign_in(&world, &mut browser, person).await.assert_redirect(302, "https://gateway.example/");
        assert!(browser.cookies[SESSION].len() < 2_000, "{person}");
    }
}

/// After this the first user's tokens are in no session: nothing else could ever revoke them.
#[tokio::test]
async fn a_sign_in_over_another_users_old_session_leaves_no_token_of_theirs_alive() {
    let world = World::start().await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, "ada").await;
    expire(&world, &mut browser).await;
    let of_ada = world.stand_in.issued_tokens();

    sign_in(&world, &mut browser, "sparse").await.assert_redirect(302, "https://gateway.example/");

    assert_eq!(of_ada.len(), 4);
    assert!(of_ada.iter().all(|token| world.stand_in.is_revoked(token)));
    assert_eq!(world.revoked(), 4, "the new user's tokens are good");
}

#[tokio::test]
async fn a_sign_in_over_ones_own_session_revokes_nothing() {
    let world = World::start().await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, "ada").await;
    sign_in(&world, &mut browser, "ada").await;

    assert_eq!(world.revoked(), 0);
}

/// Lets this browser's session be one that has reached its absolute limit.
async fn expire(world: &World, browser: &mut Browser) {
    let Session { identity, tokens, .. } = world.session_of(browser).await.unwrap();
    let begun = world.now - Duration::from_hours(169);
    let old = Session::new("old".to_owned(), identity, tokens, begun);
    let request = browser.with_cookies(Event::get("/login")).request();
    browser.keep(&world.state().0.storage.create(&request, &old, begun).await.unwrap().cookie);
    assert!(world.session_of(browser).await.is_none());
}

/// Lets this browser have logged out then.
fn mark_a_logout(world: &World, browser: &mut Browser, then: Timestamp) {
    let ((app, _), request) = (world.state(), Event::get("/").request());
    browser.keep(&logout_mark::cookie(&request, &app.cookies, None, app.config.session_max, then).unwrap());
}

/// The logout did not see them: a late response has brought their session back.
#[tokio::test]
async fn a_sign_in_over_ones_own_session_from_before_a_logout_leaves_no_token_of_it_alive() {
    let (mut world, mut browser) = (World::start().await, Browser::default());
    sign_in(&world, &mut browser, "ada").await;
    let of_before = world.stand_in.issued_tokens();
    mark_a_logout(&world, &mut browser, world.now);
    world.later(Duration::from_secs(1));

    sign_in(&world, &mut browser, "ada").await.assert_redirect(302, "https://gateway.example/");

    assert!(of_before.iter().all(|token| world.stand_in.is_revoked(token)));
    assert_eq!((of_before.len(), world.revoked()), (4, 4), "the new tokens are good");
}

#[tokio::test]
async fn a_token_that_globus_gives_once_more_survives_the_session_before() {
    let (mut world, mut browser) = (World::start().await, Browser::default());
    sign_in(&world, &mut browser, "ada").await;
    let of_before = world.stand_in.issued_tokens();
    mark_a_logout(&world, &mut browser, world.now);
    world.later(Duration::from_secs(1));
    let again = [of_before[0].clone(), of_before[1].clone()];
    world.stand_in.edit_token_response(move |response| {
        [response["access_token"], response["refresh_token"]] = again.clone().map(Into::into);
    });
    world.stand_in.edit_id_token(|claims| claims["at_hash"] = None::<&str>.into());

    sign_in(&world, &mut browser, "ada").await.assert_redirect(302, "https://gateway.example/");

    let revoked: Vec<_> = of_before.iter().map(|token| world.stand_in.is_revoked(token)).collect();
    assert_eq!(revoked, [false, false, true, true]);
}

/// A session from before the mark of the logout would be refused by each page, and by each after the next sign-in.
#[tokio::test]
async fn a_sign_in_after_a_logout_by_a_clock_that_is_ahead_is_accepted() {
    let (world, mut browser) = (World::start().await, Browser::default());
    let ahead = world.now + Duration::from_secs(20);
    mark_a_logout(&world, &mut browser, ahead);

    sign_in(&world, &mut browser, "ada").await.assert_redirect(302, "https://gateway.example/");

    let session = world.session_of(&browser).await.unwrap();
    assert_eq!(session.begun(), ahead + Duration::from_secs(1));
}

/// For example if another site has sent the browser to `/login`, and Globus knows it as another user.
#[tokio::test]
async fn a_sign_in_does_not_take_a_living_session_from_another_user() {
    let world = World::start().await;
    let (mut browser, log) = (Browser::default(), Log::listen());
    sign_in(&world, &mut browser, "ada").await;

    let response = sign_in(&world, &mut browser, "sparse").await;

    response.assert_page(409, "Another user is logged in here").assert_page(409, "logout\">Log out</a>");
    log.assert_reason("other_user");
    assert_eq!(world.session_of(&browser).await.unwrap().identity.display_name(), "Ada Lovelace");
    let issued = world.stand_in.issued_tokens();
    let revoked: Vec<_> = issued.iter().map(|token| world.stand_in.is_revoked(token)).collect();
    assert_eq!(revoked, [false, false, false, false, true, true, true, true]);
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
}

/// It has not ended: the next page would renew it.
#[tokio::test]
async fn a_sign_in_takes_no_session_that_must_be_renewed_from_another_user() {
    let (mut world, mut browser) = (World::start().await, Browser::default());
    sign_in(&world, &mut browser, "ada").await;
    let (of_ada, cookies) = (world.stand_in.issued_tokens(), browser.cookies.clone());
    world.later(Duration::from_secs(172_770));
    assert!(world.session_of(&browser).await.is_none(), "its token is due");

    sign_in(&world, &mut browser, "sparse").await.assert_page(409, "Another user is logged in here");

    assert_eq!(browser.cookies, cookies);
    assert!(of_ada.iter().all(|token| !world.stand_in.is_revoked(token)));
    assert_eq!((of_ada.len(), world.revoked()), (4, 4), "the tokens of the other user");
}

#[tokio::test]
async fn a_new_sign_in_of_the_same_user_replaces_the_session() {
    let world = World::start().await;
    let mut browser = Browser::default();
    sign_in(&world, &mut browser, "ada").await;
    let first = world.session_of(&browser).await.unwrap();
    sign_in(&world, &mut browser, "ada").await;

    assert_ne!(world.session_of(&browser).await.unwrap().log_id(), first.log_id());
}

#[tokio::test]
async fn a_denied_access_is_explained_and_ends_the_attempt() {
    let world = World::start().await;
    let (mut browser, log) = (Browser::default(), Log::listen());
    let url = begin(&world, &mut browser, "/login").await;

    let callback = Event::callback(&world.stand_in.deny(&url).await.unwrap());
    let response = send(&world, &mut browser, callback).await;

    response.assert_page(403, "access was not allowed").assert_page(403, "Start again</a>");
    response.assert_page(403, "login?account=other\">Use another account</a>");
    assert!(browser.cookies.is_empty());
    log.assert_reason("access_denied");
    world.assert_stopped_before_globus(&browser).await;
}

/// Ten of these raised the alarm on failed sign-ins.
#[tokio::test]
async fn an_error_in_the_address_bar_trips_no_alarm_and_is_named_only_if_known() {
    let world = World::start().await;
    for (error, reason) in [
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("server_error", "server_error"),
        ("invalid_scope", "invalid_scope"),
        ("invalid_request", "invalid_request"),
        ("unauthorized_client", "unauthorized_client"),
        ("login_required", "login_required"),
        ("%3Cscript%3Ecanary", "unknown_error"),
    ] {
        let (mut browser, log) = (Browser::default(), Log::listen());
        let state = query(&begin(&world, &mut browser, "/login").await, "state").to_owned();

        let path = format!("/login?error={error}&error_description=%3Cscript%3Ecanary&state={state}");
        let response = send(&world, &mut browser, Event::callback(&format!("{BASE_URL}{path}"))).await;

        response.assert_page(400, "Start again</a>");
        log.assert_reason(reason);
        let text = log.text();
        assert!(text.contains("event=\"sign_in\" outcome=\"refused\"") && !text.contains("failure"), "{text}");
        assert!(!(response.body + &text).contains("canary"));
    }
}

#[tokio::test]
async fn an_error_at_globus_is_a_page_and_one_log_line_and_keeps_no_cookie() {
    for (endpoint, fault, status, title, reason) in [
        (
            Endpoint::Token,
            respond_with(500, "text/html", "<h1>canary"),
            503,
            "Globus is not responding",
            "globus_error_status",
        ),
        (
            Endpoint::Token,
            respond_with(200, "text/html", "canary"),
            502,
            "could not use the response",
            "token_response_unreadable",
        ),
        (
            Endpoint::Token,
            respond_with(400, "application/json", r#"{"error":"invalid_grant"}"#),
            400,
            "cannot be completed",
            "code_refused",
        ),
        (
            Endpoint::Token,
            respond_with(401, "application/json", r#"{"error":"invalid_grant"}"#),
            400,
            "cannot be completed",
            "code_refused",
        ),
        (
            Endpoint::Token,
            respond_with(401, "application/json", r#"{"error":"invalid_client"}"#),
            502,
            "Globus reported an error",
            "client_refused",
        ),
        (Endpoint::Token, Fault::Drop, 503, "Globus is not responding", "globus_connection_lost"),
        (Endpoint::Token, Fault::Endless, 503, "Globus is not responding", "globus_response_too_large"),
        (
            Endpoint::Jwks,
            respond_with(500, "text/html", "canary"),
            503,
            "Globus is not responding",
            "globus_error_status",
        ),
    ] {
        let world = World::start().await;
        let (mut browser, log) = (Browser::default(), Log::listen());
        let url = begin(&world, &mut browser, "/login").await;
        let callback = world.at_globus(&url, "ada").await;
        world.stand_in.fault(endpoint, fault);

        let response = send(&world, &mut browser, callback).await;

        response.assert_page(status, title).assert_page(status, "Start again</a>");
        log.assert_reason(reason);
        assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
        assert!(!(response.body + &log.text()).contains("canary"));
        assert_eq!(world.stand_in.requests(Endpoint::Token), 1, "a code is sent once");
    }
}

#[tokio::test]
async fn tokens_that_do_not_fit_into_a_cookie_are_revoked_and_the_page_says_why() {
    let scopes: Vec<_> = (0..30).map(|number| format!("urn:globus:auth:scope:service-{number}:all")).collect();
    let scopes = format!("openid {}", scopes.join(" "));
    let world = World::with(&[("GLOBUS_SCOPES", &scopes)]).await;
    let (mut browser, log) = (Browser::default(), Log::listen());

    let response = sign_in(&world, &mut browser, "ada").await;

    response.assert_page(500, "This site asks for more permissions than it can store.");
    log.assert_reason("session_too_large");
    assert!(world.session_of(&browser).await.is_none());
    let issued = world.stand_in.issued_tokens();
    assert_eq!(issued.len(), 62);
    assert!(issued.iter().all(|token| world.stand_in.is_revoked(token)));
}

#[tokio::test]
async fn no_secret_of_a_sign_in_is_in_the_log() {
    let (world, mut browser, log) = (World::start().await, Browser::default(), Log::listen());
    let url = begin(&world, &mut browser, "/login").await;
    let login_cookie = browser.cookies.values().next().unwrap().clone();
    let callback = world.stand_in.sign_in(&url, "ada").await.unwrap();
    send(&world, &mut browser, Event::callback(&callback)).await;

    assert!(log.text().contains("event=\"sign_in\" outcome=\"success\""), "{}", log.text());
    let tokens = world.stand_in.issued_tokens();
    assert_eq!(tokens.len(), 4);
    log.assert_lacks(tokens.iter().map(String::as_str));
    let code = query(&callback, "code");
    let nonce = query(&url, "nonce");
    let state = query(&url, "state");
    log.assert_lacks([code, state, nonce, &login_cookie, &browser.cookies[SESSION], CLIENT_SECRET]);
}
