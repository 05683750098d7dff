//! What can go wrong, grouped by what the user should do next.
//!
//! A reason is a fixed word, so no token, code, or cookie can reach a log or a page through an error. Only the page for a
//! user who may not come in says whose account that is.

mod kind;

use std::fmt;

use cookie::Cookie;

use crate::{log::Event, paths, return_path::ReturnPath};

pub use kind::{Kind, Row, WayOn};

/// The result of everything that can end in an error page.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error, and the cookies that its response sets.
#[derive(Debug)]
pub struct Error {
    kind: Box<Kind>,
    during: Option<Event>,
    /// Where the user was going, if that is known: the way on leads back there.
    pub next: Option<ReturnPath>,
    /// Whether the user asked to log in with another account: the way on does so again.
    pub other_account: bool,
    /// Whether the client is known to be a program, whatever it accepts: it gets JSON.
    pub for_program: bool,
    /// The cookies that the response sets.
    pub cookies: Vec<Cookie<'static>>,
}

impl Error {
    /// Says that the client is a program, whatever it accepts: it gets JSON.
    #[must_use]
    pub fn for_program(mut self) -> Self {
        self.for_program = true;
        self
    }

    /// Adds a cookie to the response.
    #[must_use]
    pub fn with_cookie(mut self, cookie: Cookie<'static>) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// Says where the user was going: the way on leads back there.
    #[must_use]
    pub fn returning_to(mut self, next: ReturnPath) -> Self {
        self.next.get_or_insert(next);
        self
    }

    /// The links on the page, the recommended one first: text and path on this site.
    pub fn links(&self) -> Vec<(&'static str, String)> {
        let home = ("Home page", paths::HOME.to_owned());
        let other_account = self.other_account_link().map(|path| ("Use another account", path));
        let mut links: Vec<_> = self.link().into_iter().chain(other_account).collect();
        // The page may be there in a moment: the logout is for a user who has to go.
        let home_first = matches!(*self.kind, Kind::StoreUnavailable(_)) && self.row().way_on == WayOn::LogOut;
        links.insert(if home_first { 0 } else { links.len() }, home);
        links
    }

    /// The link beside the home page: its text and its path on this site.
    pub fn link(&self) -> Option<(&'static str, String)> {
        match self.row().way_on {
            WayOn::Home => None,
            WayOn::StartAgain if self.other_account => Some(("Start again", self.leading_on(paths::OTHER_ACCOUNT))),
            WayOn::StartAgain => Some(("Start again", self.leading_on(paths::LOGIN))),
            WayOn::RenewAgain => Some(("Try again", self.leading_on(paths::RENEW))),
            WayOn::LogOut => Some(("Log out", paths::LOGOUT.to_owned())),
        }
    }

    /// The path to a login with another account, if that may help and is not the way on.
    fn other_account_link(&self) -> Option<String> {
        // A rule of Globus or of the site may be why access was denied: it may allow another account.
        let helps = *self.kind == Kind::Denied && !self.other_account;
        helps.then(|| self.leading_on(paths::OTHER_ACCOUNT))
    }

    /// The path of a page that leads on to where the user was going.
    pub(crate) fn leading_on(&self, path: &str) -> String {
        match &self.next {
            Some(next) if *next != ReturnPath::home() => next.as_next_of(path),
            _ => path.to_owned(),
        }
    }

    /// Says during which event the error happened, if that is not the usual one of its kind.
    #[must_use]
    pub fn during(mut self, event: Event) -> Self {
        self.during = Some(event).filter(|event| *event != self.kind.row().event);
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// What follows from it. The way on is to try again what failed, if that can help.
    pub fn row(&self) -> Row {
        let row = self.kind.row();
        let way_on = match self.during {
            _ if row.way_on == WayOn::Home => WayOn::Home,
            Some(Event::SignIn) => WayOn::StartAgain,
            Some(Event::Renewal) => WayOn::RenewAgain,
            _ => row.way_on,
        };
        Row { event: self.during.unwrap_or(row.event), way_on, ..row }
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self {
            kind: Box::new(kind),
            during: None,
            next: None,
            other_account: false,
            for_program: false,
            cookies: Vec::new(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().reason.as_str())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
