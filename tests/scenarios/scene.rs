//! A browser in front of the app, and what every scenario ends with.

use globus_stand_in::{CLIENT_SECRET, people};
use kit::{
    Result,
    browser::Browser,
    local::{App, SESSION_KEY, Storage},
};
use serde_json::json;

use crate::warm::signed_in_a_minute_ago;

/// Desktop and the narrowest phone, light and dark: what every page is looked at on.
const SCREENS: [(&str, u32, u32, bool); 4] = [
    ("desktop-light", 1280, 1000, false),
    ("desktop-dark", 1280, 1000, true),
    ("phone-light", 320, 700, false),
    ("phone-dark", 320, 700, true),
];

/// The app, and a browser that has its home page open.
pub(crate) struct Scene {
    pub(crate) app: App,
    pub(crate) browser: Browser,
}

impl Scene {
    /// Starts the app with these settings beside the usual ones. It logs as much as it can.
    pub(crate) async fn open(storage: Storage, settings: &[(&str, &str)]) -> Result<Self> {
        Self::of(App::start(storage, &[settings, &[("LOG_LEVEL", "trace")]].concat()).await?).await
    }

    /// The same as `cargo dev` starts it, with the examples.
    pub(crate) async fn open_with_examples(storage: Storage) -> Result<Self> {
        Self::of(App::start_with_examples(storage, &[("LOG_LEVEL", "trace")]).await?).await
    }

    /// The same on https, as a deployment is.
    pub(crate) async fn open_https(storage: Storage) -> Result<Self> {
        Self::of(App::start_https(storage, &[("LOG_LEVEL", "trace")]).await?).await
    }

    async fn of(app: App) -> Result<Self> {
        let browser = Browser::open().await?;
        browser.goto(app.url()).await?;
        Ok(Self { app, browser })
    }

    /// The address of a page of the app.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.app.url())
    }

    /// Opens a page of the app.
    pub(crate) async fn goto(&self, path: &str) -> Result<()> {
        self.browser.goto(&self.url(path)).await
    }

    /// From the page that is shown to the sign-in page of the stand-in; gives its address.
    pub(crate) async fn begin(&self) -> Result<String> {
        self.browser.press("main a[href^='/login']").await?;
        self.browser.shows("Who is logging in?").await?;
        self.browser.url().await
    }

    /// From the sign-in page of the stand-in to wherever that leads.
    pub(crate) async fn choose(&self, person: &str) -> Result<()> {
        // The cases for access rules are folded.
        self.browser.run("document.querySelectorAll('details').forEach(one => one.open = true)").await?;
        self.browser.press(&format!("[data-person={person}]")).await
    }

    /// From the home page of a signed-out visitor to that of a signed-in user, with this greeting.
    pub(crate) async fn sign_in(&self, person: &str, greeting: &str) -> Result<()> {
        self.begin().await?;
        self.choose(person).await?;
        self.browser.shows(greeting).await?;
        self.is_at("/").await
    }

    /// Puts the cookies of a user into the browser who signed in a minute ago and whose tokens are due.
    pub(crate) async fn sign_in_a_minute_ago(&self) -> Result<()> {
        let visitor = signed_in_a_minute_ago(self.app.url(), self.app.variables(), self.app.stand_in()).await?;
        for (name, value) in &visitor.browser.cookies {
            self.browser.set_cookie(self.app.url(), name, value, "Lax").await?;
        }
        Ok(())
    }

    /// Asserts the address of the page.
    pub(crate) async fn is_at(&self, path: &str) -> Result<()> {
        assert_eq!(self.browser.url().await?, self.url(path));
        Ok(())
    }

    /// The names of the app's cookies in the browser, whichever page it shows, without what marks the deployment.
    pub(crate) async fn cookies(&self) -> Result<Vec<String>> {
        let cookies = self.browser.cookies_for(self.app.url()).await?;
        Ok(cookies.into_iter().map(|(name, _)| name.rsplit_once('-').map_or("", |(name, _)| name).to_owned()).collect())
    }

    /// Asserts that the page is in order; see [`is_in_order`].
    pub(crate) async fn is_in_order(&self, page: &str) -> Result<()> {
        is_in_order(&self.browser, page).await
    }

    /// Nothing secret was logged, nothing had anything to complain of, no function ended in a panic.
    pub(crate) async fn close(self) -> Result<()> {
        console_is_quiet(&self.browser).await?;
        let log = self.app.log();
        let cookies = self.browser.cookies_for(self.app.url()).await?;
        let tokens = self.app.stand_in().issued_tokens();
        let secrets = tokens.iter().chain(cookies.iter().map(|(_, value)| value)).map(String::as_str);
        for secret in secrets.chain([CLIENT_SECRET, SESSION_KEY, "code=", "code_verifier", "panicked"]) {
            assert!(secret.is_empty() || !log.contains(secret), "{secret:?} is in the log:\n{log}");
        }
        self.table_tells_nothing(&tokens)?;
        self.browser.close().await
    }

    /// Asserts that the session table shows no token and nothing of the identity except the UUID.
    fn table_tells_nothing(&self, tokens: &[String]) -> Result<()> {
        let Some(table) = self.app.table() else { return Ok(()) };
        let items = serde_json::Value::from(table.scan()?).to_string();
        let said = people::PEOPLE.iter().flat_map(|person| [person.name, Some(person.username), person.email]);
        for secret in tokens.iter().map(String::as_str).chain(said.flatten()) {
            assert!(!items.contains(secret), "{secret:?} is in the table: {items}");
        }
        Ok(())
    }
}

/// On every screen: a screenshot, no accessibility violation, no message in the console, and nothing that runs over the
/// side.
pub(crate) async fn is_in_order(browser: &Browser, page: &str) -> Result<()> {
    for (screen, width, height, dark) in SCREENS {
        browser.screen(width, height, dark).await?;
        browser.screenshot(&format!("{page}-{screen}")).await?;
        assert_eq!(browser.accessibility_violations().await?, json!([]), "{page} on {screen}");
        let runs_over = "return document.documentElement.scrollWidth > innerWidth";
        assert_eq!(browser.run(runs_over).await?, json!(false), "{page} on {screen}");
    }
    browser.screen(1280, 1000, false).await?;
    console_is_quiet(browser).await
}

/// Asserts that no page had anything to complain of. That an error page has an error's status is no complaint.
async fn console_is_quiet(browser: &Browser) -> Result<()> {
    let said = browser.console().await?;
    let complaints: Vec<_> = said.iter().filter(|line| !line.contains("responded with a status of")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    Ok(())
}
