use super::*;
use crate::{config::AccessRules, testing::configure};

const HOUR: u64 = 3_600;

fn rules(domains: &str) -> AccessRules {
    configure(&[("ALLOWED_DOMAINS", domains)], AccessRules::read).unwrap().unwrap()
}

fn limits(rules: &AccessRules) -> Limits {
    Limits { rules: Some((rules.hash().to_owned(), rules.every)), ..LIMITS }
}

/// A session that was checked at noon, with the role of an admin. Its login is good for this number of seconds.
fn checked(rules: &AccessRules, login: Option<u64>) -> Session {
    let admission = Admission::new(rules, vec!["admin".to_owned()], login.map(after), noon());
    Session { admission: Some(admission), ..session(172_800, 172_800) }
}

#[test]
fn a_check_is_good_for_an_hour_and_repeated_after_half_of_it() {
    let rules = rules("anl.gov");
    let (limits, session) = (limits(&rules), checked(&rules, None));
    let found =
        |seconds| (standing_by(&limits, &session, after(seconds)), session.check_is_due(&limits, after(seconds)));

    assert_eq!(found(0), ("signed in", false));
    assert_eq!(found(HOUR / 2 - 1), ("signed in", false));
    assert_eq!(found(HOUR / 2), ("signed in", true));
    assert_eq!(found(HOUR - 1), ("signed in", true));
    assert_eq!(found(HOUR), ("needs renewal", true));
    assert_eq!(session.expires(&limits), after(HOUR));
}

#[test]
fn after_a_check_that_failed_no_page_is_sent_to_the_next_at_once() {
    let rules = rules("anl.gov");
    let (limits, mut session) = (limits(&rules), checked(&rules, None));
    session.note_renewal(after(HOUR / 2));

    assert!(!session.check_is_due(&limits, after(HOUR / 2 + 59)));
    assert!(session.check_is_due(&limits, after(HOUR / 2 + 60)));
    assert!(session.is_admitted(&limits, after(HOUR - 1)));
    assert!(!session.is_admitted(&limits, after(HOUR)), "never longer than the period");
}

#[test]
fn a_session_is_checked_at_once_when_the_rules_change_or_begin() {
    let (old, new) = (rules("anl.gov"), rules("uchicago.edu"));
    let unchecked = session(172_800, 172_800);
    for session in [&checked(&old, None), &unchecked] {
        assert_eq!(standing_by(&limits(&new), session, noon()), "needs renewal");
        assert!(session.is_stopped_by_rules(&limits(&new), noon()));
        assert_eq!(session.need(&limits(&new), noon()), Need::Renewal);
    }
    assert_eq!(standing_by(&LIMITS, &checked(&old, None), noon()), "signed in", "without rules, all may come in");
}

#[test]
fn a_login_that_is_too_old_is_no_longer_signed_in() {
    let rules = rules("anl.gov");
    let (limits, session) = (limits(&rules), checked(&rules, Some(1_800)));

    assert_eq!(standing_by(&limits, &session, after(1_799)), "signed in");
    assert_eq!(standing_by(&limits, &session, after(1_800)), "login too old");
    assert_eq!(standing_by(&limits, &session, after(HOUR)), "login too old");
    assert_eq!(session.expires(&limits), after(1_800));
    assert_eq!(checked(&rules, Some(2 * HOUR)).expires(&limits), after(HOUR), "the check comes first");
    let visitor = session.clone().visitor(Timestamp::default(), &limits, after(1_800));
    assert_eq!((visitor.living(), visitor.tokens().len()), (None, 2), "another user may log in here");
    let other = super::rules::rules("uchicago.edu");
    assert_eq!(standing_by(&super::rules::limits(&other), &session, after(1_800)), "needs renewal", "by other rules");
}

/// Home, whose clock may be ahead, would send the browser back again and again.
#[test]
fn a_check_that_an_instance_with_a_clock_ahead_has_asked_for_is_done() {
    let rules = rules("anl.gov");
    let limits = limits(&rules);
    let need = |login, seconds| checked(&rules, login).need(&limits, after(seconds));

    assert_eq!(need(None, HOUR / 2 - 31), Need::Nothing);
    assert_eq!(need(None, HOUR / 2 - 30), Need::Renewal);
    assert_eq!(need(Some(1_000), 969), Need::Nothing);
    assert_eq!(need(Some(1_000), 970), Need::Login);
}

#[test]
fn roles_that_were_given_by_other_rules_are_gone() {
    let (old, new) = (rules("anl.gov"), rules("uchicago.edu"));
    let roles = |limits: &Limits| match checked(&old, None).visitor(Timestamp::default(), limits, noon()) {
        Visitor::SignedIn(session) | Visitor::NeedsRenewal(session) => session.roles().to_vec(),
        other => panic!("{other:?}"),
    };

    assert_eq!(roles(&limits(&old)), ["admin"]);
    assert_eq!(roles(&limits(&new)), [""; 0]);
    assert_eq!(roles(&LIMITS), [""; 0]);
}

#[test]
fn a_role_is_compared_as_a_whole() {
    let session = checked(&rules("anl.gov"), None);
    assert!(session.has_role("admin"));
    for other in ["", "adm", "admins", "Admin", "admin,editor"] {
        assert!(!session.has_role(other), "{other}");
    }
    assert!(!self::session(1, 1).has_role("admin"));
    assert_eq!(session.who().last(), Some(("roles", "admin".to_owned())));
    let two = Admission::new(&rules("anl.gov"), vec!["admin".to_owned(), "editor".to_owned()], None, noon());
    let session = Session { admission: Some(two), ..session };
    assert_eq!(session.who().last(), Some(("roles", "admin,editor".to_owned())));
}

#[test]
fn a_check_by_a_clock_that_is_far_ahead_is_repeated() {
    let rules = rules("anl.gov");
    let session = checked(&rules, None);
    assert_eq!(standing_by(&limits(&rules), &session, noon() - Duration::from_secs(30)), "signed in");
    assert_eq!(standing_by(&limits(&rules), &session, noon() - Duration::from_secs(31)), "needs renewal");
}

/// Without rules, a session cookie has not one byte more.
#[test]
fn a_session_without_rules_is_stored_as_before_them() {
    let stored = serde_json::to_value(session(600, 600)).unwrap();
    assert_eq!(stored.as_object().unwrap().keys().collect::<Vec<_>>(), ["b", "d", "i", "k", "v"]);
    let checked = serde_json::to_value(checked(&rules("anl.gov"), Some(60))).unwrap();
    assert_eq!(checked["a"]["c"], noon().seconds());
    assert!(serde_json::from_value::<Session>(checked).is_ok_and(|session| session.has_role("admin")));
}
