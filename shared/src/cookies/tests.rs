use std::time::Duration;

use super::*;
use crate::testing::{Event, KEY, sealed_cookies};

const NEW_KEY: &str = "another-session-key-that-is-long-enough";

const OTHER_CLIENT: &str = "4e3b6a0e-0000-4000-8000-000000000000";

fn ring(pairs: &[(&str, &str)]) -> SealedCookies {
    sealed_cookies(pairs).unwrap()
}

fn seal(ring: &SealedCookies, value: &str) -> Cookie<'static> {
    ring.seal(Purpose::Session, "session", &value, Duration::from_mins(1)).unwrap()
}

fn open(ring: &SealedCookies, cookies: &[&str]) -> Opened<String> {
    let event = cookies.iter().fold(Event::get("/"), |event, cookie| event.cookie(cookie));
    ring.open(&event.request(), Purpose::Session, "session")
}

fn sent(cookie: &Cookie<'_>) -> String {
    cookie.stripped().to_string()
}

#[test]
fn a_value_comes_back_as_it_was_sealed() {
    let ring = ring(&[]);
    let cookie = seal(&ring, "Zoë; \"Lovelace-Hopper\"");

    assert_eq!(open(&ring, &[&sent(&cookie)]), Opened::Value("Zoë; \"Lovelace-Hopper\"".to_owned()));
    assert!(!cookie.value().contains("Lovelace"));
}

#[test]
fn a_cookie_on_https_has_every_protection_of_browsers() {
    let cookie = seal(&ring(&[]), "x");
    let attributes = cookie.to_string().split_once("; ").unwrap().1.to_owned();

    assert!(cookie.name().starts_with("__Host-"));
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
}

/// The API's own name is on https.
#[test]
fn a_cookie_of_a_site_without_an_address_is_as_protected_as_on_https() {
    let cleared = ring(&[("BASE_URL", "")]).removal("session").to_string();
    let (name, attributes) = cleared.split_once('=').unwrap();

    assert!(name.starts_with("__Host-session-"), "{name}");
    assert_eq!(attributes, "; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
}

#[test]
fn a_cookie_on_localhost_works_without_https() {
    let cookie = seal(&ring(&[("BASE_URL", "http://localhost:9000")]), "x");

    assert!(cookie.name().starts_with("session-"), "{}", cookie.name());
    assert_eq!(cookie.secure(), Some(false));
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let ring = ring(&[]);
    let cookie = seal(&ring, "a value");
    let value = cookie.value();

    for index in 0..value.len() {
        let mut bytes = value.as_bytes().to_vec();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let changed = format!("{}={}", cookie.name(), String::from_utf8(bytes).unwrap());
        assert_eq!(open(&ring, &[&changed]), Opened::Unreadable, "byte {index}");
    }
    for changed in [&value[1..], &value[..value.len() - 4], &format!("{value}AAAA"), "", "="] {
        assert_eq!(open(&ring, &[&format!("{}={changed}", cookie.name())]), Opened::Unreadable);
    }
}

#[test]
fn a_value_under_another_cookies_name_is_refused() {
    let ring = ring(&[]);
    let other = ring.seal(Purpose::Session, "other", &"x", Duration::from_mins(1)).unwrap();

    let pasted = format!("__Host-session-8af82921={}", other.value());
    assert_eq!(open(&ring, &[&pasted]), Opened::Unreadable);
}

#[test]
fn a_value_for_another_purpose_is_refused() {
    let ring = ring(&[]);
    let login = ring.seal(Purpose::Login, "session", &"x", Duration::from_mins(1)).unwrap();

    assert_eq!(open(&ring, &[&sent(&login)]), Opened::Unreadable);
}

#[test]
fn a_value_from_another_deployment_with_the_same_key_is_refused() {
    let ours = ring(&[]);
    let value = sent(&seal(&ours, "x"));

    for other in [
        ("GLOBUS_CLIENT_ID", OTHER_CLIENT),
        ("GLOBUS_AUTH_URL", "https://auth.preview.globus.org"),
        ("BASE_URL", "https://gateway.example/b"),
    ] {
        let theirs = ring(&[other]);
        let pasted = format!("{}={}", theirs.name("session"), value.split_once('=').unwrap().1);
        assert_eq!(open(&theirs, &[&pasted]), Opened::Unreadable);
    }
}

/// All have the name of the first release, which is the same for all deployments: only the keys differ.
#[test]
fn a_value_opens_for_its_own_purpose_client_and_issuer_only() {
    const PURPOSES: [Purpose; 4] = [Purpose::Session, Purpose::Ticket, Purpose::Login, Purpose::LogoutMark];
    let others = [("GLOBUS_CLIENT_ID", OTHER_CLIENT), ("GLOBUS_AUTH_URL", "https://auth.preview.globus.org")];
    let (ours, theirs) = (ring(&[]), others.map(|other| ring(&[other])));
    for sealed_for in PURPOSES {
        let cookie = ours.seal_as(sealed_for, "__Host-session".to_owned(), &"x", Duration::ZERO).unwrap();
        let request = Event::get("/").cookie(&sent(&cookie)).request();
        for purpose in PURPOSES {
            let opens = ours.open_first::<String>(&request, purpose, "session") == Opened::Value("x".to_owned());
            assert_eq!(opens, purpose == sealed_for, "{sealed_for:?} as {purpose:?}");
            for their in &theirs {
                assert_eq!(their.open_first::<String>(&request, purpose, "session"), Opened::Absent);
            }
        }
    }
}

#[test]
fn no_cookie_is_accepted_in_the_place_of_another() {
    let ring = ring(&[]);
    let kinds = [
        (Purpose::Session, "session"),
        (Purpose::Ticket, "session"),
        (Purpose::Login, "attempt-0"),
        (Purpose::Login, "attempt-1"),
        (Purpose::LogoutMark, "logout"),
    ];
    for (made_for, name) in kinds {
        let value = ring.seal(made_for, name, &"x", Duration::from_mins(1)).unwrap().value().to_owned();
        for (purpose, under) in kinds {
            let pasted = Event::get("/").cookie(&format!("{}={value}", ring.name(under))).request();
            let opened = matches!(ring.open::<String>(&pasted, purpose, under), Opened::Value(_));
            assert_eq!(opened, (made_for, name) == (purpose, under), "{made_for:?} {name} as {purpose:?} {under}");
        }
    }
}

#[test]
fn no_value_adds_an_attribute_or_a_second_cookie() {
    for value in ["x; Domain=evil.example", "x\r\nSet-Cookie: a=b", "\"; Path=/x; \"", "x, a=b", "\0é"] {
        let line = seal(&ring(&[]), value).to_string();
        let (pair, attributes) = line.split_once("; ").unwrap();
        assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60", "{value:?}");
        let sealed = pair.strip_prefix("__Host-session-8af82921=").unwrap();
        assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte)), "{sealed}");
    }
}

