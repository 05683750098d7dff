//! The kinds of error, with what follows from each.

use std::borrow::Cow;

use lambda_http::http::StatusCode;

use crate::{
    config::ConfigError,
    log::{Event, Outcome, Reason},
    paths,
    rules::Denial,
};

/// The kinds of error. Each has a row in [`Kind::row`]: its status, its words in the log, and its page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The request is malformed.
    BadRequest(Reason),
    /// There is no such page.
    NotFound,
    /// The page does not have this method; holds the value of `Allow`.
    MethodNotAllowed(&'static str),
    /// A prefetch, an image, or a frame asked for the login page.
    NotNavigation,
    /// Only for signed-in users. A browser is sent to log in and back; an API client gets a 401.
    SignInRequired,
    /// A token expires soon. A browser is sent to renew it and back; an API client gets a 401.
    RenewalRequired,
    /// The access rules of this function, which have this version, are to be checked. A browser is sent to the check and
    /// back; an API client gets a 401.
    CheckRequired(String),
    /// The access rules are others than those of the function that sent the browser here: the functions are being updated.
    RulesDiffer,
    /// The access rules do not let the user in.
    NotAdmitted(Box<Denial>),
    /// A form was sent from another site.
    CrossSite,
    /// This browser has not begun this sign-in, or too long ago, or has already completed it.
    UnknownAttempt(Reason),
    /// The browser has sent no login cookie at all.
    NoLoginCookie,
    /// The user did not allow access at Globus.
    Denied,
    /// Another user is signed in here: a sign-in does not replace their session without their act.
    OtherUser,
    /// The callback reports an error. It comes in the address bar, so it proves nothing: anyone can write there.
    GlobusReported(Reason),
    /// Globus refused a token request.
    GlobusRefused(Reason),
    /// Globus does not accept the authorization code or the refresh token.
    CodeRefused,
    /// A response of Globus cannot be accepted, such as an ID token for another user.
    ResponseRefused(Reason),
    /// Globus cannot be reached, takes too long, or reports an error of its own.
    GlobusUnavailable(Reason),
    /// Another request has been renewing this session for some seconds, or has died while it did.
    RenewalBusy,
    /// DynamoDB cannot be reached, takes too long, or refuses.
    StoreUnavailable(Reason),
    /// Another service that a page needs cannot be reached, takes too long, or reports an error of its own.
    ServiceUnavailable(Reason),
    /// A response of another service that a page needs cannot be used.
    ServiceResponseRefused(Reason),
    /// Another service does not let the user do what a page is for; holds the text that says which permission it needs.
    PermissionMissing(Reason, &'static str),
    /// The tokens do not fit into a cookie, which would have this size in bytes.
    SessionTooLarge(usize),
    /// The request came by a host name that is not the API's own, and `BASE_URL` is not set.
    UnknownAddress,
    /// The request has gone round the proxy in front of the site.
    OriginSecretMissing,
    /// The function's settings have problems.
    Config(ConfigError),
    /// A defect of this program.
    Internal(Reason),
}

/// The link that an error page offers beside the home page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOn {
    /// None: the home page is the way on.
    Home,
    /// A new sign-in.
    StartAgain,
    /// Another try to renew the tokens.
    RenewAgain,
    /// The logout page.
    LogOut,
}

/// What follows from an error: for the response, the log, and the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The status of the response.
    pub status: StatusCode,
    /// The reason in the log and in a JSON response.
    pub reason: Reason,
    /// The event in the log.
    pub event: Event,
    /// The link on the page.
    pub way_on: WayOn,
    /// The heading of the page.
    pub title: &'static str,
    /// What happened and what to do.
    pub text: &'static str,
}

impl Row {
    /// `failure` if something is wrong with this site, DynamoDB, or Globus; `refused` if the refusal is right.
    pub fn outcome(&self) -> Outcome {
        if self.status.is_server_error() { Outcome::Failure } else { Outcome::Refused }
    }
}

