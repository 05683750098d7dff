use std::time::Duration;

use super::*;
use crate::{
    globus::{LinkedIdentity, Login},
    testing::{configure, noon},
};

const GROUP: &str = "69070000-0001-4ba1-8f4e-2ea86a5b4c01";
const OTHER_GROUP: &str = "69070000-0002-4ba1-8f4e-2ea86a5b4c02";
const POLICY: &str = "90110000-0001-4e31-92d7-7ad4c1b05e01";
const OTHER_POLICY: &str = "90110000-0002-4e32-93d8-7be5d2c16f02";

fn rules(pairs: &[(&str, &str)]) -> AccessRules {
    configure(pairs, AccessRules::read).unwrap().unwrap()
}

fn login(identity: &str) -> Login {
    Login { identity: identity.to_owned(), at: Some(noon()) }
}

fn identity(id: &str, username: &str) -> LinkedIdentity {
    LinkedIdentity { id: id.to_owned(), username: Some(username.to_owned()), is_used: true }
}

/// A user who has logged in with these usernames.
fn logged_in(usernames: &[&str]) -> Introspection {
    let ids = || (0..usernames.len()).map(|number| format!("id-{number}"));
    let identities = ids().zip(usernames).map(|(id, username)| identity(&id, username));
    Introspection { logins: ids().map(|id| login(&id)).collect(), identities: identities.collect(), ..active() }
}

fn active() -> Introspection {
    Introspection { is_active: true, ..Introspection::default() }
}

fn with_policies(policies: &[(&str, bool)]) -> Introspection {
    let policies = policies.iter().map(|(id, fulfilled)| ((*id).to_owned(), *fulfilled));
    Introspection { policies: policies.collect(), ..logged_in(&["ada@anl.gov"]) }
}

fn member(group: &str, identity: &str, is_active: bool) -> Membership {
    Membership { group: group.to_owned(), identity: identity.to_owned(), is_active }
}

fn facts(introspection: &Introspection, memberships: &[Membership]) -> Facts {
    Facts { introspection: introspection.clone(), memberships: memberships.to_vec() }
}

/// The rules that a user with this introspection does not fulfil.
fn unmet(pairs: &[(&str, &str)], introspection: &Introspection) -> Vec<Unmet> {
    unmet_with(pairs, introspection, &[])
}

fn unmet_with(pairs: &[(&str, &str)], introspection: &Introspection, memberships: &[Membership]) -> Vec<Unmet> {
    let judged = judge(&rules(pairs), &facts(introspection, memberships), noon());
    judged.map_or_else(|refusal| refusal.unmet, |_| Vec::new())
}

const ANL: [(&str, &str); 1] = [("ALLOWED_DOMAINS", "anl.gov")];

#[track_caller]
fn assert_stopped(introspection: &Introspection) {
    assert_eq!(unmet(&ANL, introspection), [Unmet::Domains], "{introspection:?}");
}

#[test]
fn a_login_with_a_username_of_the_domain_comes_in() {
    for username in ["ada@anl.gov", "Ada@ANL.gov", "ada@evil.example@anl.gov"] {
        assert_eq!(unmet(&ANL, &logged_in(&[username])), [], "{username}");
    }
    assert_eq!(unmet(&ANL, &logged_in(&["ada@gmail.com", "ada@anl.gov"])), [], "any login of the session");
}

#[test]
fn a_username_that_only_looks_like_the_domain_is_stopped() {
    for username in [
        "x@anl.gov@evil.example",
        "x@evil-anl.gov",
        "x@evil.anl.gov",
        "x@anl.gov.evil.example",
        "x@anl.gov.",
        "x@anl.gov ",
        " x@ anl.gov",
        "x@anl.gov\u{200b}",
        "x@anl.gov\0",
        "x@anl.gov\n",
        "x@anl.gov,y@evil.example",
        "x@evil.example,anl.gov",
        "x@anl.gov;",
        "x@\u{430}nl.gov",
        "x@an\u{217c}.gov",
        "x@anl\u{ff0e}gov",
        "x@anl\u{3002}gov",
        "x\u{ff20}anl.gov",
        "x@xn--nl-6ed.gov",
        "anl.gov",
        "@anl.gov",
        "x@",
        "",
    ] {
        assert_stopped(&logged_in(&[username]));
    }
    // The Kelvin sign is `k` in lower case, the long s is `S` in upper case.
    let kernel = [("ALLOWED_DOMAINS", "kernels.example")];
    for username in ["x@\u{212a}ernels.example", "x@kernel\u{17f}.example"] {
        assert_eq!(unmet(&kernel, &logged_in(&[username])), [Unmet::Domains], "{username}");
    }
}

