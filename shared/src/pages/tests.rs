use super::*;
use crate::{
    rules::Missing,
    session::Identity,
    testing::{configure, noon},
};

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

/// A session each text of which is this one.
fn session_saying(text: &str) -> Session {
    let said = || DisplayText::new(text);
    let mut session = session(Some(text));
    session.identity = Identity {
        sub: text.to_owned(),
        name: said(),
        username: said(),
        email: said(),
        organization: said(),
        provider: said(),
    };
    for token in &mut session.tokens {
        token.resource_server = text.to_owned();
        token.scope = text.to_owned();
    }
    session
}

const ALL_LEFT: Left = Left { session: true, others: true, tokens: true };

fn logged_out(left: Left) -> Page<'static> {
    let page = |name: &str| format!("https://auth.globus.org/v2/web/{name}");
    Page::LoggedOut { globus_logout: page("logout"), globus_consents: page("consents"), left }
}

fn denied(denial: &Denial) -> Page<'_> {
    Page::NotAdmitted { title: "Title", denial, use_another: "/login?account=other".to_owned() }
}

fn tasks(list: Vec<TaskView>) -> Page<'static> {
    Page::Tasks { display_name: SCRIPT, list }
}

fn task() -> TaskView {
    let text = || DisplayText::new(SCRIPT);
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
            links: vec![("Start again", "/login".to_owned()), ("Home page", "/".to_owned())],
        },
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
        "<code class=\"whole\">access-canary</code>",
        "<code class=\"whole\">refresh-canary</code>",
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

/// The scripts of a page are all that it runs, whatever the texts are.
#[test]
fn no_text_from_outside_is_markup_on_any_page() {
    // It leaves an attribute, too.
    const TEXT: &str = "\"><script>alert('x')</script>";
    let session = session_saying(TEXT);
    let text = || TEXT.to_owned();
    let missing = Missing { rule: TEXT, text: text(), links: vec![(text(), text())] };
    let denial = Denial {
        account: text(),
        provider: Some(text()),
        missing: vec![missing],
        link_identity: text(),
        ..crate::testing::denial()
    };
    let site_name = configure(&[("SITE_NAME", TEXT)], |env| Ok(SiteName::read(env))).unwrap();
    let frame = Frame { site_name, request_id: text() };
    for (page, scripts) in [
        (Page::SignedOut { expired: false }, 0),
        (Page::signed_in(&session, true, true, noon()), 1),
        (Page::LogOut { display_name: Some(TEXT), expired: false, can_end_everywhere: true }, 1),
        (Page::LoggedOut { globus_logout: text(), globus_consents: text(), left: ALL_LEFT }, 0),
        (Page::SetUp { redirect_url: Some(text()) }, 0),
        (tasks(vec![task()]), 1),
        (denied(&denial), 2),
        (Page::Message { title: TEXT, text: TEXT, links: vec![(TEXT, text())] }, 1),
    ] {
        let html = super::render(&page, "", &frame).unwrap();
        assert_eq!(html.matches("<script").count(), scripts, "{html}");
        assert!(html.contains("&lt;script&gt;alert("), "{html}");
    }
}

/// Others write these: the users who share a collection or start a transfer: neither markup nor U+202E reaches the rest.
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
            links: vec![("Start again", "/login".to_owned()), ("Home page", "/".to_owned())],
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
    let session = session_saying(TURNED);
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
fn a_word_of_any_length_breaks_wherever_it_stands() {
    assert!(STYLE.contains("sans-serif;overflow-wrap:anywhere;}"));
}

#[test]
fn who_is_logged_in_and_the_logout_are_in_the_header() {
    let page = Page::Tasks { display_name: "Ada Lovelace", list: Vec::new() };
    for html in [home(&session(Some("Ada Lovelace")), true), render(&page, "").unwrap()] {
        let header = html.split_once("<header>").unwrap().1.split_once("</header>").unwrap().0;

        assert!(header.contains("Logged in as </span><bdi>Ada Lovelace</bdi>"), "{header}");
        assert!(header.contains("<button class=\"button second\" type=\"submit\">Log out</button>"), "{header}");
        assert_eq!(html.matches(">Log out<").count(), 1, "{html}");
    }
}

