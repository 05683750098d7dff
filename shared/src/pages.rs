//! What people see: one template and one typed context for each page.
//!
//! Templates end in `.html`, so every value in them is escaped; a value that a context lacks is an error, not a gap.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;

use crate::{
    error::{Kind, Result},
    session::{GLOBUS_AUTH, Identity, Session, Token},
};

const STYLE: &str = include_str!("templates/style.css");

/// The one script, on every page that shows who is signed in.
const PERSONAL: &str = include_str!("templates/personal.js");

const SOURCES: [(&str, &str); 7] = [
    ("base.html", include_str!("templates/base.html")),
    ("log_out.html", include_str!("templates/log_out.html")),
    ("logged_out.html", include_str!("templates/logged_out.html")),
    ("message.html", include_str!("templates/message.html")),
    ("set_up.html", include_str!("templates/set_up.html")),
    ("signed_in.html", include_str!("templates/signed_in.html")),
    ("signed_out.html", include_str!("templates/signed_out.html")),
];

/// The templates, compiled once.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in [("style", STYLE), ("personal", PERSONAL)] {
        templates.add_global(name, minijinja::Value::from_safe_string(text.to_owned()));
    }
    for (name, source) in SOURCES {
        // A template that does not compile fails a test, and would here be one that is not found.
        drop(templates.add_template(name, source));
    }
    templates
});

/// A page and what it shows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Page<'a> {
    /// Home, for somebody who is not signed in, or is no longer.
    SignedOut {
        /// Whether a sign-in has expired.
        expired: bool,
    },
    /// Home, for somebody who is signed in.
    SignedIn {
        /// What to call them.
        display_name: &'a str,
        /// Who they are: what each line is called and, where Globus says it, what it says.
        identity: [(&'static str, Option<&'a str>); 5],
        /// Their tokens.
        tokens: Vec<TokenView<'a>>,
        /// Whether sessions in other browsers can be ended.
        can_end_everywhere: bool,
    },
    /// Asks whether to log out.
    LogOut {
        /// What to call whoever is signed in.
        display_name: &'a str,
        /// Whether sessions in other browsers can be ended.
        can_end_everywhere: bool,
    },
    /// Says that nobody is signed in any more.
    LoggedOut {
        /// Globus's own logout page.
        globus_logout: &'a str,
    },
    /// Tells whoever has just deployed the site what remains to be done.
    SetUp {
        /// What to register at Globus, where it is known.
        redirect_url: Option<String>,
    },
    /// An error: what happened, and the way on.
    Message {
        /// The heading.
        title: &'a str,
        /// What happened and what to do.
        text: &'a str,
        /// Whether the way on is another sign-in.
        start_again: bool,
    },
}

/// What the home page says of a service's tokens.
#[derive(Debug, Serialize)]
pub struct TokenView<'a> {
    service: &'a str,
    scopes: Vec<&'a str>,
    over: bool,
    time_left: String,
    has_refresh_token: bool,
    /// Only where `SHOW_TOKENS` is on.
    access_token: Option<&'a str>,
    /// Only where `SHOW_TOKENS` is on.
    refresh_token: Option<&'a str>,
}

impl<'a> Page<'a> {
    /// Home, for `session`.
    pub fn signed_in(session: &'a Session, show_tokens: bool, can_end_everywhere: bool, now: SystemTime) -> Self {
        Self::SignedIn {
            display_name: session.identity.display_name(),
            identity: lines(&session.identity),
            tokens: session.tokens.iter().map(|token| TokenView::new(token, show_tokens, now)).collect(),
            can_end_everywhere,
        }
    }

    /// An error page.
    pub fn message(title: &'a str, text: &'a str, start_again: bool) -> Self {
        Self::Message { title, text, start_again }
    }

    fn template(&self) -> &'static str {
        match self {
            Self::SignedOut { .. } => "signed_out.html",
            Self::SignedIn { .. } => "signed_in.html",
            Self::LogOut { .. } => "log_out.html",
            Self::LoggedOut { .. } => "logged_out.html",
            Self::SetUp { .. } => "set_up.html",
            Self::Message { .. } => "message.html",
        }
    }
}

fn lines(identity: &Identity) -> [(&'static str, Option<&str>); 5] {
    [
        ("Name", identity.name.as_deref()),
        ("Username", identity.username.as_deref()),
        ("Email", identity.email.as_deref()),
        ("UUID", Some(&identity.sub)),
        ("Organization", identity.organization.as_deref()),
    ]
}

impl<'a> TokenView<'a> {
    fn new(token: &'a Token, show: bool, now: SystemTime) -> Self {
        let left = token.time_left(now);
        Self {
            service: service_name(&token.resource_server),
            scopes: token.scope.split_whitespace().collect(),
            over: left.is_zero(),
            time_left: time_left(left),
            has_refresh_token: token.refresh_token.is_some(),
            access_token: show.then_some(token.access_token.as_str()),
            refresh_token: token.refresh_token.as_deref().filter(|_| show),
        }
    }
}

/// What people call a resource server.
///
/// The identifiers are those of Globus's own SDK; any other service goes by its identifier.
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

/// Compiles the templates, so that it is done before somebody waits for it.
pub(crate) fn compile() {
    LazyLock::force(&TEMPLATES);
}

/// A page and, beside what it shows, what the paths in its links begin with.
#[derive(Serialize)]
struct Placed<'a> {
    base: &'a str,
    #[serde(flatten)]
    page: &'a Page<'a>,
}

