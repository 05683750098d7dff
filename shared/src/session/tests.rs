mod rules;

use std::collections::BTreeSet;

use super::*;
use crate::{config::Secret, testing::noon};

const TRANSFER: &str = "transfer.api.globus.org";

/// A week, and no access rules.
const LIMITS: Limits = Limits { max: Duration::from_hours(168), rules: None };

fn identity() -> Identity {
    Identity {
        sub: "8ca28797-3541-4a5d-a264-05b00f91e608".to_owned(),
        name: DisplayText::new("Ada Lovelace"),
        username: DisplayText::new("ada@uchicago.edu"),
        email: DisplayText::new("ada@uchicago.edu"),
        organization: DisplayText::new("University of Chicago"),
        provider: None,
    }
}

/// A token received at noon, with a refresh token.
fn token(resource_server: &str, lifetime: u64) -> Token {
    Token {
        resource_server: resource_server.to_owned(),
        scope: "scope".to_owned(),
        access_token: Secret::new(format!("access-{lifetime}")),
        refresh_token: Some(Secret::new("refresh")),
        received: noon(),
        lifetime: Duration::from_secs(lifetime),
    }
}

/// A session that began at noon. Its tokens for Globus Auth and Transfer live this number of seconds.
fn session(auth: u64, transfer: u64) -> Session {
    Session::new("id-of-ada".to_owned(), identity(), vec![token(GLOBUS_AUTH, auth), token(TRANSFER, transfer)], noon())
}

fn without_refresh_tokens(mut session: Session) -> Session {
    for token in &mut session.tokens {
        token.refresh_token = None;
    }
    session
}

fn after(seconds: u64) -> Timestamp {
    noon() + Duration::from_secs(seconds)
}

/// The state of the session's visitor, in words.
fn standing(session: &Session, now: Timestamp) -> &'static str {
    standing_by(&LIMITS, session, now)
}

fn standing_by(limits: &Limits, session: &Session, now: Timestamp) -> &'static str {
    match session.clone().visitor(Timestamp::default(), limits, now) {
        Visitor::SignedIn(_) => "signed in",
        Visitor::NeedsRenewal(_) => "needs renewal",
        Visitor::LoginTooOld(_) => "login too old",
        Visitor::Expired(_) => "expired",
        Visitor::SignedOut | Visitor::Unusable(_) | Visitor::LoggedOut(_) => "no session",
    }
}

#[test]
fn a_session_needs_renewal_a_minute_before_its_globus_token_ends() {
    let session = session(172_800, 172_800);
    assert_eq!(standing(&session, after(172_739)), "signed in");
    assert_eq!(standing(&session, after(172_740)), "needs renewal");
    assert_eq!(standing(&session, after(172_900)), "needs renewal");
}

#[test]
fn without_a_refresh_token_a_session_ends_with_its_globus_token() {
    let session = without_refresh_tokens(session(172_800, 172_800));
    assert_eq!(standing(&session, after(172_799)), "signed in");
    assert_eq!(standing(&session, after(172_800)), "expired");
}

#[test]
fn a_short_lived_token_is_used_until_its_last_tenth() {
    let session = session(30, 172_800);
    assert_eq!(standing(&session, after(26)), "signed in");
    assert_eq!(standing(&session, after(27)), "needs renewal");
}

#[test]
fn no_token_or_renewal_extends_a_session_beyond_its_absolute_limit() {
    let mut session = session(604_800 * 2, 172_800);
    assert_eq!(standing(&session, after(604_799)), "signed in");
    assert_eq!(standing(&session, after(604_800)), "expired");
    session.replace_tokens(vec![Token { received: after(604_790), ..token(GLOBUS_AUTH, 172_800) }]);
    session.note_renewal(after(604_790));
    assert_eq!(standing(&session, after(604_800)), "expired");
}

#[test]
fn short_lived_tokens_cause_no_redirect_loop() {
    let mut session = session(1, 172_800);
    assert_eq!(standing(&session, after(2)), "expired", "the sign-in was just now");
    assert_eq!(standing(&session, after(10)), "needs renewal");
    session.replace_tokens(vec![Token { received: after(10), ..token(GLOBUS_AUTH, 1) }]);
    session.note_renewal(after(10));
    assert_eq!(standing(&session, after(10)), "signed in");
    for seconds in 11..20 {
        assert_eq!(standing(&session, after(seconds)), "expired", "after {seconds} s");
    }
    assert_eq!(standing(&session, after(20)), "needs renewal");
}

#[test]
fn a_token_with_time_left_is_used_after_a_failed_renewal() {
    let mut session = session(172_800, 172_800);
    assert!(session.note_failure(after(172_740)));
    assert_eq!(standing(&session, after(172_779)), "signed in");
    assert_eq!(standing(&session, after(172_780)), "needs renewal");
}

