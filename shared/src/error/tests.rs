use std::collections::BTreeSet;

use super::*;
use crate::log::Reason;
use crate::testing::every_kind;

/// The status, event and outcome that a kind must have.
fn expected(kind: &Kind) -> (u16, &'static str, &'static str) {
    match kind {
        Kind::BadRequest(_) | Kind::UnknownAddress => (400, "request", "refused"),
        Kind::UnknownAttempt(_) | Kind::NoLoginCookie | Kind::CodeRefused | Kind::GlobusReported(_) => {
            (400, "sign_in", "refused")
        }
        Kind::SignInRequired | Kind::RenewalRequired | Kind::CheckRequired(_) => (401, "request", "refused"),
        Kind::NotNavigation | Kind::CrossSite | Kind::OriginSecretMissing | Kind::PermissionMissing(..) => {
            (403, "request", "refused")
        }
        Kind::Denied | Kind::NotAdmitted(_) => (403, "sign_in", "refused"),
        Kind::NotFound => (404, "request", "refused"),
        Kind::MethodNotAllowed(_) => (405, "request", "refused"),
        Kind::OtherUser => (409, "sign_in", "refused"),
        Kind::SessionTooLarge(_) => (500, "sign_in", "failure"),
        Kind::Internal(_) => (500, "request", "failure"),
        Kind::GlobusRefused(_) | Kind::ResponseRefused(_) => (502, "sign_in", "failure"),
        Kind::ServiceResponseRefused(_) => (502, "request", "failure"),
        Kind::GlobusUnavailable(_) => (503, "sign_in", "failure"),
        Kind::RenewalBusy | Kind::RulesDiffer => (503, "renewal", "failure"),
        Kind::StoreUnavailable(_) | Kind::ServiceUnavailable(_) | Kind::Config(_) => (503, "request", "failure"),
    }
}

#[test]
fn each_kind_has_its_status_and_its_words_in_the_log() {
    for kind in every_kind() {
        let row = kind.row();
        let found = (row.status.as_u16(), row.event.as_str(), row.outcome().as_str());
        assert_eq!(found, expected(&kind), "{kind:?}");
    }
}

#[test]
fn each_kind_says_what_happened_and_what_to_do() {
    for kind in every_kind() {
        let row = kind.row();
        assert!(!row.title.ends_with('.') && row.text.ends_with('.'), "{kind:?}");
    }
}