#[test]
fn a_linked_identity_that_has_not_logged_in_is_stopped() {
    let mut linked = logged_in(&["ada@gmail.com"]);
    linked.identities.push(identity("linked", "ada@anl.gov"));
    assert_stopped(&linked);
}

#[test]
fn an_identity_that_is_not_in_use_is_stopped() {
    let mut unused = logged_in(&["ada@anl.gov"]);
    unused.identities[0].is_used = false;
    assert_stopped(&unused);
}

#[test]
fn a_login_without_an_identity_or_a_username_is_stopped() {
    let mut unknown = logged_in(&["ada@anl.gov"]);
    unknown.logins = vec![login("other")];
    assert_stopped(&unknown);

    let mut nameless = logged_in(&["ada@anl.gov"]);
    nameless.identities[0].username = None;
    assert_stopped(&nameless);
    assert_stopped(&active());
}

#[test]
fn of_two_answers_about_one_identity_the_denial_counts() {
    for other in [
        identity("id-0", "ada@gmail.com"),
        LinkedIdentity { is_used: false, ..identity("id-0", "ada@anl.gov") },
        LinkedIdentity { username: None, ..identity("id-0", "") },
    ] {
        let mut contradiction = logged_in(&["ada@anl.gov"]);
        contradiction.identities.push(other.clone());
        assert_stopped(&contradiction);
        contradiction.identities.reverse();
        assert_stopped(&contradiction);
    }
}

#[test]
fn without_an_introspection_no_rule_about_the_login_is_fulfilled() {
    let rules = rules(&[("ALLOWED_DOMAINS", "anl.gov"), ("REQUIRED_POLICIES", POLICY)]);
    let refusal = judge(&rules, &Facts::default(), noon()).unwrap_err();
    assert_eq!(refusal, Refusal { unmet: vec![Unmet::Domains, Unmet::Policies], login_unknown: true });
}

#[test]
fn an_active_member_of_any_group_comes_in_with_any_identity() {
    let groups = [("ALLOWED_GROUPS", format!("{GROUP},{OTHER_GROUP}"))];
    let groups = groups.each_ref().map(|(name, value)| (*name, value.as_str()));
    for members in [
        vec![member(GROUP, "own", true)],
        vec![member(OTHER_GROUP, "linked", true)],
        vec![member(GROUP, "own", false), member(GROUP, "linked", true)],
    ] {
        assert_eq!(unmet_with(&groups, &active(), &members), [], "{members:?}");
    }
}

#[test]
fn a_member_who_is_invited_pending_or_removed_is_stopped() {
    for members in [
        vec![],
        vec![member(GROUP, "own", false)],
        vec![member(OTHER_GROUP, "own", true)],
        // Two answers about one membership.
        vec![member(GROUP, "own", true), member(GROUP, "own", false)],
        vec![member(GROUP, "own", false), member(GROUP, "own", true)],
    ] {
        assert_eq!(unmet_with(&[("ALLOWED_GROUPS", GROUP)], &active(), &members), [Unmet::Groups], "{members:?}");
    }
}

#[test]
fn every_policy_must_be_evaluated_and_fulfilled() {
    let both = format!("{POLICY},{OTHER_POLICY}");
    let unmet = |evaluations: &[(&str, bool)]| unmet(&[("REQUIRED_POLICIES", &both)], &with_policies(evaluations));

    assert_eq!(unmet(&[(POLICY, true), (OTHER_POLICY, true)]), []);
    for evaluations in [
        &[][..],
        &[(POLICY, true)],
        &[(POLICY, true), (OTHER_POLICY, false)],
        &[(POLICY, true), (POLICY, true)],
        &[(POLICY, true), (OTHER_POLICY, true), (POLICY, false)],
        &[(POLICY, false), (OTHER_POLICY, true), (POLICY, true)],
        &[(POLICY, true), ("90110000-0003-4e33-94d9-7cf6e3d27a03", true)],
    ] {
        assert_eq!(unmet(evaluations), [Unmet::Policies], "{evaluations:?}");
    }
}

const HALF_AN_HOUR: (&str, &str) = ("MAX_AUTHENTICATION_MINUTES", "30");
const MINUTE: Duration = Duration::from_mins(1);