#[test]
fn a_token_that_is_not_good_gives_the_error_that_leads_to_a_good_one() {
    let session = session(172_800, 600);
    let reason = |session: &Session, seconds| session.token(TRANSFER, after(seconds)).unwrap_err().kind().clone();

    assert_eq!(session.token(TRANSFER, after(539)).unwrap(), "access-600");
    assert_eq!(reason(&session, 540), Kind::RenewalRequired);
    assert_eq!(reason(&without_refresh_tokens(session.clone()), 600), Kind::SignInRequired);
}

/// Otherwise the browser would go from here to Globus and back for ever.
#[test]
fn a_new_session_without_a_good_token_causes_no_redirect_loop() {
    let short_lived = session(172_800, 1);
    let reason = |service: &str, seconds| short_lived.token(service, after(seconds)).unwrap_err().kind().clone();

    assert_eq!(reason(TRANSFER, 2), Kind::ResponseRefused(Reason::TokenLifetimeMissing));
    let groups = "groups.api.globus.org";
    assert_eq!(reason(groups, 59), Kind::Internal(Reason::NoTokenForService));
    assert_eq!(reason(groups, 60), Kind::SignInRequired, "the scope may be configured only since");
}

#[test]
fn a_renewed_token_replaces_only_the_old_one_of_its_service() {
    let mut session = session(600, 172_800);
    let renewed = Token { access_token: Secret::new("new"), refresh_token: None, ..token(GLOBUS_AUTH, 172_800) };
    session.replace_tokens(vec![renewed]);
    session.note_renewal(after(590));

    assert_eq!(session.token(GLOBUS_AUTH, after(590)).unwrap(), "new");
    assert_eq!(
        session.tokens[0].refresh_token.as_ref().map(Secret::expose),
        Some("refresh"),
        "the response has none, so the old one stays"
    );
    assert_eq!(session.token(TRANSFER, after(590)).unwrap(), "access-172800");

    let rotated = Token { refresh_token: Some(Secret::new("rotated")), ..token(GLOBUS_AUTH, 172_800) };
    session.replace_tokens(vec![rotated]);
    session.note_renewal(after(600));
    assert_eq!(session.tokens[0].refresh_token.as_ref().map(Secret::expose), Some("rotated"));
}
#[test]
fn a_token_with_time_left_is_used_while_another_request_renews() {
    let mut session = session(172_800, 172_800);
    session.being_renewed(after(172_769));
    assert_eq!(session.need(&LIMITS, after(172_769)), Need::Nothing);
    assert_eq!(standing(&session, after(172_769)), "signed in");

    session.being_renewed(after(172_799));
    assert_eq!(standing(&session, after(172_799)), "signed in");
    assert_eq!(session.need(&LIMITS, after(172_799)), Need::Renewal, "by a clock that is ahead it has expired");

    let mut ended = self::session(172_800, 600);
    ended.being_renewed(after(601));
    assert_eq!(ended.need(&LIMITS, after(601)), Need::Renewal);
}

/// Otherwise its user would be told for some seconds to log in, although the token can be renewed.
#[test]
fn a_token_that_ends_before_the_next_renewal_is_tried_is_not_used_after_a_failed_one() {
    for (seconds, goes_on) in [(172_760, true), (172_761, false), (172_800, false)] {
        let mut session = session(172_800, 172_800);
        assert_eq!(session.note_failure(after(seconds)), goes_on, "after {seconds} s");
        assert_eq!(standing(&session, after(seconds)), if goes_on { "signed in" } else { "needs renewal" });
    }
    assert!(without_refresh_tokens(session(172_800, 172_800)).note_failure(after(172_799)), "none is tried any more");
    let mut session = session(172_800, 172_800);
    session.note_failure(after(172_760));
    assert_eq!(standing(&session, after(172_799)), "signed in");
    assert_eq!(standing(&session, after(172_800)), "needs renewal");
    assert_eq!(session.need(&LIMITS, after(172_770)), Need::Renewal, "as by a clock that is ahead");
}

/// Otherwise an instance whose clock is ahead would send the browser back to the one that has failed, again and again.
#[test]
fn after_a_failed_renewal_no_instance_sends_the_browser_to_another_for_ten_seconds() {
    let mut session = session(172_800, 172_800);
    session.note_failure(after(172_720));
    for passed in 0..30 {
        for (page, login) in [(30, 0), (0, 0), (0, 30)] {
            let sends = standing(&session, after(172_720 + passed + page)) == "needs renewal";
            let renews = session.need(&LIMITS, after(172_720 + passed + login)) == Need::Renewal;
            assert!(!sends || (renews && passed >= 10), "{passed} s later, with clocks {page} and {login} s ahead");
        }
    }
}

/// Otherwise the browser would go from one to the other and back, until the second one's clock is as late.
#[test]
fn an_instance_whose_clock_is_behind_renews_what_one_whose_clock_is_ahead_takes_for_due() {
    let session = session(172_800, 172_800);
    assert_eq!(standing(&session, after(172_740)), "needs renewal");
    assert_eq!(session.need(&LIMITS, after(172_710)), Need::Renewal);
    assert_eq!(session.renewable(after(172_710)).count(), 2);
    assert_eq!(session.need(&LIMITS, after(172_709)), Need::Nothing);
}