/// What a visitor reports is the heading of a page.
#[test]
fn the_manual_has_a_row_for_each_page_of_an_error() {
    let manual = include_str!("../../../docs/operations.md");
    let section = manual.split("\n## Pages of an error\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let rows: Vec<Vec<_>> = section.lines().map(|row| row.split('|').map(str::trim).collect()).collect();
    let rows = rows.iter().filter(|cells| cells.len() == 5 && cells[1].starts_with('*') && !cells[3].is_empty());
    let title = |cells: &[&'static str]| cells[1].split('*').nth(1).unwrap();
    let described: BTreeSet<(_, u16)> =
        rows.flat_map(|cells| cells[2].split(" or ").map(|status| (title(cells), status.parse().unwrap()))).collect();
    let shown = every_kind().into_iter().map(|kind| (kind.row().title, expected(&kind).0));

    assert_eq!(described, shown.collect());
}

#[test]
fn each_kind_has_its_own_reason_or_holds_one() {
    let reasons: Vec<_> = every_kind().iter().map(|kind| kind.row().reason).collect();
    let own: Vec<_> = reasons.iter().filter(|reason| **reason != Reason::ServerError).collect();
    let different: BTreeSet<_> = own.iter().collect();

    assert_eq!((own.len(), different.len()), (18, 18));
}

#[test]
fn a_failed_renewal_is_logged_as_one_and_offers_another_try() {
    let of = |kind: Kind| {
        let error = Error::from(kind).during(Event::Renewal);
        (error.row().event.as_str(), error.link())
    };
    let try_again = || ("renewal", Some(("Try again", "/login?refresh".to_owned())));

    assert_eq!(of(Kind::RenewalBusy), try_again());
    assert_eq!(of(Kind::GlobusUnavailable(Reason::GlobusTimeout)), try_again());
    assert_eq!(of(Kind::ResponseRefused(Reason::TokenType)), try_again());
    assert_eq!(of(Kind::StoreUnavailable(Reason::StoreTimeout)), try_again());
    assert_eq!(of(Kind::SessionTooLarge(5_000)), ("renewal", None), "the next one would be as large");
}

#[test]
fn a_failed_renewal_does_not_say_that_the_user_is_not_logged_in() {
    for kind in [Kind::GlobusUnavailable, Kind::GlobusRefused, Kind::ResponseRefused] {
        let row = Error::from(kind(Reason::ServerError)).during(Event::Renewal).row();
        let said = format!("{} {}", row.title, row.text);
        assert!(!said.contains("not logged in") && !said.contains("not signed in"), "{said}");
    }
}

#[test]
fn an_error_links_to_a_new_sign_in_only_if_it_can_help() {
    let link = |error: Error| error.link().map(|(text, path)| format!("{text} {path}"));
    let of = |kind: Kind| link(kind.into());

    assert_eq!(of(Kind::UnknownAttempt(Reason::StateUnknown)).as_deref(), Some("Start again /login"));
    assert_eq!(of(Kind::GlobusUnavailable(Reason::GlobusTimeout)).as_deref(), Some("Start again /login"));
    assert_eq!(of(Kind::NotFound), None);
    assert_eq!(of(Kind::OtherUser).as_deref(), Some("Log out /logout"));
    assert_eq!(of(Kind::StoreUnavailable(Reason::StoreTimeout)).as_deref(), Some("Log out /logout"));
    let sign_in = Error::from(Kind::StoreUnavailable(Reason::StoreTimeout)).during(Event::SignIn);
    assert_eq!(link(sign_in).as_deref(), Some("Start again /login"));
    assert_eq!(of(Kind::SessionTooLarge(5_000)), None, "the next sign-in would be as large");
}

#[test]
fn the_recommended_link_of_an_error_is_the_first_one() {
    let links = |error: Error| error.links().into_iter().map(|(text, _)| text).collect::<Vec<_>>();

    assert_eq!(links(Kind::NotFound.into()), ["Home page"]);
    assert_eq!(links(Kind::Denied.into()), ["Start again", "Use another account", "Home page"]);
    assert_eq!(links(Kind::OtherUser.into()), ["Log out", "Home page"]);
    let store = || Error::from(Kind::StoreUnavailable(Reason::StoreTimeout));
    assert_eq!(links(store()), ["Home page", "Log out"], "to log out is not what helps");
    assert_eq!(links(store().during(Event::SignIn)), ["Start again", "Home page"]);
}

#[test]
fn the_texts_for_users_name_no_part_of_this_program() {
    for kind in every_kind() {
        // API clients and operators read these three.
        if matches!(kind, Kind::SignInRequired | Kind::RenewalRequired | Kind::UnknownAddress) {
            continue;
        }
        let row = kind.row();
        let said = format!("{} {}", row.title, row.text).to_lowercase();
        for word in ["dynamodb", "database", "token", "a cookie", "signed in", "sign in", "whoever"] {
            assert!(!said.contains(word), "{word} in {said}");
        }
    }
}

#[test]
fn an_error_of_a_login_says_what_the_user_can_do() {
    let said = |kind: Kind| (kind.row().title, kind.row().text);

    assert_eq!(
        said(Kind::UnknownAttempt(Reason::StateUnknown)),
        (
            "This login cannot be completed",
            "We couldn't match this login to this browser. It may be too old or already used, or cookies may be blocked."
        )
    );
    assert_eq!(said(Kind::Denied).0, "Login cancelled");
    assert_eq!(
        said(Kind::SessionTooLarge(5_000)),
        (
            "We can't log you in",
            "This site asks for more permissions than it can store. Please tell the people who run it."
        )
    );
}