/// A user whose logins were at these times, with these usernames.
fn logged_in_at(logins: &[(&str, Option<Timestamp>)]) -> Introspection {
    let usernames: Vec<_> = logins.iter().map(|(username, _)| *username).collect();
    let mut introspection = logged_in(&usernames);
    for (login, (_, at)) in introspection.logins.iter_mut().zip(logins) {
        login.at = *at;
    }
    introspection
}

#[test]
fn a_login_is_good_until_it_is_too_old() {
    let deadline = |at: Option<Timestamp>| {
        let rules = rules(&[HALF_AN_HOUR]);
        let judged = judge(&rules, &facts(&logged_in_at(&[("ada@anl.gov", at)]), &[]), noon());
        judged.map(|admission| admission == Admission::new(&rules, vec![], at.map(|at| at + MINUTE * 30), noon()))
    };

    assert_eq!(deadline(Some(noon())), Ok(true));
    assert_eq!(deadline(Some(noon() - MINUTE * 29)), Ok(true));
    for old in [Some(noon() - MINUTE * 30), Some(noon() - MINUTE * 10_000), Some(Timestamp::default()), None] {
        let refusal = deadline(old).unwrap_err();
        assert_eq!((refusal.unmet.as_slice(), refusal.needs_login()), (&[Unmet::Age][..], true), "{old:?}");
    }
}

#[test]
fn a_login_in_the_future_lasts_no_longer_than_one_now() {
    let rules = rules(&[HALF_AN_HOUR]);
    let future = logged_in_at(&[("ada@anl.gov", Some(noon() + MINUTE * 10_000))]);
    let admission = judge(&rules, &facts(&future, &[]), noon()).unwrap();
    assert_eq!(admission, Admission::new(&rules, vec![], Some(noon() + MINUTE * 30), noon()));
}

#[test]
fn a_fresh_login_with_another_account_does_not_refresh_that_of_the_domain() {
    let old = Some(noon() - MINUTE * 31);
    let both = [ANL[0], HALF_AN_HOUR];
    let fresh = logged_in_at(&[("ada@gmail.com", Some(noon())), ("ada@anl.gov", old)]);
    assert_eq!(unmet(&both, &fresh), [Unmet::Age]);
    assert_eq!(unmet(&[HALF_AN_HOUR], &fresh), []);
}

#[test]
fn of_two_times_for_one_login_the_earlier_counts() {
    for other in [Some(noon() - MINUTE * 31), None] {
        let mut twice = logged_in(&["ada@anl.gov"]);
        twice.logins.push(Login { at: other, ..login("id-0") });
        assert_eq!(unmet(&[HALF_AN_HOUR], &twice), [Unmet::Age], "{other:?}");
    }
}

#[test]
fn the_rules_hold_together_and_each_that_is_unmet_is_named() {
    let all = [ANL[0], ("ALLOWED_GROUPS", GROUP), ("REQUIRED_POLICIES", POLICY), HALF_AN_HOUR];
    let user = |username, fulfilled, at| Introspection {
        policies: vec![(POLICY.to_owned(), fulfilled)],
        ..logged_in_at(&[(username, at)])
    };
    let now = Some(noon());
    let members = [member(GROUP, "own", true)];

    assert_eq!(unmet_with(&all, &user("ada@anl.gov", true, now), &members), []);
    assert_eq!(unmet_with(&all, &user("ada@gmail.com", true, now), &members), [Unmet::Domains]);
    assert_eq!(unmet_with(&all, &user("ada@anl.gov", true, now), &[]), [Unmet::Groups]);
    assert_eq!(unmet_with(&all, &user("ada@anl.gov", false, now), &members), [Unmet::Policies]);
    assert_eq!(unmet_with(&all, &user("ada@anl.gov", true, None), &members), [Unmet::Age]);
    assert_eq!(
        unmet_with(&all, &user("ada@gmail.com", false, None), &[]),
        [Unmet::Domains, Unmet::Groups, Unmet::Policies]
    );
}

#[test]
fn roles_are_those_of_the_groups_in_which_the_user_is_active() {
    let rules = rules(&[("ROLE_GROUPS", &format!("editor={GROUP},admin={OTHER_GROUP},admin={GROUP},guest={POLICY}"))]);
    let granted = |members: &[Membership]| {
        let judged = judge(&rules, &Facts { memberships: members.to_vec(), ..Facts::default() }, noon()).unwrap();
        let expected = |roles: &[&str]| {
            judged == Admission::new(&rules, roles.iter().map(|&role| role.to_owned()).collect(), None, noon())
        };
        [&[][..], &["admin"], &["admin", "editor"]].into_iter().position(expected)
    };

    assert_eq!(granted(&[]), Some(0), "a role is no condition");
    assert_eq!(granted(&[member(GROUP, "own", false)]), Some(0));
    assert_eq!(granted(&[member(OTHER_GROUP, "own", true)]), Some(1));
    assert_eq!(granted(&[member(GROUP, "own", true), member(OTHER_GROUP, "linked", true)]), Some(2));
}

