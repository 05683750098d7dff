//! What can go wrong, by what the person in front of it should do next.
//!
//! No variant holds anything that came with a request or from Globus: a reason is a fixed word, so no token, code or
//! cookie can reach a log or a page through an error.

use std::{borrow::Cow, fmt};

use cookie::Cookie;
use lambda_http::http::StatusCode;

use crate::config::ConfigError;

/// The result of everything that can end in an error page.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, and the cookies its answer sets.
#[derive(Debug)]
pub struct Error {
    kind: Box<Kind>,
    event: Option<&'static str>,
    cookies: Vec<Cookie<'static>>,
}

/// Each kind is another answer to the person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The request itself makes no sense; the reason says where.
    BadRequest(&'static str),
    /// No page of this site.
    NotFound,
    /// A method the page does not have; holds what `Allow` answers.
    MethodNotAllowed(&'static str),
    /// A page loaded ahead of time, or for an image or a frame, wanted to begin a sign-in.
    NotNavigation,
    /// Only for who is signed in. A person is sent to sign in and comes back; a program is told.
    SignInRequired,
    /// Only with tokens that are good, and these are about to end. A person is sent to have them renewed and comes back;
    /// a program is told.
    RenewalRequired,
    /// A form that was not sent from a page of ours.
    CrossSite,
    /// A sign-in came back that this browser has not begun, or not lately, or has already finished.
    UnknownAttempt(&'static str),
    /// The person pressed "deny" at Globus.
    Denied,
    /// Globus sent the person back with an error of its own.
    GlobusRefused(&'static str),
    /// Globus does not take the authorization code (any more).
    CodeRefused,
    /// Globus answered with something that cannot be accepted, such as an ID token for somebody else.
    AnswerRefused(&'static str),
    /// Globus cannot be reached, takes too long, or answers with an error of its own making.
    GlobusUnavailable(&'static str),
    /// The table of sessions cannot be reached, takes too long, or refuses.
    StoreUnavailable(&'static str),
    /// A service that the page is made of cannot be reached; the reason says which.
    ServiceUnavailable(&'static str),
    /// The person's tokens do not fit into a cookie.
    SessionTooLarge,
    /// The API was called by a name that is not its own, and no `BASE_URL` says which one is.
    UnknownAddress,
    /// The function's configuration has problems.
    Config(ConfigError),
    /// A defect of this program.
    Internal(&'static str),
}

impl Error {
    /// Adds a cookie to the answer.
    #[must_use]
    pub fn with_cookie(mut self, cookie: Cookie<'static>) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// The cookies the answer sets.
    pub fn cookies(&self) -> &[Cookie<'static>] {
        &self.cookies
    }

    /// Says what it happened in the course of, where that is not what is usual for its kind.
    #[must_use]
    pub fn during(mut self, event: &'static str) -> Self {
        self.event = Some(event);
        self
    }

    /// What it happened in the course of, as the log names it: `sign_in`, `renewal`, or any other `request`.
    pub fn event(&self) -> &'static str {
        let usual = if self.ends_a_sign_in() { "sign_in" } else { "request" };
        self.event.unwrap_or(usual)
    }

    /// What came of it, as the log names it: `refused` where that was right, `failure` where something is wrong with
    /// this site, its table, or Globus.
    pub fn outcome(&self) -> &'static str {
        if self.status().is_server_error() { "failure" } else { "refused" }
    }

    /// What went wrong.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The word the log and a JSON answer name it by.
    pub fn reason(&self) -> &'static str {
        match *self.kind {
            Kind::BadRequest(reason)
            | Kind::UnknownAttempt(reason)
            | Kind::GlobusRefused(reason)
            | Kind::AnswerRefused(reason)
            | Kind::GlobusUnavailable(reason)
            | Kind::StoreUnavailable(reason)
            | Kind::ServiceUnavailable(reason)
            | Kind::Internal(reason) => reason,
            Kind::NotFound => "not_found",
            Kind::MethodNotAllowed(_) => "method_not_allowed",
            Kind::NotNavigation => "not_a_navigation",
            Kind::SignInRequired => "sign_in_required",
            Kind::RenewalRequired => "renewal_required",
            Kind::CrossSite => "cross_site",
            Kind::Denied => "access_denied",
            Kind::CodeRefused => "code_refused",
            Kind::SessionTooLarge => "session_too_large",
            Kind::UnknownAddress => "unknown_address",
            Kind::Config(_) => "configuration",
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match *self.kind {
            Kind::BadRequest(_) | Kind::UnknownAttempt(_) | Kind::CodeRefused | Kind::UnknownAddress => {
                StatusCode::BAD_REQUEST
            }
            Kind::NotNavigation | Kind::CrossSite | Kind::Denied => StatusCode::FORBIDDEN,
            Kind::SignInRequired | Kind::RenewalRequired => StatusCode::UNAUTHORIZED,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Kind::GlobusRefused(_) | Kind::AnswerRefused(_) => StatusCode::BAD_GATEWAY,
            Kind::GlobusUnavailable(_) | Kind::StoreUnavailable(_) | Kind::ServiceUnavailable(_) | Kind::Config(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Kind::SessionTooLarge | Kind::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the page says: a heading, and what happened and what to do in plain words.
    pub fn message(&self) -> (&'static str, &'static str) {
        match *self.kind {
            Kind::BadRequest(_) => {
                ("We could not read that request", "The address or the form was not complete. Go back and try again.")
            }
            Kind::NotFound => ("Page not found", "There is no page at this address."),
            Kind::MethodNotAllowed(_) => ("That is not possible here", "This page cannot be used in that way."),
            Kind::NotNavigation => (
                "Open this page yourself",
                "Signing in begins only when you open the page, not when a browser loads it ahead of time.",
            ),
            Kind::SignInRequired => ("Please log in", "Open /login in a browser to sign in."),
            Kind::RenewalRequired => ("Your sign-in is about to end", "Open /login?refresh in a browser to renew it."),
            Kind::CrossSite => (
                "That request did not come from this site",
                "For your safety, logging out works only with the button on our own page.",
            ),
            Kind::UnknownAttempt(_) => (
                "This sign-in cannot be finished",
                "It was begun in another browser, too long ago, or is already finished. Nothing is lost: start again.",
            ),
            Kind::Denied => (
                "You did not sign in",
                "Globus says that you declined to give this site access. You can try again whenever you like.",
            ),
            Kind::GlobusRefused(_) => (
                "Globus could not sign you in",
                "Globus ended the sign-in with an error. Start again; if it happens every time, tell whoever runs this site.",
            ),
            Kind::CodeRefused => (
                "This sign-in cannot be finished",
                "Globus no longer accepts it, which happens when a page is loaded twice or after a long wait. Start again.",
            ),
            Kind::AnswerRefused(_) => (
                "You are not signed in",
                "The answer from Globus did not pass our checks, so we did not use it. Start again; if it happens every time, tell whoever runs this site.",
            ),
            Kind::GlobusUnavailable(_) => {
                ("Globus is not answering", "You are not signed in yet. Wait a moment, then start again.")
            }
            Kind::StoreUnavailable(_) => (
                "We cannot look up sessions at the moment",
                "The table that has them does not answer. Nothing is lost and nobody was logged out: wait a moment, then try again.",
            ),
            Kind::ServiceUnavailable(_) => (
                "A service is not answering",
                "This page needs another service, which does not answer. Wait a moment, then load the page again.",
            ),
            Kind::SessionTooLarge => (
                "Your sign-in is too large for a cookie",
                "Globus gave you more tokens than a browser can keep. Whoever runs this site can turn on DynamoDB storage, which has room for them.",
            ),
            Kind::UnknownAddress => (
                "This is not the address of this site",
                "Use the address you were given. If this is it, whoever runs this site must set BASE_URL to it.",
            ),
            Kind::Config(_) => (
                "This site is not ready yet",
                "Its configuration is incomplete. Whoever runs it finds the details in the log.",
            ),
            Kind::Internal(_) => ("Something went wrong", "The error is ours, not yours. Try again in a moment."),
        }
    }

    /// Whether "start again" is the way on; elsewhere it is the home page.
    pub fn can_start_again(&self) -> bool {
        match *self.kind {
            Kind::NotNavigation | Kind::SignInRequired | Kind::RenewalRequired => true,
            // The next sign-in would be as large.
            Kind::SessionTooLarge => false,
            _ => self.ends_a_sign_in(),
        }
    }

    /// Whether somebody was about to be signed in.
    fn ends_a_sign_in(&self) -> bool {
        matches!(
            *self.kind,
            Kind::UnknownAttempt(_)
                | Kind::Denied
                | Kind::GlobusRefused(_)
                | Kind::CodeRefused
                | Kind::AnswerRefused(_)
                | Kind::GlobusUnavailable(_)
                | Kind::SessionTooLarge
        )
    }

    /// What only the log says, beside the reason.
    pub(crate) fn detail(&self) -> Cow<'static, str> {
        match &*self.kind {
            Kind::Config(problems) => problems.to_string().into(),
            _ => "".into(),
        }
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self { kind: Box::new(kind), event: None, cookies: Vec::new() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One of each kind, with the status of its answer.
    fn every_kind() -> Vec<(Kind, u16)> {
        let problems = crate::config::from_lookup(|_| None, crate::config::Config::read).unwrap_err();
        vec![
            (Kind::BadRequest("reason"), 400),
            (Kind::UnknownAttempt("reason"), 400),
            (Kind::CodeRefused, 400),
            (Kind::UnknownAddress, 400),
            (Kind::SignInRequired, 401),
            (Kind::RenewalRequired, 401),
            (Kind::NotNavigation, 403),
            (Kind::CrossSite, 403),
            (Kind::Denied, 403),
            (Kind::NotFound, 404),
            (Kind::MethodNotAllowed("GET"), 405),
            (Kind::SessionTooLarge, 500),
            (Kind::Internal("reason"), 500),
            (Kind::GlobusRefused("reason"), 502),
            (Kind::AnswerRefused("reason"), 502),
            (Kind::GlobusUnavailable("reason"), 503),
            (Kind::StoreUnavailable("reason"), 503),
            (Kind::ServiceUnavailable("reason"), 503),
            (Kind::Config(problems), 503),
        ]
    }

    #[test]
    fn each_kind_has_its_status() {
        for (kind, status) in every_kind() {
            assert_eq!(Error::from(kind.clone()).status(), status, "{kind:?}");
        }
    }

    #[test]
    fn each_kind_says_what_happened_and_what_to_do() {
        for (kind, _) in every_kind() {
            let (title, text) = Error::from(kind.clone()).message();
            assert!(!title.ends_with('.') && text.ends_with('.'), "{kind:?}");
        }
    }

    #[test]
    fn each_kind_has_a_reason_of_its_own_or_brings_one() {
        let reasons: Vec<_> = every_kind()
            .into_iter()
            .map(|(kind, _)| Error::from(kind).reason())
            .filter(|reason| *reason != "reason")
            .collect();
        let different: BTreeSet<_> = reasons.iter().collect();

        assert_eq!((reasons.len(), different.len()), (11, 11));
    }

    #[test]
    fn the_log_tells_what_is_wrong_with_the_site_from_what_was_rightly_refused() {
        let of = |kind: Kind| (Error::from(kind.clone()).event(), Error::from(kind).outcome());

        assert_eq!(of(Kind::GlobusUnavailable("reason")), ("sign_in", "failure"));
        assert_eq!(of(Kind::UnknownAttempt("reason")), ("sign_in", "refused"));
        assert_eq!(of(Kind::StoreUnavailable("reason")), ("request", "failure"));
        assert_eq!(of(Kind::NotFound), ("request", "refused"));
        let renewal = Error::from(Kind::GlobusUnavailable("reason")).during("renewal");
        assert_eq!((renewal.event(), renewal.outcome()), ("renewal", "failure"));
    }

    #[test]
    fn a_configuration_error_tells_the_log_the_variables_and_the_visitor_nothing_of_them() {
        let problems = crate::config::from_lookup(|_| None, crate::config::Config::read).unwrap_err();
        let error = Error::from(Kind::Config(problems));

        assert!(error.detail().contains("SESSION_KEYS"));
        assert!(!format!("{:?}", error.message()).contains("SESSION_KEYS"));
    }
}
