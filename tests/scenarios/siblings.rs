//! What a site can do that shares our registrable domain: it sets cookies for all of that domain, ours included.

use globus_stand_in::Endpoint;
use kit::{
    Result,
    browser::Browser,
    http::{Request, Response},
    https,
    local::{App, Storage},
};
use serde_json::json;

use crate::scene::Scene;

on_each_storage! {
    cookies_a_sibling_plants_behind_unicode_space_sign_no_user_in
}

/// Unicode's white space, as far as a browser takes it for a part of a cookie's name: not SP and HTAB.
const SPACES: [&str; 4] = ["\u{2000}", "\u{a0}", "\u{85}", "\u{3000}"];

/// More cookies than Chromium keeps for a registrable domain, which are 180. Those that it removes are the oldest.
const FILLERS: usize = 200;

/// A browser takes no `__Host-` cookie from a sibling domain, but does take one whose name has such a space before that
/// prefix. A parser that strips the space would take the cookie for ours: the victim would go on as the attacker.
async fn cookies_a_sibling_plants_behind_unicode_space_sign_no_user_in(storage: Storage) -> Result<()> {
    let scene = Scene::open_https(storage).await?;
    let bait = Bait::prepare(&scene.app).await?;
    let site = attackers_site(bait.cookies.clone())?;
    for (number, space) in SPACES.iter().enumerate() {
        scene.browser.forget_cookies().await?;
        scene.goto("/").await?;
        scene.sign_in("ada", "Hello Ada Lovelace!").await?;
        scene.browser.goto(&format!("{site}/{number}")).await?;
        scene.browser.shows("Nothing to see here").await?;
        no_user_is_signed_in(&scene, &bait, space).await?;
        // The victim, whom Globus still knows, is not locked out either.
        scene.goto("/login").await?;
        scene.browser.shows("Hello Ada Lovelace!").await?;
        assert_arrived(&scene, &bait, space, "/");
    }
    scene.close().await
}

/// Asserts that the victim's browser has lost its session, and that neither the planted cookies nor the attacker's
/// callback give it another.
async fn no_user_is_signed_in(scene: &Scene, bait: &Bait, space: &str) -> Result<()> {
    // Beside the victim's own session the attacker's would not be believed, however names are read.
    assert!(!scene.cookies().await?.contains(&"__Host-session".to_owned()), "the victim's own session is still there");
    scene.goto("/").await?;
    scene.browser.shows("Log in with Globus").await?;
    assert_arrived(scene, bait, space, "/");

    let redeemed = scene.app.stand_in().requests(Endpoint::Token);
    scene.browser.goto(&bait.callback).await?;
    scene.browser.shows("This site needs cookies").await?;
    let status = "return performance.getEntriesByType('navigation')[0].responseStatus";
    assert_eq!(scene.browser.run(status).await?, json!(400));
    assert_arrived(scene, bait, space, "/login");
    assert_eq!(scene.app.stand_in().requests(Endpoint::Token), redeemed);
    Ok(())
}

/// Asserts that the last event for a path had the planted cookies: only then did the app have to tell them from its own.
#[track_caller]
fn assert_arrived(scene: &Scene, bait: &Bait, space: &str, path: &str) {
    let arrived = scene.app.gateway().map(|gateway| gateway.last_cookies(path)).unwrap_or_default();
    for (name, value) in bait.cookies.iter().filter(|(name, _)| path.starts_with(path_of(name))) {
        let planted = format!("{space}{name}={value}");
        assert!(arrived.contains(&planted), "no {planted:?} in {arrived:?}");
    }
}

/// What the attacker has got from our site in a browser of their own.
struct Bait {
    /// Every cookie that only our site can set: a session, and a second sign-in that waits for its callback.
    cookies: Vec<(String, String)>,
    /// That callback.
    callback: String,
}

impl Bait {
    async fn prepare(app: &App) -> Result<Self> {
        let browser = Browser::open().await?;
        browser.goto(&begin(app, &browser).await?).await?;
        browser.shows("Hello 046f34a2@ucsd.example!").await?;
        let callback = begin(app, &browser).await?;
        let mut cookies = browser.cookies_for(app.url()).await?;
        cookies.retain(|(name, _)| name.starts_with("__Host-"));
        assert_eq!(cookies.len(), 2, "{cookies:?}");
        browser.close().await?;
        Ok(Self { cookies, callback })
    }
}

/// Begins a sign-in as the attacker; gives the callback.
async fn begin(app: &App, browser: &Browser) -> Result<String> {
    browser.goto(&format!("{}/login", app.url())).await?;
    app.stand_in().sign_in(&browser.url().await?, "sparse").await
}

/// The path that a cookie is planted for: a session for every page, and a login cookie for the callback alone.
fn path_of(name: &str) -> &'static str {
    if name.starts_with("__Host-session-") { "/" } else { "/login" }
}

/// A site beside ours whose page of each number plants these cookies behind the space of that number.
fn attackers_site(cookies: Vec<(String, String)>) -> Result<String> {
    let respond = move |request: &Request| {
        let number = request.target.strip_prefix('/').and_then(|number| number.parse::<usize>().ok());
        let space = number.and_then(|number| SPACES.get(number));
        let headers = space.map(|space| plant(space, &cookies)).unwrap_or_default();
        Response { status: 200, headers, body: "Nothing to see here".to_owned() }
    };
    Ok(format!("https://evil.gateway.example:{}", https::serve(0, respond)?))
}

/// Fillers for the attacker's own name, which push the victim's cookies out and burden no request to us. Then the planted
/// cookies, for all of the domain.
fn plant(space: &str, cookies: &[(String, String)]) -> Vec<(String, String)> {
    let fillers = (0..FILLERS).map(|number| format!("filler-{number}=; Path=/; Secure"));
    let planted = cookies.iter().map(|(name, value)| {
        format!("{space}{name}={value}; Domain=gateway.example; Path={}; Secure; HttpOnly", path_of(name))
    });
    fillers.chain(planted).map(|cookie| ("set-cookie".to_owned(), cookie)).collect()
}