/// In the order of the page, which is that of the keyboard: the quiet way to another account comes after the logout.
#[test]
fn a_user_can_log_in_with_another_account_from_home() {
    let html = render(&Page::signed_in(&session(Some("Ada")), true, true, noon()), "/base").unwrap();
    // The template escapes slashes in attributes.
    let html = html.replace("&#x2f;", "/");
    let links = [
        "href=\"/base/\"",
        ">Log out</button>",
        "/base/logout\">Log out everywhere…",
        ">Use another account</a>",
        "<summary>",
    ];
    let places: Vec<_> =
        links.iter().map(|link| html.find(link).unwrap_or_else(|| panic!("no {link} in {html}"))).collect();

    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(html.matches("<a href=\"/base/login?account=other\">Use another account</a>").count(), 1, "{html}");
    assert!(!html.contains("class=\"button\""), "none of them stands out");
}

#[test]
fn tokens_are_selected_whole_hidden_again_and_not_printed() {
    let html = home(&session(None), true);
    let summary = "<summary><span class=\"closed\">Show</span><span class=\"opened\">Hide</span> tokens";

    assert!(html.contains(summary), "{html}");
    assert!(STYLE.contains("details[open] .closed,details:not([open]) .opened{display:none;}"));
    assert!(STYLE.contains(".whole{-webkit-user-select:all;user-select:all;}"));
    assert!(STYLE.contains("@media print{details,.account a,.account form,.button{display:none;}"));
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
    let (session, denial) = (session(Some("Ada")), crate::testing::denial());
    for page in [
        Page::signed_in(&session, true, false, noon()),
        Page::LogOut { display_name: Some("Ada"), expired: false, can_end_everywhere: true },
        tasks(vec![task()]),
        denied(&denial),
    ] {
        assert!(render(&page, "").unwrap().contains(&format!("<script>{PERSONAL}</script>")));
    }
}

#[test]
fn every_page_that_can_end_a_callback_takes_the_code_out_of_its_address() {
    let denial = crate::testing::denial();
    for page in [denied(&denial), Page::Message { title: "Title", text: "Text.", links: Vec::new() }] {
        assert!(render(&page, "").unwrap().contains(&format!("<script>{MESSAGE}</script>")));
    }
}

/// What a script does, without its comments. Only a browser can run it, so the tests below have each line of it.
fn code(script: &str) -> Vec<&str> {
    script.lines().filter(|line| !line.starts_with("//")).collect()
}

#[test]
fn a_page_that_shows_the_user_empties_itself_and_is_loaded_anew() {
    let expected = [
        r#"addEventListener("pagehide", () => document.body.replaceChildren());"#,
        r#"addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });"#,
    ];
    assert_eq!(code(PERSONAL), expected);
}

#[test]
fn the_page_of_a_failed_sign_in_has_an_address_without_its_code() {
    let expected = [
        r#"addEventListener("DOMContentLoaded", () => {"#,
        r#"  const failed = new URLSearchParams(location.search).has("state");"#,
        r#"  const back = document.querySelector(".actions a[href*='next=']");"#,
        r#"  if (failed) history.replaceState(null, "", back ? back.href : location.pathname);"#,
        "});",
    ];
    assert_eq!(code(MESSAGE), expected);
}

/// A name that is misspelt in a template would be a blank on the page.
#[test]
fn a_value_that_a_template_misses_is_an_error() {
    for templates in [&*TEMPLATES, &*ALL_TEMPLATES] {
        assert!(templates.render_str("{{ missing }}", Serde(())).is_err());
        assert_eq!(templates.render_str("{{ login }}", Serde(())).unwrap(), "/login");
    }
}