#[test]
fn a_user_without_a_name_is_shown_by_username_or_else_by_uuid() {
    let mut identity = identity();
    identity.name = None;
    assert_eq!(identity.display_name(), "ada@uchicago.edu");
    identity.username = None;
    assert_eq!(identity.display_name(), "8ca28797-3541-4a5d-a264-05b00f91e608");
}

#[test]
fn debug_output_holds_no_token() {
    let shown = format!("{:?}", session(60, 60));
    assert!(!shown.contains("access-") && !shown.contains("\"refresh\""), "{shown}");
}

#[test]
fn a_session_has_one_log_id_also_after_a_renewal() {
    let mut session = session(600, 600);
    session.replace_tokens(vec![token(GLOBUS_AUTH, 172_800)]);
    session.note_renewal(after(590));
    assert_eq!(session.log_id(), "id-of-ada");
}

#[test]
fn two_sessions_that_begin_in_one_second_have_different_log_ids() {
    let ids: BTreeSet<_> = (0..1_000).map(|_| new_id().unwrap()).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.iter().all(|id| id.len() == 12), "72 bits in base64url");
}

#[test]
fn the_log_id_of_a_session_is_the_one_it_was_given_and_says_nothing_of_the_user() {
    let session = Session::new("an-id".to_owned(), identity(), Vec::new(), after(0));
    assert_eq!(session.log_id(), "an-id");
    let first_release = Session::new(String::new(), identity(), Vec::new(), after(0));
    assert_eq!(first_release.log_id().len(), 12);
    assert!(!first_release.log_id().contains(&identity().sub));
}

#[test]
fn a_session_of_a_format_to_come_is_not_known() {
    let mut stored = serde_json::to_value(session(60, 60)).unwrap();
    stored["v"] = 2.into();
    assert!(session(60, 60).is_known() && !serde_json::from_value::<Session>(stored).unwrap().is_known());
}

#[test]
fn a_session_of_the_first_release_is_named_by_a_hash() {
    let first = Session { id: String::new(), ..session(600, 600) };
    let other_user = Identity { sub: "other".to_owned(), ..identity() };
    let others = [Session { begun: after(1), ..first.clone() }, Session { identity: other_user, ..first.clone() }];

    assert_eq!(first.log_id().len(), 12);
    assert!(others.iter().all(|other| other.log_id() != first.log_id()));
    assert!(!first.log_id().contains("8ca28797"));
}

#[test]
fn a_stored_name_that_is_blank_or_long_is_cleaned_when_it_is_read() {
    let stored = format!(r#"{{"s":"ada","n":"","u":"ada@uchicago.edu","e":null,"o":"{}"}}"#, "o".repeat(1000));
    let identity: Identity = serde_json::from_str(&stored).unwrap();
    assert_eq!((&identity.name, &identity.email), (&None, &None));
    assert_eq!(identity.display_name(), "ada@uchicago.edu");
    assert_eq!(identity.organization, DisplayText::new(&"o".repeat(1000)));
}

#[test]
fn an_empty_refresh_token_of_an_earlier_release_is_never_sent() {
    let mut token = token(GLOBUS_AUTH, 60);
    token.refresh_token = Some(Secret::new(""));
    assert!(!token.is_renewable(after(60)));
    assert_eq!(token.secrets().count(), 1);
}

/// The second before it is the last in which the user is signed in.
#[test]
fn a_session_says_when_it_is_no_longer_good() {
    let renewed = {
        let mut session = session(600, 7200);
        session.replace_tokens(vec![token(GLOBUS_AUTH, 12)]);
        session.note_renewal(after(590));
        session
    };
    for session in [
        session(172_800, 172_800),
        session(600, 7200),
        session(45, 45),
        session(9, 9),
        session(1, 1),
        session(1_000_000, 1),
        without_refresh_tokens(session(172_800, 60)),
        without_refresh_tokens(session(5, 60)),
        renewed,
        Session { tokens: Vec::new(), ..session(1, 1) },
    ] {
        let expires = session.expires(&LIMITS);
        let is_good = |now| standing(&session, now) == "signed in";
        assert!(is_good(expires - Duration::from_secs(1)), "{session:?}");
        assert!(!is_good(expires), "{session:?}");
    }
    assert_eq!(session(172_800, 60).expires(&LIMITS), after(172_740));
    assert_eq!(session(172_800, 60).expires(&Limits { max: Duration::from_hours(1), rules: None }), after(3_600));
}

#[test]
fn what_other_functions_are_told_has_no_token_and_only_what_there_is() {
    let mut session = session(600, 600);
    let who: Vec<_> = session.who().map(|(key, _)| key).collect();
    assert_eq!(who, ["username", "name", "email", "organization", "sub", "session"]);
    session.identity = Identity { name: None, username: None, email: None, organization: None, ..session.identity };
    let who: Vec<_> = session.who().map(|(key, _)| key).collect();
    assert_eq!(who, ["sub", "session"]);
}