impl Kind {
    /// Everything that depends on the kind, one row for each.
    #[expect(clippy::too_many_lines, reason = "a table, with one row for each kind")]
    pub fn row(&self) -> Row {
        use Event::{Renewal, Request, SignIn};
        use WayOn::{Home, LogOut, RenewAgain, StartAgain};

        let row = |(status, reason, event, way_on), title, text| Row { status, reason, event, way_on, title, text };
        match *self {
            Self::BadRequest(reason) => row(
                (StatusCode::BAD_REQUEST, reason, Request, Home),
                "We could not read that request",
                "The address or the form was not complete. Go back and try again.",
            ),
            Self::NotFound => row(
                (StatusCode::NOT_FOUND, Reason::NotFound, Request, Home),
                "Page not found",
                "There is no page at this address.",
            ),
            Self::MethodNotAllowed(_) => row(
                (StatusCode::METHOD_NOT_ALLOWED, Reason::MethodNotAllowed, Request, Home),
                "That is not possible here",
                "This page cannot be used in that way.",
            ),
            Self::NotNavigation => row(
                (StatusCode::FORBIDDEN, Reason::NotANavigation, Request, StartAgain),
                "Open this page yourself",
                "A login starts only when you open this page, not when a browser loads it ahead of time.",
            ),
            Self::SignInRequired => row(
                (StatusCode::UNAUTHORIZED, Reason::SignInRequired, Request, StartAgain),
                "Please log in",
                "Open /login in a browser to log in.",
            ),
            Self::RenewalRequired => row(
                (StatusCode::UNAUTHORIZED, Reason::RenewalRequired, Request, StartAgain),
                "Your login expires soon",
                "Open /login?refresh in a browser to renew it.",
            ),
            Self::CheckRequired(_) => row(
                (StatusCode::UNAUTHORIZED, Reason::RulesNotChecked, Request, StartAgain),
                "Please log in again",
                "Who may come in is checked from time to time. Open /login?refresh in a browser to be checked.",
            ),
            Self::RulesDiffer => row(
                (StatusCode::SERVICE_UNAVAILABLE, Reason::RulesDiffer, Event::Renewal, RenewAgain),
                "This site is being updated",
                "Who may come in is changing at this moment. Nothing is lost. Wait a minute, then try again.",
            ),
            Self::NotAdmitted(ref denial) => row(
                (StatusCode::FORBIDDEN, denial.reason, SignIn, Home),
                "This account has no access",
                "Your login at Globus worked, but the rules of this site do not give this account access.",
            ),
            Self::CrossSite => row(
                (StatusCode::FORBIDDEN, Reason::CrossSite, Request, Home),
                "That request did not come from this site",
                "For your safety, only a page of this site can send it. Open that page, and try again.",
            ),
            Self::UnknownAttempt(reason) => row(
                (StatusCode::BAD_REQUEST, reason, SignIn, StartAgain),
                "This login cannot be completed",
                "We couldn't match this login to this browser. It may be too old or already used, or cookies may be \
                 blocked.",
            ),
            Self::NoLoginCookie => row(
                (StatusCode::BAD_REQUEST, Reason::NoLoginCookie, SignIn, StartAgain),
                "This site needs cookies",
                "Your browser sent none of the cookies that this login began with. Allow cookies for this site, then start \
                 again. If you came here by an old link, just start again.",
            ),
            Self::Denied => row(
                (StatusCode::FORBIDDEN, Reason::AccessDenied, SignIn, StartAgain),
                "Login cancelled",
                "Globus reports that access was not allowed. You can try again at any time.",
            ),
            Self::OtherUser => row(
                (StatusCode::CONFLICT, Reason::OtherUser, SignIn, LogOut),
                "Another user is logged in here",
                "At Globus you are logged in as a different user than here, so nothing was changed. To go on as that \
                 user, log out here first, and then log in again.",
            ),
            Self::GlobusReported(reason) => row(
                (StatusCode::BAD_REQUEST, reason, SignIn, StartAgain),
                "Globus reported an error",
                "Wait a moment, then start again. If it happens every time, please tell the people who run this site.",
            ),
            Self::GlobusRefused(reason) => row(
                (StatusCode::BAD_GATEWAY, reason, SignIn, StartAgain),
                "Globus reported an error",
                "Start again. If it happens every time, please tell the people who run this site.",
            ),
            Self::CodeRefused => row(
                (StatusCode::BAD_REQUEST, Reason::CodeRefused, SignIn, StartAgain),
                "This login cannot be completed",
                "Globus no longer accepts it. This happens when a page is loaded twice or after a long \
                 wait. Start again.",
            ),
            Self::ResponseRefused(reason) => row(
                (StatusCode::BAD_GATEWAY, reason, SignIn, StartAgain),
                "We could not use the response from Globus",
                "It did not pass our checks. Start again. If it happens every time, please tell the \
                 people who run this site.",
            ),
            Self::GlobusUnavailable(reason) => row(
                (StatusCode::SERVICE_UNAVAILABLE, reason, SignIn, StartAgain),
                "Globus is not responding",
                "Wait a moment, then try again.",
            ),
            Self::RenewalBusy => row(
                (StatusCode::SERVICE_UNAVAILABLE, Reason::RenewalTakesTooLong, Renewal, RenewAgain),
                "Your login is being renewed",
                "Another tab is doing it, and is not ready yet. Nothing is lost. Wait a moment, then try again.",
            ),
            Self::StoreUnavailable(reason) => row(
                (StatusCode::SERVICE_UNAVAILABLE, reason, Request, LogOut),
                "We cannot look up your session at the moment",
                "Nothing is lost, and you are not logged out. Wait a moment, then try again.",
            ),
            Self::ServiceUnavailable(reason) => row(
                (StatusCode::SERVICE_UNAVAILABLE, reason, Request, Home),
                "A service is not responding",
                "This page needs another service, which does not respond. Wait a moment, then load the \
                 page again.",
            ),
            Self::ServiceResponseRefused(reason) => row(
                (StatusCode::BAD_GATEWAY, reason, Request, Home),
                "We could not use the response of a service",
                "This page needs another service, whose response is not as expected. If it happens every time, please \
                 tell the people who run this site.",
            ),
            Self::PermissionMissing(reason, text) => {
                row((StatusCode::FORBIDDEN, reason, Request, StartAgain), "A permission is missing", text)
            }
            Self::SessionTooLarge(_) => row(
                (StatusCode::INTERNAL_SERVER_ERROR, Reason::SessionTooLarge, SignIn, Home),
                "We can't log you in",
                "This site asks for more permissions than it can store. Please tell the people who run it.",
            ),
            Self::UnknownAddress => row(
                (StatusCode::BAD_REQUEST, Reason::UnknownAddress, Request, Home),
                "This is not the address of this site",
                "Use the address that you were given. If this is it, the people who run this site must \
                 set BASE_URL to it.",
            ),
            Self::OriginSecretMissing => row(
                (StatusCode::FORBIDDEN, Reason::OriginSecretMissing, Request, Home),
                "This is not the address of this site",
                "Use the address that you were given. If this is it, please tell the people who run this site.",
            ),
            Self::Config(_) => row(
                (StatusCode::SERVICE_UNAVAILABLE, Reason::Configuration, Request, Home),
                "This site is not ready yet",
                "Its configuration is not complete. The people who run it find the details in the log.",
            ),
            Self::Internal(reason) => row(
                (StatusCode::INTERNAL_SERVER_ERROR, reason, Request, Home),
                "Something went wrong",
                "The error is ours, not yours. Try again in a moment.",
            ),
        }
    }

    /// The path that gives the user what is missing, if a login or a renewal does. Only a login helps against what no
    /// renewal gives, such as a token for a scope that is configured only since.
    pub fn remedy(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::SignInRequired => Some(paths::LOGIN.into()),
            Self::RenewalRequired => Some(paths::RENEW.into()),
            // With the version, a login function that has other rules does not send the browser back and round in a circle.
            Self::CheckRequired(rules) => Some(format!("{}&{}={rules}", paths::RENEW, paths::RULES).into()),
            _ => None,
        }
    }
}
