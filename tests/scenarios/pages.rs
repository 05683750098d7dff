//! Every page that the app can show, with texts that are hard to place: in order on every screen, and with the keyboard.
//!
//! The other scenarios lead to most of these pages. Here each one is rendered by itself, with the headers of a response.

use std::{collections::BTreeMap, time::Duration};

use kit::{
    Result,
    browser::Browser,
    http::{Request, Response},
    https,
};
use lambda_http::{Body, http::StatusCode};
use shared::{
    Kind, Secret,
    config::SiteName,
    pages::{Frame, Left, Page, TaskView},
    response::{html, respond},
    rules::Denial,
    session::{DisplayText, Identity, Session, Token},
    testing::{Event, REQUEST_ID, configure, denial, every_kind, noon},
};

use crate::scene::is_in_order;

/// A site's name of 80 characters without a place to break.
const SITE_NAME: &str = "Interdisciplinary-Atmospheric-Chemistry-And-Oceanographic-Data-Management-Portal";

/// A username of 60 characters without a place to break.
const USERNAME: &str = "a.username.of.sixty.characters.without.any.blank@odd.example";

/// A name that turns the text after it round.
const TURNED: &str = "\u{202e}ecalevoL";

/// An organization that needs several lines.
const ORGANIZATION: &str = "Interdisciplinary Centre for Computational Atmospheric Chemistry and Oceanographic Data \
    Management of the Northern Universities Federation, Department of Long Names";

/// A service with each of these scopes: as many as fit into cookies.
const SCOPES: [(&str, &str); 8] = [
    ("auth.globus.org", "openid profile email"),
    ("transfer.api.globus.org", "urn:globus:auth:scope:transfer.api.globus.org:all"),
    ("groups.api.globus.org", "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships"),
    ("search.api.globus.org", "urn:globus:auth:scope:search.api.globus.org:search"),
    (
        "flows.globus.org",
        "https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/run_status \
         https://auth.globus.org/scopes/eec9b274-0c81-4334-bdc2-54e90e689b9a/view_flows",
    ),
    (
        "524230d7-ea86-4a52-8312-86065a9e0417",
        "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer",
    ),
    ("funcx_service", "https://auth.globus.org/scopes/facd7ccc-c5f4-42aa-916b-a0e270e2c2a9/all"),
    (
        "a6b3f1de-5b0c-4b3f-9b4e-8e7a4a2d1c0f",
        "https://auth.globus.org/scopes/a6b3f1de-5b0c-4b3f-9b4e-8e7a4a2d1c0f/https",
    ),
];

#[tokio::test]
async fn every_page_is_in_order_with_texts_that_are_hard_to_place() -> Result<()> {
    let pages = pages();
    let names: Vec<String> = pages.keys().cloned().collect();
    let at = move |request: &Request| pages.get(request.target.trim_start_matches('/')).cloned().unwrap_or_default();
    let port = https::serve(0, at)?;
    let browser = Browser::open().await?;
    for name in names {
        browser.goto(&format!("https://pages.gateway.example:{port}/{name}")).await?;
        browser.run("document.querySelectorAll('details').forEach(one => one.open = true)").await?;
        is_in_order(&browser, &format!("pages/{name}")).await?;
        the_focus_follows_the_text_and_can_be_seen(&browser, &name).await?;
    }
    browser.close().await
}

/// Presses Tab for each link, button and disclosure. Each one has an outline then, and is below or to the right of the one
/// before.
async fn the_focus_follows_the_text_and_can_be_seen(browser: &Browser, name: &str) -> Result<()> {
    const TAB: &str = "\u{e004}";
    const FOCUSED: &str = "
        const focused = document.activeElement, box = focused.getBoundingClientRect(), before = window.before;
        window.before = { right: box.right + scrollX, bottom: box.bottom + scrollY };
        const after = !before || box.top + scrollY >= before.bottom || box.left + scrollX >= before.right;
        return [focused.textContent, after, getComputedStyle(focused).outline.includes('solid 3px')]";
    let count = browser.run("return document.querySelectorAll('a, button, summary').length").await?;
    for _ in 0..count.as_u64().unwrap_or_default() {
        browser.keys(TAB).await?;
        let focused = browser.run(FOCUSED).await?;
        assert_eq!([&focused[1], &focused[2]], [true, true], "{name}: {focused}");
    }
    Ok(())
}

