use super::*;
use crate::testing::{Event, configure, noon};

fn setting(pairs: &[(&str, &str)]) -> (Config, SealedCookies) {
    let config = configure(pairs, Config::read).unwrap();
    let cookies = SealedCookies::new(&config);
    (config, cookies)
}

fn identity() -> Identity {
    Identity {
        sub: "8ca28797-3541-4a5d-a264-05b00f91e608".to_owned(),
        name: Some("Ada Lovelace".to_owned()),
        username: Some("ada@uchicago.edu".to_owned()),
        email: Some("ada@uchicago.edu".to_owned()),
        organization: Some("University of Chicago".to_owned()),
    }
}

/// A token as long as Globus's are.
fn token(resource_server: &str, lifetime: u64) -> Token {
    Token {
        resource_server: resource_server.to_owned(),
        scope: "urn:globus:auth:scope:transfer.api.globus.org:all".to_owned(),
        access_token: "A".repeat(91),
        refresh_token: Some("R".repeat(93)),
        received: clock::seconds(noon()),
        lifetime,
    }
}

fn session(lifetime: u64) -> Session {
    Session::new(identity(), vec![token(GLOBUS_AUTH, lifetime), token("transfer.api.globus.org", 172_800)], noon())
}

fn visitor_with(value: &str, now: SystemTime) -> Visitor {
    let (config, cookies) = setting(&[]);
    Session::read(&Event::get("/").cookie(value).request(), &cookies, &config, now)
}

fn visitor_at(session: &Session, now: SystemTime) -> Visitor {
    let (config, cookies) = setting(&[]);
    visitor_with(&session.cookie(&cookies, &config).unwrap().stripped().to_string(), now)
}

fn after(seconds: u64) -> SystemTime {
    noon() + Duration::from_secs(seconds)
}

#[test]
fn a_session_comes_back_whole() {
    let session = session(172_800);
    assert_eq!(visitor_at(&session, noon()), Visitor::SignedIn(session));
}

#[test]
fn no_cookie_a_bad_cookie_and_an_expired_session_are_told_apart() {
    assert_eq!(visitor_with("other=1", noon()), Visitor::SignedOut);
    assert_eq!(visitor_with("__Host-session=garbage", noon()), Visitor::Unreadable);
    assert!(matches!(visitor_at(&session(172_800), after(172_800)), Visitor::Expired(_)));
}

#[test]
fn a_session_ends_a_minute_before_its_globus_token_does() {
    let session = session(172_800);
    assert!(matches!(visitor_at(&session, after(172_739)), Visitor::SignedIn(_)));
    assert!(matches!(visitor_at(&session, after(172_740)), Visitor::Expired(_)));
}

#[test]
fn of_a_short_lived_token_all_but_the_last_tenth_is_used() {
    let session = session(30);
    assert!(matches!(visitor_at(&session, after(26)), Visitor::SignedIn(_)));
    assert!(matches!(visitor_at(&session, after(27)), Visitor::Expired(_)));
}

#[test]
fn no_token_keeps_a_session_beyond_its_absolute_limit() {
    let (config, cookies) = setting(&[("SESSION_MAX_HOURS", "1")]);
    let cookie = session(172_800).cookie(&cookies, &config).unwrap();
    let request = Event::get("/").cookie(&cookie.stripped().to_string()).request();

    assert_eq!(cookie.max_age().unwrap().whole_seconds(), 3600);
    assert!(matches!(Session::read(&request, &cookies, &config, after(3599)), Visitor::SignedIn(_)));
    assert!(matches!(Session::read(&request, &cookies, &config, after(3600)), Visitor::Expired(_)));
}

#[test]
fn nine_services_fit_into_a_cookie_and_more_are_said_not_to() {
    let (config, cookies) = setting(&[]);
    let with = |count: usize| {
        let tokens = (0..count).map(|_| token("transfer.api.globus.org", 172_800)).collect();
        Session::new(identity(), tokens, noon()).cookie(&cookies, &config)
    };

    assert!(with(9).unwrap().to_string().len() <= MAX_COOKIE);
    assert_eq!(with(11).unwrap_err().kind(), &Kind::SessionTooLarge);
}

#[test]
fn a_session_of_another_format_is_signed_out() {
    let (config, cookies) = setting(&[]);
    let mut next_format = session(172_800);
    next_format.version += 1;
    let sealed = next_format.cookie(&cookies, &config).unwrap();
    assert_eq!(visitor_with(&sealed.stripped().to_string(), noon()), Visitor::Unreadable);

    for stored in ["{}", "[]", "\"text\"", "null"] {
        let value: serde_json::Value = serde_json::from_str(stored).unwrap();
        let sealed = cookies.seal(Purpose::Session, NAME, &value, Duration::from_mins(1)).unwrap();
        assert_eq!(visitor_with(&sealed.stripped().to_string(), noon()), Visitor::Unreadable, "{stored}");
    }
}

#[test]
fn the_stored_form_of_version_1_can_be_read() {
    let stored = r#"{"v":1,"b":1800000000,"i":{"s":"8ca28797","n":"Ada","u":"ada@x.edu","later":1},
        "k":[{"r":"auth.globus.org","c":"openid","a":"Ag1","f":"Ag2","t":1800000000,"l":172800},
             {"r":"transfer.api.globus.org","c":"urn:x","a":"Ag3","t":1800000000,"l":60}]}"#;
    let value: serde_json::Value = serde_json::from_str(stored).unwrap();
    let (_, cookies) = setting(&[]);
    let sealed = cookies.seal(Purpose::Session, NAME, &value, Duration::from_mins(1)).unwrap();

    let Visitor::SignedIn(session) = visitor_with(&sealed.stripped().to_string(), noon()) else { panic!("not read") };

    assert_eq!(session.identity.display_name(), "Ada");
    assert_eq!(session.tokens[0].refresh_token.as_deref(), Some("Ag2"));
    assert_eq!(session.tokens[1].lifetime, 60);
}

#[test]
fn somebody_without_a_name_is_called_by_username_and_else_by_uuid() {
    let mut identity = identity();
    identity.name = None;
    assert_eq!(identity.display_name(), "ada@uchicago.edu");
    identity.username = None;
    assert_eq!(identity.display_name(), "8ca28797-3541-4a5d-a264-05b00f91e608");
}

#[test]
fn debug_output_holds_no_token() {
    let shown = format!("{:?}", session(60));
    assert!(!shown.contains("AAA") && !shown.contains("RRR"), "{shown}");
}