#[test]
fn a_login_is_asked_for_only_where_it_can_help() {
    let refusal =
        |pairs: &[(&str, &str)], user: &Introspection| judge(&rules(pairs), &facts(user, &[]), noon()).unwrap_err();
    let unknown = active();
    let elsewhere = logged_in(&["ada@gmail.com"]);
    let old = logged_in_at(&[("ada@anl.gov", Some(noon() - MINUTE * 31))]);
    let group = ("ALLOWED_GROUPS", GROUP);

    for (pairs, user, needs_login, can_be_cured) in [
        (&ANL[..], &unknown, true, true),
        (&ANL[..], &elsewhere, false, true),
        (&[group][..], &unknown, false, false),
        (&[ANL[0], group][..], &unknown, false, false),
        (&[("REQUIRED_POLICIES", POLICY)][..], &unknown, true, true),
        (&[("REQUIRED_POLICIES", POLICY)][..], &elsewhere, false, true),
        (&[("REQUIRED_POLICIES", POLICY), HALF_AN_HOUR][..], &old, false, true),
        (&[HALF_AN_HOUR][..], &old, true, true),
        (&[HALF_AN_HOUR, group][..], &old, false, false),
    ] {
        let refusal = refusal(pairs, user);
        assert_eq!((refusal.needs_login(), refusal.can_be_cured()), (needs_login, can_be_cured), "{pairs:?} {user:?}");
    }
}

#[test]
fn the_log_says_the_first_reason_of_several() {
    let all = [ANL[0], ("ALLOWED_GROUPS", GROUP), ("REQUIRED_POLICIES", POLICY)];
    let refusal = judge(&rules(&all), &facts(&logged_in(&["ada@gmail.com"]), &[]), noon()).unwrap_err();
    assert_eq!(refusal.reason(), Some(Reason::DomainNotAllowed));
}

#[test]
fn the_denied_page_speaks_of_one_group_and_of_one_minute() {
    let rules = rules(&[("ALLOWED_GROUPS", GROUP), ("MAX_AUTHENTICATION_MINUTES", "1")]);
    let group = Missing::new(Unmet::Groups, &rules);
    let link = ("Ask to join the group".to_owned(), format!("https://app.globus.org/groups/{GROUP}/about"));
    assert_eq!((group.text.as_str(), group.links), ("Membership in the group of this site.", vec![link]));
    assert_eq!(Missing::new(Unmet::Age, &rules).text, "A login within the last minute.");
}

#[test]
fn the_denied_page_names_each_rule_as_it_is_configured() {
    let rules = rules(&[
        ("ALLOWED_DOMAINS", "anl.gov,uchicago.edu"),
        ("ALLOWED_GROUPS", &format!("{GROUP},{OTHER_GROUP}")),
        HALF_AN_HOUR,
    ]);
    let missing = |unmet| Missing::new(unmet, &rules);

    assert_eq!(missing(Unmet::Domains).rule, "ALLOWED_DOMAINS");
    assert_eq!(missing(Unmet::Domains).text, "A login with an account of anl.gov or uchicago.edu.");
    assert_eq!(missing(Unmet::Groups).rule, "ALLOWED_GROUPS");
    assert_eq!(missing(Unmet::Groups).text, "Membership in one of the groups of this site.");
    assert_eq!(missing(Unmet::Groups).links[0].0, format!("Ask to join group {GROUP}"));
    let addresses: Vec<_> = missing(Unmet::Groups).links.into_iter().map(|(_, address)| address).collect();
    assert_eq!(addresses, [GROUP, OTHER_GROUP].map(|id| format!("https://app.globus.org/groups/{id}/about")));
    assert_eq!(missing(Unmet::Policies).rule, "REQUIRED_POLICIES");
    assert_eq!(missing(Unmet::Age).rule, "MAX_AUTHENTICATION_MINUTES");
    assert_eq!(missing(Unmet::Age).text, "A login within the last 30 minutes.");
}