/// Each page by its name.
fn pages() -> BTreeMap<String, Response> {
    let session = session();
    let home = |show_tokens| Page::signed_in(&session, show_tokens, true, noon() + Duration::from_hours(47));
    let log_out = |display_name, expired| Page::LogOut { display_name, expired, can_end_everywhere: true };
    let logged_out = |left| Page::LoggedOut {
        globus_logout: "https://auth.globus.org/v2/web/logout".to_owned(),
        globus_consents: "https://auth.globus.org/v2/web/consents".to_owned(),
        left,
    };
    let denial = Denial { account: USERNAME.to_owned(), provider: Some(ORGANIZATION.to_owned()), ..denial() };
    let use_another = "/login?account=other".to_owned();
    let redirect_url = Some("https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/login".to_owned());
    let all_left = Left { session: true, others: true, tokens: true };
    let pages = [
        ("signed-out", Page::SignedOut { expired: false }),
        ("signed-out-expired", Page::SignedOut { expired: true }),
        ("signed-in", home(true)),
        ("signed-in-tokens-hidden", home(false)),
        ("log-out", log_out(Some(TURNED), false)),
        ("log-out-username", log_out(Some(USERNAME), false)),
        ("log-out-unknown-user", log_out(None, false)),
        ("log-out-expired", log_out(None, true)),
        ("logged-out", logged_out(Left::default())),
        ("logged-out-all-left", logged_out(all_left)),
        ("set-up", Page::SetUp { redirect_url }),
        ("set-up-unknown-address", Page::SetUp { redirect_url: None }),
        ("not-admitted", Page::NotAdmitted { title: "This account has no access", denial: &denial, use_another }),
        ("tasks", Page::Tasks { display_name: USERNAME, list: tasks() }),
        ("tasks-none", Page::Tasks { display_name: TURNED, list: Vec::new() }),
    ];
    let request = request();
    let pages = pages.into_iter().map(|(name, page)| (name.to_owned(), html(&request, StatusCode::OK, &page)));
    let errors = every_kind().into_iter().filter(|kind| {
        // A browser is sent to log in, and has no page to see.
        !matches!(kind, Kind::SignInRequired | Kind::RenewalRequired | Kind::CheckRequired(_))
    });
    let name = |kind: &Kind| format!("error-{kind:?}").split(['(', ' ']).next().unwrap_or_default().to_owned();
    let errors = errors.map(|kind| (name(&kind), Err(kind.into())));
    pages.chain(errors).map(|(name, outcome)| (name, over_the_wire(&respond(&request, outcome)))).collect()
}

/// As it arrives at a function of a site with that name.
fn request() -> lambda_http::Request {
    let site_name = configure(&[("SITE_NAME", SITE_NAME)], |env| Ok(SiteName::read(env))).unwrap();
    assert_eq!(site_name.as_str(), SITE_NAME);
    let mut request = Event::get("/").request();
    request.extensions_mut().insert(Frame { site_name, request_id: REQUEST_ID.to_owned() });
    request
}

fn over_the_wire(response: &lambda_http::Response<Body>) -> Response {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
    Response { status: response.status().as_u16(), headers: headers.collect(), body: text(response.body()) }
}

/// A session with long and odd texts. Its last token has ended.
fn session() -> Session {
    let identity = Identity {
        sub: "0dd00000-0005-4ebc-8c5b-5fb06d5c4b05".to_owned(),
        name: DisplayText::new(TURNED),
        username: DisplayText::new(USERNAME),
        email: None,
        organization: DisplayText::new(ORGANIZATION),
        provider: DisplayText::new(ORGANIZATION),
    };
    let token = |(number, (resource_server, scope)): (usize, (&str, &str))| Token {
        resource_server: resource_server.to_owned(),
        scope: scope.to_owned(),
        access_token: Secret::new("Ag".to_owned() + &"x8Kd93lQzP0vWn27bYtRs".repeat(4)),
        refresh_token: (number != 6).then(|| Secret::new("Ag".to_owned() + &"w7Jc82kPyO9uVm16aXsQr".repeat(4))),
        received: noon(),
        lifetime: Duration::from_hours(if number == 7 { 1 } else { 48 }),
    };
    Session::new(String::new(), identity, SCOPES.into_iter().enumerate().map(token).collect(), noon())
}

/// A task as usual, one of which little is known, and one of which everything is as long as it can be.
fn tasks() -> Vec<TaskView> {
    let text = DisplayText::new;
    let usual = TaskView {
        label: text("Results <final> & \u{202e}figures"),
        status: text("Succeeded"),
        in_trouble: false,
        lines: vec![("From", text("Beamline 7 detector")), ("To", text("Campus cluster, project space"))],
    };
    let sparse = TaskView { in_trouble: true, lines: vec![("From", None)], ..TaskView::default() };
    let long = text(&"w".repeat(200));
    let longest = TaskView {
        label: long.clone(),
        status: long.clone(),
        in_trouble: true,
        lines: vec![("Action", long.clone()), ("From", long)],
    };
    vec![usual, sparse, longest]
}
