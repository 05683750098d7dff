//! What this function says when it starts.

use shared::{Function, testing::Log};

use super::*;

/// Scopes of this number of services: Globus Auth, and others that are named by a host or by a UUID.
fn scopes_of(services: usize, by_uuid: bool) -> String {
    let scope = |number: usize| {
        if by_uuid {
            format!(" https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-5400000000{number:02}/manage_flows")
        } else {
            format!(" urn:globus:auth:scope:service-{number}.api.globus.org:all")
        }
    };
    format!("openid profile email{}", (1..services).map(scope).collect::<String>())
}

/// What is logged while this function starts with these settings.
fn logged_at_start(pairs: &[(&str, &str)]) -> String {
    let log = Log::listen();
    let function: Function<(App, Globus)> = testing::function(pairs, |env| read(App::read(env), env));
    assert!(function.state.is_ok(), "{:?}", function.state);
    log.text()
}

#[test]
fn scopes_whose_tokens_do_not_fit_into_a_cookie_are_logged_at_start() {
    let log = logged_at_start(&[("GLOBUS_SCOPES", &scopes_of(12, false))]);

    assert_eq!(log.lines().count(), 1, "{log}");
    let words = "event=\"start\" outcome=\"failure\" reason=\"too_many_scopes\"";
    assert!(log.contains(" WARN ") && log.contains(words), "{log}");
    assert!(log.contains("detail=\"12 services, about 5436 bytes, at most 4096\""), "{log}");
}

#[test]
fn nothing_is_logged_at_start_if_there_is_room() {
    assert_eq!(logged_at_start(&[]), "");
    let table = [
        ("TOKEN_TABLE", "sessions"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("GLOBUS_SCOPES", &scopes_of(30, false)),
    ];
    assert_eq!(logged_at_start(&table), "");
    let dependent = (0..30).map(|number| format!(" *https://auth.globus.org/scopes/{number:036}/data_access"));
    let dependent =
        format!("openid urn:globus:auth:scope:transfer.api.globus.org:all[{}]", dependent.collect::<String>());
    assert_eq!(logged_at_start(&[("GLOBUS_SCOPES", &dependent)]), "");
}

/// A whole sign-in of a user whose names are of usual length.
async fn sign_in_with_usual_names(world: &World, browser: &mut Browser, person: &str) -> Received {
    world.stand_in.edit_id_token(|claims| {
        for name in ["name", "preferred_username", "email", "organization", "identity_provider_display_name"] {
            claims[name] = "a name of usual length...".into();
        }
    });
    sign_in(world, browser, person).await
}

/// Of eight services, Globus Groups is one.
#[tokio::test]
async fn roles_count_in_the_room_of_a_cookie_at_start_as_at_a_login() {
    let beamline = globus_stand_in::groups::BEAMLINE;
    for (length, expected) in [(5, (false, 302)), (250, (true, 500))] {
        let (scopes, roles) = (scopes_of(7, false), format!("{}={beamline}", "r".repeat(length)));
        let settings = [("GLOBUS_SCOPES", scopes.as_str()), ("ROLE_GROUPS", &roles)];
        let warned = !logged_at_start(&settings).is_empty();
        let world = World::with(&settings).await;

        let status = sign_in_with_usual_names(&world, &mut Browser::default(), "member").await.status;

        assert_eq!((warned, status), expected, "{length}");
    }
}

/// The README gives these numbers of services.
#[tokio::test]
async fn a_user_cannot_log_in_exactly_if_the_log_warns_at_start() {
    for (by_uuid, most) in [(false, 8), (true, 7)] {
        for services in [most, most + 1] {
            let scopes = scopes_of(services, by_uuid);
            let scopes = [("GLOBUS_SCOPES", scopes.as_str())];
            let warned = !logged_at_start(&scopes).is_empty();
            let world = World::with(&scopes).await;

            let status = sign_in_with_usual_names(&world, &mut Browser::default(), "ada").await.status;

            let expected = if services > most { (true, 500) } else { (false, 302) };
            assert_eq!((warned, status), expected, "{services} services");
        }
    }
}

/// API Gateway refuses a request with more than 10,240 bytes of headers, also that for the logout.
#[tokio::test]
async fn all_cookies_of_this_site_leave_three_kilobytes_for_other_headers() {
    let scopes = scopes_of(8, false);
    let (world, mut browser) = (World::with(&[("GLOBUS_SCOPES", &scopes)]).await, Browser::default());
    let response = sign_in_with_usual_names(&world, &mut browser, "ada").await;
    response.assert_redirect(302, "https://gateway.example/");
    let mark = "x".repeat(100);
    browser.cookies.insert("__Host-logout-8af82921".to_owned(), mark);
    for length in [510, 110, 110, 110, 110, 110] {
        begin(&world, &mut browser, &format!("/login?next=/{}", "x".repeat(length))).await;
    }

    assert_eq!(browser.cookies.len(), 7, "{:?}", browser.cookies.keys());
    let size: usize = browser.cookies.iter().map(|(name, value)| name.len() + value.len() + 3).sum();
    assert!((5_000..7_000).contains(&size), "{size} bytes");
}
