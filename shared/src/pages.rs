//! The pages: one template and one typed context for each.
//!
//! Templates end in `.html`, so every value in them is escaped. A value that is missing in the context is an error.

use std::{sync::LazyLock, time::Duration};

use lambda_http::Request;
use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

use crate::{
    config::{Secret, SiteName},
    error::{Kind, Result},
    log::Reason,
    paths,
    session::{DisplayText, GLOBUS_AUTH, Identity, Session, Token},
    timestamp::Timestamp,
};

const STYLE: &str = include_str!("templates/style.css");

/// The script on every page that shows the user.
const PERSONAL: &str = include_str!("templates/personal.js");

/// The script on every error page.
const MESSAGE: &str = include_str!("templates/message.js");

const SOURCES: [(&str, &str); 7] = [
    ("base.html", include_str!("templates/base.html")),
    ("log_out.html", include_str!("templates/log_out.html")),
    ("logged_out.html", include_str!("templates/logged_out.html")),
    ("message.html", include_str!("templates/message.html")),
    ("set_up.html", include_str!("templates/set_up.html")),
    ("signed_in.html", include_str!("templates/signed_in.html")),
    ("signed_out.html", include_str!("templates/signed_out.html")),
];

/// The templates that one function alone shows. Only that function compiles them: they cost the others no time.
const OF_ONE_FUNCTION: [(&str, &str); 1] = [("tasks.html", include_str!("templates/tasks.html"))];

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
    /// An error: what happened, and what to do.
    Message {
        /// The heading.
        title: &'a str,
        /// What happened and what to do.
        text: &'a str,
        /// Text and path of a link, in addition to the link to the home page.
        link: Option<(&'a str, &'a str)>,
        /// Whether a login with another account may help.
        other_account_helps: bool,
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
    pub label: Option<String>,
    /// How it stands.
    pub status: Option<String>,
    /// Whether it needs the user's attention.
    pub in_trouble: bool,
    /// The lines below: name and, if Globus gave one, value.
    pub lines: Vec<(&'static str, Option<String>)>,
}

impl<'a> Page<'a> {
    /// Home, for `session`.
    pub fn signed_in(session: &'a Session, show_tokens: bool, can_end_everywhere: bool, now: Timestamp) -> Self {
        Self::SignedIn {
            display_name: session.identity.display_name(),
            provider: shown(session.identity.provider.as_ref()),
            identity: lines(&session.identity),
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
            Self::Message { .. } => "message.html",
        }
    }
}

fn shown(text: Option<&DisplayText>) -> Option<&str> {
    text.map(DisplayText::for_display)
}

fn lines(identity: &Identity) -> [(&'static str, Option<&str>); 5] {
    [
        ("Name", shown(identity.name.as_ref())),
        ("Username", shown(identity.username.as_ref())),
        ("Email", shown(identity.email.as_ref())),
        ("UUID", Some(&identity.sub)),
        ("Organization", shown(identity.organization.as_ref())),
    ]
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
mod tests {
    use super::*;
    use crate::testing::noon;

    const SCRIPT: &str = "<script>alert('x')</script>";

    fn render(page: &Page<'_>, base: &str) -> Result<String> {
        super::render(page, base, &Frame::default())
    }

    fn person(name: Option<&str>) -> Identity {
        Identity {
            sub: "8c8b2a0e-0000-4000-8000-000000000001".to_owned(),
            name: name.and_then(DisplayText::new),
            username: DisplayText::new("ada@example.org"),
            email: None,
            organization: None,
            provider: DisplayText::new("University of Chicago"),
        }
    }

    fn session(name: Option<&str>) -> Session {
        let token = Token {
            resource_server: "transfer.api.globus.org".to_owned(),
            scope: "first-scope second-scope".to_owned(),
            access_token: Secret::new("access-canary"),
            refresh_token: Some(Secret::new("refresh-canary")),
            received: noon(),
            lifetime: Duration::from_hours(48),
        };
        Session::new("id".to_owned(), person(name), vec![token], noon())
    }

    const ALL_LEFT: Left = Left { session: true, others: true, tokens: true };

    fn logged_out(left: Left) -> Page<'static> {
        let page = |name: &str| format!("https://auth.globus.org/v2/web/{name}");
        Page::LoggedOut { globus_logout: page("logout"), globus_consents: page("consents"), left }
    }

    fn tasks(list: Vec<TaskView>) -> Page<'static> {
        Page::Tasks { display_name: SCRIPT, list }
    }

    fn task() -> TaskView {
        let text = || Some(SCRIPT.to_owned());
        let lines = vec![("From", text()), ("To", None)];
        TaskView { label: text(), status: text(), in_trouble: true, lines }
    }

    fn home(session: &Session, show_tokens: bool) -> String {
        render(&Page::signed_in(session, show_tokens, false, noon()), "").unwrap()
    }

    #[test]
    fn every_page_renders_with_the_name_of_the_app() {
        let session = session(Some("Ada"));
        for page in [
            Page::SignedOut { expired: false },
            Page::SignedOut { expired: true },
            Page::signed_in(&session, true, false, noon()),
            Page::signed_in(&session, false, true, noon()),
            Page::LogOut { display_name: Some("Ada"), expired: false, can_end_everywhere: true },
            Page::LogOut { display_name: None, expired: false, can_end_everywhere: true },
            Page::LogOut { display_name: None, expired: true, can_end_everywhere: true },
            logged_out(Left::default()),
            logged_out(ALL_LEFT),
            Page::SetUp { redirect_url: Some("https://gateway.example/login".to_owned()) },
            Page::SetUp { redirect_url: None },
            tasks(vec![task()]),
            tasks(Vec::new()),
            Page::Message {
                title: "Title",
                text: "Text.",
                link: Some(("Start again", "/login")),
                other_account_helps: true,
            },
            Page::Message { title: "Title", text: "Text.", link: None, other_account_helps: false },
        ] {
            let html = render(&page, "").unwrap();
            assert!(html.contains("Web app with authentication delegated to Globus Auth"), "{page:?}");
            assert!(html.trim_end().ends_with("</html>"), "{page:?}");
        }
    }

    #[test]
    fn the_signed_in_page_shows_the_whole_identity_and_each_token() {
        let html = home(&session(Some("Ada Lovelace")), true);

        for shown in [
            "Hello <bdi>Ada Lovelace</bdi>!",
            "Logged in with <bdi>University of Chicago</bdi>. Here is",
            "<dt>Name</dt><dd><bdi>Ada Lovelace</bdi></dd>",
            "<dt>Username</dt><dd><bdi>ada@example.org</bdi></dd>",
            "<dt>UUID</dt><dd><bdi>8c8b2a0e-0000-4000-8000-000000000001</bdi></dd>",
            "<dt>Organization</dt><dd><span class=\"none\">not given</span></dd>",
            "Globus Transfer",
            "48 h 0 min left",
            "<code><bdi>first-scope</bdi></code>",
            "<code><bdi>second-scope</bdi></code>",
            "<code class=\"secret\">access-canary</code>",
            "<code class=\"secret\">refresh-canary</code>",
        ] {
            assert!(html.contains(shown), "no {shown} in {html}");
        }
    }

    #[test]
    fn hidden_tokens_are_nowhere_on_the_page() {
        let html = home(&session(Some("Ada")), false);

        assert!(html.contains("Access token and refresh token held, not shown."));
        assert!(!html.contains("canary"), "{html}");
    }

    #[test]
    fn a_script_in_a_name_is_shown_and_not_run() {
        let html = home(&session(Some(SCRIPT)), true);

        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert!(html.contains("Hello <bdi>&lt;script&gt;alert(&#x27;x&#x27;)"), "{html}");
    }

    /// Each is written by whoever shares a collection or starts a transfer: neither markup nor U+202E reaches the rest.
    #[test]
    fn every_text_of_a_task_is_escaped_and_isolated() {
        let html = render(&tasks(vec![task()]), "").unwrap();

        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert_eq!(html.matches("<bdi>&lt;script&gt;alert(").count(), 4, "{html}");
        assert!(html.contains("<dt>To</dt><dd><span class=\"none\">not given</span></dd>"), "{html}");
    }

    #[test]
    fn a_link_cannot_break_out_of_its_attribute() {
        let hostile = "https://x/?\"><script>".to_owned();
        let page = Page::LoggedOut { globus_logout: hostile.clone(), globus_consents: hostile, left: ALL_LEFT };
        assert!(!render(&page, "").unwrap().contains("\"><script"));
    }

    #[test]
    fn every_link_to_this_site_begins_with_its_base() {
        let session = session(Some("Ada"));
        for page in [
            Page::SignedOut { expired: false },
            Page::signed_in(&session, true, true, noon()),
            Page::LogOut { display_name: Some("Ada"), expired: false, can_end_everywhere: true },
            logged_out(ALL_LEFT),
            Page::SetUp { redirect_url: None },
            tasks(vec![task()]),
            Page::Message {
                title: "Title",
                text: "Text.",
                link: Some(("Start again", "/login")),
                other_account_helps: true,
            },
        ] {
            // The template escapes slashes in attributes.
            let html = render(&page, "/base").unwrap().replace("&#x2f;", "/");
            assert!(!html.contains("href=\"/\"") && !html.contains("=\"/log"), "{html}");
            assert!(html.contains("href=\"/base/\""), "{html}");
        }
    }

    #[test]
    fn every_value_from_outside_is_isolated_from_the_text_around_it() {
        const TURNED: &str = "\u{202e}turned";
        let turned = || DisplayText::new(TURNED);
        let mut session = session(Some(TURNED));
        session.identity = Identity {
            sub: TURNED.to_owned(),
            name: turned(),
            username: turned(),
            email: turned(),
            organization: turned(),
            provider: turned(),
        };
        for token in &mut session.tokens {
            token.resource_server = TURNED.to_owned();
            token.scope = TURNED.to_owned();
        }
        for (page, shown) in [
            // Header, greeting, identity provider, five lines of the identity, and the service twice with its scope.
            (Page::signed_in(&session, true, true, noon()), 11),
            (Page::LogOut { display_name: Some(TURNED), expired: false, can_end_everywhere: true }, 1),
            (Page::SetUp { redirect_url: Some(TURNED.to_owned()) }, 1),
        ] {
            let html = render(&page, "").unwrap();
            assert_eq!(html.matches(TURNED).count(), shown, "{html}");
            assert_eq!(html.matches(&format!("<bdi>{TURNED}</bdi>")).count(), shown, "{html}");
        }
    }

    #[test]
    fn a_word_of_any_length_breaks_in_headings_and_sentences() {
        assert!(STYLE.contains("h1, h2, h3, .lead, dd { overflow-wrap: anywhere; }"));
    }

    #[test]
    fn who_is_logged_in_and_the_logout_are_in_the_header() {
        let html = home(&session(Some("Ada Lovelace")), true);
        let header = html.split_once("<header>").unwrap().1.split_once("</header>").unwrap().0;

        assert!(header.contains("Logged in as </span><bdi>Ada Lovelace</bdi>"), "{header}");
        assert!(header.contains("<button class=\"button second\" type=\"submit\">Log out</button>"), "{header}");
        assert_eq!(html.matches(">Log out<").count(), 1, "{html}");
    }

    #[test]
    fn tokens_are_selected_whole_hidden_again_and_not_printed() {
        let html = home(&session(None), true);
        let summary = "<summary><span class=\"closed\">Show</span><span class=\"opened\">Hide</span> tokens";

        assert!(html.contains(summary), "{html}");
        assert!(STYLE.contains("details[open] .closed, details:not([open]) .opened { display: none; }"));
        assert!(STYLE.contains(".secret { user-select: all; }"));
        assert!(STYLE.contains("@media print {\n  details, .button { display: none; }\n}"));
    }

    #[test]
    fn the_icon_is_in_the_page_and_costs_no_request() {
        let html = home(&session(None), true);
        assert!(html.contains("<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns="), "{html}");
    }

    #[test]
    fn a_user_without_a_name_is_greeted_by_username() {
        assert!(home(&session(None), true).contains("Hello <bdi>ada@example.org</bdi>!"));
    }

    #[test]
    fn the_time_left_is_shown_in_hours_and_minutes() {
        let said = [
            (0, "ended"),
            (59, "less than a minute left"),
            (60, "1 min left"),
            (3_600, "1 h 0 min left"),
            (172_799, "47 h 59 min left"),
        ];
        for (seconds, text) in said {
            assert_eq!(time_left(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn every_page_that_shows_the_user_has_the_script_that_empties_it() {
        let session = session(Some("Ada"));
        for page in [
            Page::signed_in(&session, true, false, noon()),
            Page::LogOut { display_name: Some("Ada"), expired: false, can_end_everywhere: true },
            tasks(vec![task()]),
        ] {
            assert!(render(&page, "").unwrap().contains(&format!("<script>{PERSONAL}</script>")));
        }
    }
}
