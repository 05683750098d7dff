//! What a user does, and the event that API Gateway makes of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{gateway, http::Request};

use super::fleet::SITE;

/// The cookies of a browser, by name.
pub(super) type Cookies = BTreeMap<String, String>;

/// What a user or a program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Opens the home page.
    Page,
    /// A script asks who is logged in.
    Who,
    /// A program calls a route behind the authorizer `SignedIn`.
    Guarded,
    /// A user opens a page behind the authorizer `Visitor`.
    Visit,
    /// The browser was sent to the renewal.
    Renew,
    /// A script renews.
    RenewByScript,
    /// Presses the button to log in.
    Begin,
    /// Comes back from Globus to this path.
    Callback(String),
    /// Presses the button to log out, in this browser or everywhere.
    LogOut { everywhere: bool },
    /// Opens the page at the end of a logout.
    LoggedOut,
}

impl Action {
    /// The function that handles it.
    pub(super) fn function(&self) -> &'static str {
        match self {
            Self::Page | Self::Who => "home",
            Self::Guarded => "guard",
            Self::Visit => "visitor",
            Self::Renew | Self::RenewByScript | Self::Begin | Self::Callback(_) => "login",
            Self::LogOut { .. } | Self::LoggedOut => "logout",
        }
    }

    /// The event of the request, from a browser with these cookies.
    pub(super) fn event(&self, cookies: &Cookies) -> Value {
        const NAVIGATION: &[(&str, &str)] =
            &[("accept", "text/html,*/*;q=0.8"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        const SCRIPT: &[(&str, &str)] = &[("accept", "*/*"), ("sec-fetch-mode", "cors")];
        let (method, target, kind, body) = match self {
            Self::Page => ("GET", "/", NAVIGATION, ""),
            Self::Who => ("GET", "/session", SCRIPT, ""),
            Self::Guarded => ("GET", "/examples/api", SCRIPT, ""),
            Self::Visit => ("GET", "/examples/report", NAVIGATION, ""),
            Self::Renew => ("GET", "/login?refresh&next=%2F", NAVIGATION, ""),
            Self::RenewByScript => ("POST", "/login?refresh", SCRIPT, ""),
            Self::Begin => ("GET", "/login", NAVIGATION, ""),
            Self::Callback(path) => ("GET", path.as_str(), NAVIGATION, ""),
            Self::LogOut { everywhere } => {
                ("POST", "/logout", NAVIGATION, if *everywhere { "everywhere=yes" } else { "" })
            }
            Self::LoggedOut => ("GET", "/logout", NAVIGATION, ""),
        };
        let host = SITE.split_once("://").map_or("", |(_, host)| host);
        let mut headers = vec![("host", host), ("sec-fetch-site", "same-origin")];
        headers.extend(kind);
        if method == "POST" {
            headers.extend([("origin", SITE), ("content-type", "application/x-www-form-urlencoded")]);
        }
        let mut headers: Vec<_> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if !cookies.is_empty() {
            let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.push(("cookie".to_owned(), pairs.join("; ")));
        }
        let request = Request { method: method.to_owned(), target: target.to_owned(), headers, body: body.to_owned() };
        gateway::event(&request)
    }
}
