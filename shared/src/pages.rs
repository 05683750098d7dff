//! The pages: one template and one typed context for each.
//!
//! Templates end in `.html`, so every value in them is escaped. A value that is missing in the context is an error.

use std::{sync::LazyLock, time::Duration};

use lambda_http::Request;
use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

use crate::{
    Kind, Result, Secret, Timestamp,
    config::SiteName,
    log::Reason,
    paths,
    rules::Denial,
    session::{DisplayText, GLOBUS_AUTH, Session, Token},
};

/// The style sheet, as short as `build.rs` can make it: it is in every page.
const STYLE: &str = include_str!(concat!(env!("OUT_DIR"), "/style.css"));

/// The script on every page that shows the user.
const PERSONAL: &str = include_str!("templates/personal.js");

/// The script on every error page.
const MESSAGE: &str = include_str!("templates/message.js");

const SOURCES: [(&str, &str); 8] = [
    ("base.html", include_str!("templates/base.html")),
    ("log_out.html", include_str!("templates/log_out.html")),
    ("logged_out.html", include_str!("templates/logged_out.html")),
    ("message.html", include_str!("templates/message.html")),
    ("set_up.html", include_str!("templates/set_up.html")),
    ("signed_in.html", include_str!("templates/signed_in.html")),
    ("signed_out.html", include_str!("templates/signed_out.html")),
    ("user.html", include_str!("templates/user.html")),
];

/// The templates that one function alone shows. Only that function compiles them: they cost the others no time.
const OF_ONE_FUNCTION: [(&str, &str); 2] = [
    ("not_admitted.html", include_str!("templates/not_admitted.html")),
    ("tasks.html", include_str!("templates/tasks.html")),
];

/// The templates, compiled once.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let globals = [
        ("style", STYLE),
        ("personal", PERSONAL),
        ("message", MESSAGE),
        ("login", paths::LOGIN),
        ("logout", paths::LOGOUT),
        ("other_account", paths::OTHER_ACCOUNT),
    ];
    for (name, text) in globals {
        templates.add_global(name, minijinja::Value::from_safe_string(text.to_owned()));
    }
    with(templates, &SOURCES)
});

/// The same and those of one function, compiled when one of them is first shown.
static ALL_TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| with(TEMPLATES.clone(), &OF_ONE_FUNCTION));

fn with(mut templates: Environment<'static>, sources: &[(&'static str, &'static str)]) -> Environment<'static> {
    for (name, source) in sources {
        // A test fails if a template does not compile. Here it would be reported as missing when it is rendered.
        drop(templates.add_template(name, source));
    }
    templates
}

/// A page and the values that it shows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Page<'a> {
    /// Home, for a visitor who is not signed in.
    SignedOut {
        /// Whether a session has expired.
        expired: bool,
    },
    /// Home, for a signed-in user.
    SignedIn {
        /// The name in the greeting.
        display_name: &'a str,
        /// Where the user logged in, if Globus named it.
        provider: Option<&'a str>,
        /// The lines of the identity: label and, if Globus gave one, value.
        identity: [(&'static str, Option<&'a str>); 5],
        /// The tokens.
        tokens: Vec<TokenView<'a>>,
        /// Whether sessions in other browsers can be ended.
        can_end_everywhere: bool,
    },
    /// Asks whether to log out.
    LogOut {
        /// The name of the user, unless the session cannot be read.
        display_name: Option<&'a str>,
        /// Whether the session has expired: the user is no longer logged in, but the tokens can be revoked.
        expired: bool,
        /// Whether sessions in other browsers can be ended.
        can_end_everywhere: bool,
    },
    /// After a logout.
    LoggedOut {
        /// The address of Globus's own logout page.
        globus_logout: String,
        /// The address of Globus's page where a user withdraws this app's access.
        globus_consents: String,
        /// What the logout could not do.
        left: Left,
    },
    /// For the operator of a new deployment: the steps that remain.
    SetUp {
        /// The redirect URL to register at Globus, if it is known.
        redirect_url: Option<String>,
    },
    /// The user's recent tasks at Globus Transfer.
    Tasks {
        /// The name of the user.
        display_name: &'a str,
        /// The tasks, the newest first.
        list: Vec<TaskView>,
    },
    /// For a user whom the access rules do not let in.
    NotAdmitted {
        /// The heading.
        title: &'a str,
        /// Why.
        #[serde(flatten)]
        denial: &'a Denial,
        /// The path to a login with another account.
        use_another: String,
    },
    /// An error: what happened, and what to do.
    Message {
        /// The heading.
        title: &'a str,
        /// What happened and what to do.
        text: &'a str,
        /// Text and path of each link, the recommended one first.
        links: Vec<(&'a str, String)>,
    },
}

/// What a logout has left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The session in the table, and its tokens.
    pub session: bool,
    /// Sessions in other browsers that were to be ended.
    pub others: bool,
    /// Tokens that Globus did not revoke.
    pub tokens: bool,
}

