//! What a response shows of the user, and whether one that shows an error may be one.

use globus_stand_in::people::{PEOPLE, Person};

use crate::http::Response;

use super::{
    action::Action,
    call::Call,
    fault::Service,
    fleet::{Outcome, SITE},
};

/// What a browser learns from a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// The user is logged in.
    LoggedIn,
    /// The user is logged in, and the tokens are to be renewed first.
    Due,
    /// The user is logged in, and the tokens have expired while Globus did not renew them.
    Expired,
    /// No user is logged in.
    LoggedOut,
    /// One of the last two.
    Refused,
    /// A logout is to be completed.
    Late,
    /// A redirect to Globus, or back from the login, or a page about a sign-in that cannot be completed.
    OnTheWay,
    /// The logout is done, except for what the page names.
    Done {
        /// The session in the table.
        session_left: bool,
        /// The user's other sessions.
        others_left: bool,
    },
    /// Something has failed: no response, or one of 500 or more.
    Failed,
    /// None of these.
    Odd,
}

impl Sight {
    /// What this response to the action shows. An error if it shows another user.
    pub(super) fn of(action: &Action, outcome: &Outcome, call: &Call, person: &Person) -> Result<Self, String> {
        let page = match outcome {
            Outcome::Nothing(_) => return Ok(Self::Failed),
            Outcome::Verdict(verdict) => {
                one_user(&verdict.to_string(), person)?;
                let context = &verdict["context"];
                return Ok(match verdict["isAuthorized"].as_bool() {
                    Some(true) if context["sub"] == person.sub => Self::LoggedIn,
                    Some(true) if context["sub"].is_null() && context["login"].is_string() => Self::denied(call),
                    Some(false) if context.as_object().is_some_and(serde_json::Map::is_empty) => Self::denied(call),
                    _ => Self::Odd,
                });
            }
            Outcome::Page(page) => page,
        };
        one_user(&page.body, person)?;
        let location = page.header("location");
        let location = location.strip_prefix(SITE).unwrap_or(location);
        let shows = |text| page.body.contains(text);
        Ok(match (action, page.status) {
            (Action::LogOut { .. }, _) if call.not_revoked() > 0 && !shows("Globus did not revoke every token") => {
                Self::Odd
            }
            (Action::LogOut { .. }, 303) if location == "/logout" => {
                Self::Done { session_left: false, others_left: false }
            }
            (Action::LogOut { .. }, 200 | 503) if shows("You are logged out") => {
                Self::Done { session_left: page.status == 503, others_left: shows("Not every session in your other") }
            }
            (_, 500..) => Self::Failed,
            (Action::Page | Action::Who, 200) if shows(person.sub) => Self::LoggedIn,
            (Action::Page, 200) if shows("Your login has expired") => Self::Expired,
            (Action::Page, 200) if shows("Log in with Globus") => Self::LoggedOut,
            (Action::Page, 302) if location.starts_with("/login?refresh") => Self::Due,
            (Action::Page, 302) if location == "/logout" => Self::Late,
            (Action::Who | Action::RenewByScript, 401) => Self::denied(call),
            (Action::RenewByScript, 204) | (Action::Renew | Action::Callback(_), 302)
                if !location.starts_with("http") =>
            {
                Self::OnTheWay
            }
            (Action::Renew, 302) => Self::Refused,
            (Action::LoggedOut, 200) => Self::LoggedOut,
            (Action::Begin, 302) if location.starts_with("http://127.0.0.1") => Self::OnTheWay,
            // Of two tabs at once, one may have taken the other's cookie.
            (Action::Callback(_), 400) if call.logged("state_unknown") => Self::OnTheWay,
            _ => Self::Odd,
        })
    }

    /// What a refusal means, by its reason in the log.
    fn denied(call: &Call) -> Self {
        let refused = call.lines();
        match refused.iter().find(|line| line.outcome == "refused").map(|line| line.reason.as_str()) {
            Some("renewal_required") => Self::Due,
            Some("sign_in_required") => Self::Refused,
            _ => Self::Odd,
        }
    }
}

/// No other user must be shown.
fn one_user(text: &str, person: &Person) -> Result<(), String> {
    let other = PEOPLE.iter().find(|other| other.sub != person.sub && text.contains(other.sub));
    other.map_or(Ok(()), |other| Err(format!("{} is shown to {}", other.id, person.id)))
}

/// Why a failure must not be, if so: what the log says of it must be what went wrong on purpose, and the page must name
/// the part that failed.
pub(super) fn unexplained(outcome: &Outcome, call: &Call, had_trouble: bool) -> Option<String> {
    for line in call.lines().iter().filter(|line| matches!(line.outcome.as_str(), "failure" | "partial")) {
        let is_explained = match line.reason.as_str() {
            "renewal_takes_too_long" | "token_lifetime_missing" | "session_ended" => had_trouble,
            "tokens_not_revoked" | "globus_timeout" => call.has_fault(Service::Globus) || call.is_slow(),
            "store_timeout" => call.has_fault(Service::DynamoDb) || call.is_slow(),
            reason if reason.starts_with("store_") => call.has_fault(Service::DynamoDb),
            reason if reason.starts_with("globus_") => call.has_fault(Service::Globus),
            "key_set_unreadable" | "token_response_unreadable" => call.has_fault(Service::Globus),
            _ => false,
        };
        if !is_explained {
            return Some(format!("nothing went wrong that gives {} {} {}", line.event, line.outcome, line.reason));
        }
    }
    let named = |word: &str| call.lines().iter().any(|line| line.outcome == "failure" && line.reason == word);
    match outcome {
        Outcome::Nothing(_) if call.died() => {
            (!call.was_killed()).then(|| "its process has ended by itself".to_owned())
        }
        Outcome::Nothing(word) => (!named(word)).then(|| format!("the log does not have its error {word:?}")),
        Outcome::Page(page) if page.status >= 500 => not_named(page, call),
        _ => None,
    }
}

/// What is missing on the page of a failure.
fn not_named(page: &Response, call: &Call) -> Option<String> {
    const NAMES: [(&str, &str); 8] = [
        ("globus_", "Globus is not responding"),
        ("store_", "We cannot look up your session"),
        ("store_", "Our database does not respond"),
        ("renewal_takes_too_long", "Your login is being renewed"),
        ("key_set_unreadable", "We could not use the response from Globus"),
        ("token_response_unreadable", "We could not use the response from Globus"),
        ("token_lifetime_missing", "We could not use the response from Globus"),
        ("store_", r#""error":"store_"#),
    ];
    let reasons: Vec<_> = call.lines().into_iter().filter(|line| line.outcome == "failure").collect();
    let is_named = |(reason, text): &(&str, &str)| {
        let is_json = page.header("content-type").starts_with("application/json");
        reasons.iter().any(|line| {
            let shown =
                if is_json { page.body.contains(&format!("\"{}\"", line.reason)) } else { page.body.contains(text) };
            line.reason.starts_with(reason) && shown
        })
    };
    let is_named = NAMES.iter().any(is_named);
    (!is_named).then(|| format!("the page with status {} does not name what failed", page.status))
}