#[test]
fn functions_open_each_others_cookies_during_a_key_change() {
    let both_ways = [format!("{KEY},{NEW_KEY}"), format!("{NEW_KEY},{KEY}")];
    let stages = [KEY, &both_ways[0], &both_ways[1], NEW_KEY];
    let rings = stages.map(|keys| ring(&[("SESSION_KEYS", keys)]));

    for (ahead, behind) in [(1, 0), (2, 1), (3, 2)] {
        let (ahead, behind) = (&rings[ahead], &rings[behind]);
        assert_eq!(open(behind, &[&sent(&seal(ahead, "x"))]), Opened::Value("x".to_owned()));
        assert_eq!(open(ahead, &[&sent(&seal(behind, "x"))]), Opened::Value("x".to_owned()));
    }
}

#[test]
fn an_old_key_is_accepted_until_it_is_retired() {
    let old = sent(&seal(&ring(&[]), "x"));

    assert_eq!(open(&ring(&[("SESSION_KEYS", &format!("{NEW_KEY},{KEY}"))]), &[&old]), Opened::Value("x".to_owned()));
    assert_eq!(open(&ring(&[("SESSION_KEYS", NEW_KEY)]), &[&old]), Opened::Unreadable);
}

#[test]
fn the_readable_one_of_several_cookies_with_one_name_is_used() {
    let ring = ring(&[]);
    let good = sent(&seal(&ring, "x"));

    for cookies in [["__Host-session-8af82921=bad", good.as_str()], [good.as_str(), "__Host-session-8af82921=bad"]] {
        assert_eq!(open(&ring, &cookies), Opened::Value("x".to_owned()));
    }
}

#[test]
fn a_cookie_without_the_host_prefix_is_ignored() {
    let ring = ring(&[]);
    let tossed = sent(&seal(&ring, "x")).replace("__Host-", "");

    assert_eq!(open(&ring, &[&tossed]), Opened::Absent);
}