/// The tokens of one service, as the home page shows them.
#[derive(Debug, Serialize)]
pub struct TokenView<'a> {
    service: &'a str,
    scopes: Vec<&'a str>,
    expired: bool,
    time_left: String,
    has_refresh_token: bool,
    /// Only if `SHOW_TOKENS` is on.
    access_token: Option<&'a str>,
    /// Only if `SHOW_TOKENS` is on.
    refresh_token: Option<&'a str>,
}

/// A task of Globus Transfer. What Globus does not give is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskView {
    /// The label that the user has given it.
    pub label: Option<DisplayText>,
    /// How it stands.
    pub status: Option<DisplayText>,
    /// Whether it needs the user's attention.
    pub in_trouble: bool,
    /// The lines below: name and, if Globus gave one, value.
    pub lines: Vec<(&'static str, Option<DisplayText>)>,
}

impl<'a> Page<'a> {
    /// Home, for `session`.
    pub fn signed_in(session: &'a Session, show_tokens: bool, can_end_everywhere: bool, now: Timestamp) -> Self {
        Self::SignedIn {
            display_name: session.identity.display_name(),
            provider: shown(session.identity.provider.as_ref()),
            identity: [
                ("Name", shown(session.identity.name.as_ref())),
                ("Username", shown(session.identity.username.as_ref())),
                ("Email", shown(session.identity.email.as_ref())),
                ("UUID", Some(&session.identity.sub)),
                ("Organization", shown(session.identity.organization.as_ref())),
            ],
            tokens: session.tokens.iter().map(|token| TokenView::new(token, show_tokens, now)).collect(),
            can_end_everywhere,
        }
    }

    fn template(&self) -> &'static str {
        match self {
            Self::SignedOut { .. } => "signed_out.html",
            Self::SignedIn { .. } => "signed_in.html",
            Self::LogOut { .. } => "log_out.html",
            Self::LoggedOut { .. } => "logged_out.html",
            Self::SetUp { .. } => "set_up.html",
            Self::Tasks { .. } => "tasks.html",
            Self::NotAdmitted { .. } => "not_admitted.html",
            Self::Message { .. } => "message.html",
        }
    }
}

fn shown(text: Option<&DisplayText>) -> Option<&str> {
    text.map(DisplayText::for_display)
}

impl<'a> TokenView<'a> {
    fn new(token: &'a Token, show: bool, now: Timestamp) -> Self {
        let left = token.time_left(now);
        Self {
            service: service_name(&token.resource_server),
            scopes: token.scope.split_whitespace().collect(),
            expired: left.is_zero(),
            time_left: time_left(left),
            has_refresh_token: token.refresh_token.is_some(),
            access_token: show.then_some(token.access_token.expose()),
            refresh_token: token.refresh_token.as_ref().map(Secret::expose).filter(|_| show),
        }
    }
}

/// The name of a resource server. The identifiers are those of Globus's own SDK; other services go by their identifier.
fn service_name(resource_server: &str) -> &str {
    match resource_server {
        GLOBUS_AUTH => "Globus Auth",
        "transfer.api.globus.org" => "Globus Transfer",
        "groups.api.globus.org" => "Globus Groups",
        "search.api.globus.org" => "Globus Search",
        "flows.globus.org" => "Globus Flows",
        "524230d7-ea86-4a52-8312-86065a9e0417" => "Globus Timers",
        "funcx_service" => "Globus Compute",
        other => other,
    }
}

fn time_left(left: Duration) -> String {
    let minutes = left.as_secs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, 0) if left.is_zero() => "ended".to_owned(),
        (0, 0) => "less than a minute left".to_owned(),
        (0, minutes) => format!("{minutes} min left"),
        (hours, minutes) => format!("{hours} h {minutes} min left"),
    }
}

/// Compiles the templates at start, so that no visitor waits for it.
pub(crate) fn compile() {
    LazyLock::force(&TEMPLATES);
}

/// What all pages of one response show; an extension of [`Request`].
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The name of the site.
    pub site_name: SiteName,
    /// The id that Lambda gave to the request. Error pages show it, so that the line in the log is found.
    pub request_id: String,
}

impl Frame {
    /// The frame of the pages that respond to `request`.
    pub fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// The id of the request, if it is known.
    pub fn reference(&self) -> Option<&str> {
        Some(self.request_id.as_str()).filter(|id| !id.is_empty())
    }
}

/// The context of a template: the page, its frame, and the base path for its links.
#[derive(Serialize)]
struct Placed<'a> {
    base: &'a str,
    site_name: &'a str,
    reference: Option<&'a str>,
    #[serde(flatten)]
    page: &'a Page<'a>,
}

/// The page as HTML. `base` is the base path of the site, empty at the top of an origin.
pub fn render(page: &Page<'_>, base: &str, frame: &Frame) -> Result<String> {
    let name = page.template();
    let template = TEMPLATES.get_template(name).or_else(|_| ALL_TEMPLATES.get_template(name));
    let placed = Placed { base, site_name: frame.site_name.as_str(), reference: frame.reference(), page };
    // The error is replaced, since its text may contain values of the page.
    template
        .and_then(|template| template.render(Serde(placed)))
        .map_err(|_| Kind::Internal(Reason::PageNotRendered).into())
}

#[cfg(test)]
mod tests;