/// The page as HTML. `base` is what the site's paths begin with, empty at the top of an origin.
pub fn render(page: &Page<'_>, base: &str) -> Result<String> {
    let template = TEMPLATES.get_template(page.template());
    // The error's own text may show what the page would have shown.
    template
        .and_then(|template| template.render(Serde(Placed { base, page })))
        .map_err(|_| Kind::Internal("page_not_rendered").into())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::{clock, testing::noon};

    const SCRIPT: &str = "<script>alert('x')</script>";

    fn person(name: Option<&str>) -> Identity {
        Identity {
            sub: "8c8b2a0e-0000-4000-8000-000000000001".to_owned(),
            name: name.map(ToOwned::to_owned),
            username: Some("ada@example.org".to_owned()),
            email: None,
            organization: None,
        }
    }

    fn session(name: Option<&str>) -> Session {
        let token = Token {
            resource_server: "transfer.api.globus.org".to_owned(),
            scope: "first-scope second-scope".to_owned(),
            access_token: "access-canary".to_owned(),
            refresh_token: Some("refresh-canary".to_owned()),
            received: clock::seconds(noon()),
            lifetime: 48 * 3600,
        };
        Session::new(person(name), vec![token], noon())
    }

    fn home(session: &Session, show_tokens: bool) -> String {
        render(&Page::signed_in(session, show_tokens, false, noon()), "").unwrap()
    }

    #[test]
    fn every_page_renders_and_names_what_it_is_part_of() {
        let session = session(Some("Ada"));
        for page in [
            Page::SignedOut { expired: false },
            Page::SignedOut { expired: true },
            Page::signed_in(&session, true, false, noon()),
            Page::signed_in(&session, false, true, noon()),
            Page::LogOut { display_name: "Ada", can_end_everywhere: true },
            Page::LoggedOut { globus_logout: "https://auth.globus.org/v2/web/logout" },
            Page::SetUp { redirect_url: Some("https://gateway.example/login".to_owned()) },
            Page::SetUp { redirect_url: None },
            Page::message("Title", "Text.", true),
            Page::message("Title", "Text.", false),
        ] {
            let html = render(&page, "").unwrap();
            assert!(html.contains("Web app with authentication delegated to Globus Auth"), "{page:?}");
            assert!(html.trim_end().ends_with("</html>"), "{page:?}");
        }
    }

    #[test]
    fn the_signed_in_page_shows_everything_globus_says_of_a_person_and_each_token() {
        let html = home(&session(Some("Ada Lovelace")), true);

        for shown in [
            "Hello Ada Lovelace!",
            "<dt>Name</dt><dd>Ada Lovelace</dd>",
            "<dt>Username</dt><dd>ada@example.org</dd>",
            "<dt>UUID</dt><dd>8c8b2a0e-0000-4000-8000-000000000001</dd>",
            "<dt>Organization</dt><dd><span class=\"none\">not given</span></dd>",
            "Globus Transfer",
            "48 h 0 min left",
            "<code>first-scope</code>",
            "<code>second-scope</code>",
            "<code>access-canary</code>",
            "<code>refresh-canary</code>",
        ] {
            assert!(html.contains(shown), "no {shown} in {html}");
        }
    }

    #[test]
    fn tokens_that_are_not_to_be_shown_are_nowhere_on_the_page() {
        let html = home(&session(Some("Ada")), false);

        assert!(html.contains("Access token and refresh token held, not shown."));
        assert!(!html.contains("canary"), "{html}");
    }

    #[test]
    fn a_script_in_a_name_is_shown_and_not_run() {
        let html = home(&session(Some(SCRIPT)), true);

        assert_eq!(html.matches("<script").count(), 1, "{html}");
        assert!(html.contains("Hello &lt;script&gt;alert(&#x27;x&#x27;)"), "{html}");
    }

    #[test]
    fn a_link_cannot_break_out_of_its_attribute() {
        let page = Page::LoggedOut { globus_logout: "https://x/?\"><script>" };
        assert!(!render(&page, "").unwrap().contains("\"><script"));
    }

    #[test]
    fn every_link_to_this_site_begins_with_its_base() {
        let session = session(Some("Ada"));
        for page in [
            Page::SignedOut { expired: false },
            Page::signed_in(&session, true, true, noon()),
            Page::LogOut { display_name: "Ada", can_end_everywhere: true },
            Page::LoggedOut { globus_logout: "https://auth.globus.org/v2/web/logout" },
            Page::SetUp { redirect_url: None },
            Page::message("Title", "Text.", true),
        ] {
            // In an attribute, where the template escapes what it must.
            let html = render(&page, "/base").unwrap().replace("&#x2f;", "/");
            assert!(!html.contains("href=\"/\"") && !html.contains("=\"/log"), "{html}");
            assert!(html.contains("href=\"/base/\""), "{html}");
        }
    }

    #[test]
    fn somebody_without_a_name_is_greeted_by_username() {
        assert!(home(&session(None), true).contains("Hello ada@example.org!"));
    }

    #[test]
    fn the_time_left_is_said_in_the_largest_units_that_matter() {
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
    fn every_page_that_shows_who_is_signed_in_is_emptied_when_it_is_left() {
        let session = session(Some("Ada"));
        for page in [
            Page::signed_in(&session, true, false, noon()),
            Page::LogOut { display_name: "Ada", can_end_everywhere: true },
        ] {
            assert!(render(&page, "").unwrap().contains(&format!("<script>{PERSONAL}</script>")));
        }
    }

    #[test]
    fn the_content_security_policy_names_style_and_script_as_they_are() {
        for (name, text, said) in [
            ("style", STYLE, include_str!("templates/style.sha256")),
            ("personal", PERSONAL, include_str!("templates/personal.sha256")),
        ] {
            let hash = STANDARD.encode(Sha256::digest(text));
            assert_eq!(said, format!("sha256-{hash}"), "templates/{name}.sha256 is to say what is on the right");
        }
    }
}