#[test]
fn a_cookie_is_found_among_many_malformed_foreign_ones() {
    let ring = ring(&[]);
    let good = sent(&seal(&ring, "x"));
    let long = format!("long={}", "\"\\".repeat(5_000));
    let mut cookies: Vec<_> = (0..20).map(|number| format!("foreign-{number}=%zz")).collect();
    cookies.extend((0..300).map(|_| "__Host-session-8af82921=x".to_owned()));
    cookies.extend([good, long, "bell=\u{7}".into(), "=".into(), ";;;".into(), "a;".repeat(3_000), "é".into()]);

    let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
    assert_eq!(open(&ring, &cookies), Opened::Value("x".to_owned()));
}

#[test]
fn every_seal_of_one_value_is_different() {
    let ring = ring(&[]);
    assert_ne!(seal(&ring, "x").value(), seal(&ring, "x").value());
}

#[test]
fn a_cookie_is_removed_with_the_attributes_it_was_set_with() {
    let cleared = ring(&[]).removal("session").to_string();
    assert_eq!(cleared, "__Host-session-8af82921=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
}

/// A sibling domain can set a cookie with this name, since it does not begin with `__Host-`; a parser that trims Unicode
/// white space then takes it for ours.
#[test]
fn unicode_white_space_before_a_name_plants_no_host_cookie() {
    let ring = ring(&[]);
    let (own, planted) = (sent(&seal(&ring, "own")), sent(&seal(&ring, "planted")));

    for space in ["\u{85}", "\u{a0}", "\u{1680}", "\u{2000}", "\u{2028}", "\u{3000}", "\u{b}", "\u{c}", "\u{feff}"] {
        let before = format!("{space}{planted}");
        let behind = planted.replacen('=', &format!("{space}="), 1);
        assert!(ring.removals(&Event::get("/").cookie(&before).request(), "session").next().is_none(), "{before:?}");
        for planted in [before, behind] {
            assert_eq!(open(&ring, &[&planted]), Opened::Absent, "{planted:?}");
            assert_eq!(open(&ring, &[&planted, &own]), Opened::Value("own".to_owned()), "{planted:?}");
        }
    }
}

#[test]
fn a_space_or_a_tab_around_a_name_is_stripped_as_browsers_do() {
    let ring = ring(&[]);
    let spaced = sent(&seal(&ring, "x")).replacen('=', "\t = ", 1);
    assert_eq!(open(&ring, &[&format!("other=1;\t {spaced} ")]), Opened::Value("x".to_owned()));
}

#[test]
fn a_value_in_double_quotes_is_read() {
    let ring = ring(&[]);
    let (cookie, mine) = (seal(&ring, "mine"), Opened::Value("mine".to_owned()));
    let (name, value) = (cookie.name(), cookie.value());

    assert_eq!(open(&ring, &[&format!("{name}=\"{value}\"")]), mine);
    assert_eq!(open(&ring, &[&format!("a=\"1; {name} = \"{value}\" ; b=2\"")]), mine);
    for odd in ["\"", "\"\"", &format!("\"{value}"), &format!("{value}\""), &format!("\"\"{value}\"\"")] {
        assert_eq!(open(&ring, &[&format!("{name}={odd}")]), Opened::Unreadable, "{odd}");
    }
    // Quotes around a name are part of it.
    assert_eq!(open(&ring, &[&format!("\"{name}\"={value}")]), Opened::Absent);
}

/// A sibling domain can set `x` to this value. Some proxies join cookies by commas, but a browser takes commas for a part
/// of the value.
#[test]
fn a_comma_in_a_foreign_value_plants_no_host_cookie() {
    let ring = ring(&[]);
    let planted = sent(&seal(&ring, "planted"));

    for comma in [",", ", ", "%2C", "%3B "] {
        assert_eq!(open(&ring, &[&format!("x=1{comma}{planted}")]), Opened::Absent, "{comma}");
    }
}

#[test]
fn of_several_cookies_that_open_to_different_values_none_is_believed() {
    let ring = ring(&[]);
    let (one, other) = (sent(&seal(&ring, "one")), sent(&seal(&ring, "other")));

    assert_eq!(open(&ring, &[&one, &other]), Opened::Unreadable);
    assert_eq!(open(&ring, &[&one, "__Host-session-8af82921=bad", &other, &one]), Opened::Unreadable);
    assert_eq!(open(&ring, &[&one, &sent(&seal(&ring, "one"))]), Opened::Value("one".to_owned()));
}

#[test]
fn two_deployments_at_one_host_have_different_cookie_names() {
    let name = |pairs: &[(&str, &str)]| ring(pairs).name("session");
    let at = |base_url| name(&[("BASE_URL", base_url)]);

    assert_eq!(name(&[]), "__Host-session-8af82921");
    let names = [
        name(&[]),
        name(&[("GLOBUS_CLIENT_ID", OTHER_CLIENT)]),
        at("https://gateway.example/a"),
        at("https://gateway.example/b"),
        at("http://localhost:9000"),
    ];
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 5, "{names:?}");
}

#[test]
fn another_apps_cookies_are_neither_read_nor_removed() {
    let (ours, other) = (ring(&[]), ring(&[("BASE_URL", "https://gateway.example/b")]));
    let theirs = [sent(&seal(&other, "theirs")), "__Host-session=x".to_owned(), "session=x".to_owned()];
    let event = theirs.iter().fold(Event::get("/"), |event, cookie| event.cookie(cookie));

    assert_eq!(ours.open::<String>(&event.request(), Purpose::Session, "session"), Opened::Absent);
    assert!(ours.removals(&event.request(), "session").next().is_none());
    assert!(ours.removal_of_first(&event.request(), "session").is_none());
}

#[test]
fn a_cookie_of_the_first_release_is_opened_and_removed_under_its_own_name() {
    let ring = ring(&[]);
    let new = seal(&ring, "new");
    let first = ring.seal_as(Purpose::Session, "__Host-session".to_owned(), &"first", Duration::ZERO).unwrap();
    let pasted = format!("__Host-session={}", new.value());
    let opened = || Opened::Value("first".to_owned());

    for (cookies, expected, removed) in [
        (vec![sent(&first)], opened(), vec!["__Host-session"]),
        (vec![sent(&first), sent(&new)], opened(), vec!["__Host-session-8af82921", "__Host-session"]),
        (vec![sent(&new)], Opened::Absent, vec!["__Host-session-8af82921"]),
        (vec![pasted], Opened::Absent, vec![]),
    ] {
        let request = cookies.iter().fold(Event::get("/"), |event, cookie| event.cookie(cookie)).request();
        assert_eq!(ring.open_first::<String>(&request, Purpose::Session, "session"), expected);
        let removals: Vec<_> = ring.removals(&request, "session").collect();
        assert_eq!(removals.iter().map(Cookie::name).collect::<Vec<_>>(), removed);
        let of_first = ring.removal_of_first(&request, "session");
        assert_eq!(of_first.is_some(), removed.contains(&"__Host-session"));
    }
}

#[test]
fn a_session_and_a_ticket_of_the_first_release_are_removed_and_nothing_else() {
    let ring = ring(&[]);
    let is_removed = |purpose| {
        let sealed = ring.seal_as(purpose, "__Host-session".to_owned(), &"x", Duration::ZERO).unwrap();
        ring.removal_of_first(&Event::get("/").cookie(&sent(&sealed)).request(), "session").is_some()
    };
    let purposes = [Purpose::Session, Purpose::Ticket, Purpose::Login, Purpose::LogoutMark];
    assert_eq!(purposes.map(is_removed), [true, true, false, false]);
}

#[test]
fn debug_output_shows_how_many_keys_there_are_and_none_of_them() {
    let shown = format!("{:?}", ring(&[]));
    assert_eq!(shown, "SealedCookies { keys: 1, .. }");
}

/// The issuer and the client are two parts of the context, and each of them alone tells two deployments apart.
#[test]
fn a_session_key_alone_opens_nothing() {
    let sealed = sent(&seal(&ring(&[]), "value"));
    let other = [("SESSION_KEYS", "another-session-key-of-at-least-32-characters")];
    assert_eq!(open(&ring(&other), &[&sealed]), Opened::Unreadable);
    assert_eq!(open(&ring(&[]), &[&sealed]), Opened::Value("value".to_owned()));
}

/// Not every browser protects the prefix in other letters.
#[test]
fn a_name_in_other_letters_plants_no_host_cookie() {
    let sealed = sent(&seal(&ring(&[]), "value"));
    let (name, value) = sealed.split_once('=').unwrap();
    for other in [name.to_uppercase(), name.to_lowercase(), name.replace("__Host-", "__HOST-")] {
        assert_ne!(other, name);
        assert_eq!(open(&ring(&[]), &[&format!("{other}={value}")]), Opened::Absent, "{other}");
    }
}
