//! Chromium without a window, driven through ChromeDriver.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fantoccini::{
    Client, ClientBuilder, Locator,
    error::CmdError,
    wd::{Capabilities, TimeoutConfiguration, WebDriverCompatibleCommand, WindowHandle},
};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::{
    Result,
    local::free_port,
    process::{Output, Process, wait_for},
    tools,
};

/// How long ChromeDriver may take to start, on a machine that builds something beside it.
const STARTS_WITHIN: Duration = Duration::from_mins(2);

/// How long a page may take to show what it should, on such a machine.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);

/// A browser with no cookies, no cache and no history.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    // Dropped in this order.
    _driver: Process,
    _leavings: Leavings,
}

/// Where Chromium keeps its profile, which it does not take away, and a socket.
#[derive(Debug)]
struct Leavings(PathBuf);

impl Drop for Leavings {
    fn drop(&mut self) {
        // Chromium's last processes may still be writing.
        wait_for(SHOWS_WITHIN, || fs::remove_dir_all(&self.0).ok());
    }
}

/// A command of ChromeDriver beyond the WebDriver standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> std::result::Result<Url, ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Opens one.
    pub async fn open() -> Result<Self> {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let log = tools::log(&format!("chromedriver-{number}.log"))?;
        let leavings = Leavings(tools::private_directory()?);
        let directory = [("TMPDIR".to_owned(), leavings.0.display().to_string())];
        // Left to itself it takes a port that is free for one of the two addresses of localhost, and then needs the other.
        let port = free_port()?;
        let arguments = [format!("--port={port}")];
        let arguments = arguments.each_ref().map(String::as_str);
        let driver = Process::start("chromedriver".as_ref(), &arguments, &directory, Output::File(log.clone()))?;
        let started = wait_for(STARTS_WITHIN, || {
            fs::read_to_string(&log).is_ok_and(|log| log.contains("started successfully")).then_some(())
        });
        started.ok_or_else(|| format!("ChromeDriver does not start; {} says why.", log.display()))?;
        let url = format!("http://127.0.0.1:{port}");
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities()).connect(&url).await;
        let client = client.map_err(|error| format!("Chromium does not start: {error}."))?;
        let limits = TimeoutConfiguration::new(Some(SHOWS_WITHIN), Some(SHOWS_WITHIN * 2), Some(SHOWS_WITHIN));
        client.update_timeouts(limits).await.map_err(said)?;
        Ok(Self { client, _driver: driver, _leavings: leavings })
    }

    /// Opens a page, and waits until it is there.
    pub async fn goto(&self, url: &str) -> Result<()> {
        self.client.goto(url).await.map_err(said)
    }

    /// The address of the page.
    pub async fn url(&self) -> Result<String> {
        self.client.current_url().await.map(Into::into).map_err(said)
    }

    /// Everything that can be read on the page.
    pub async fn text(&self) -> Result<String> {
        let body = self.client.find(Locator::Css("body")).await.map_err(said)?;
        body.text().await.map_err(said)
    }

    /// The page's source, with what is hidden.
    pub async fn source(&self) -> Result<String> {
        self.client.source().await.map_err(said)
    }

    /// Waits until the page shows `text`.
    pub async fn shows(&self, text: &str) -> Result<()> {
        let mut shown = String::new();
        for _ in 0..300 {
            // Between two pages there is none to read.
            shown = self.text().await.unwrap_or_default();
            if shown.contains(text) {
                return Ok(());
            }
            tokio::time::sleep(SHOWS_WITHIN / 300).await;
        }
        Err(format!("{} does not show {text:?}, but:\n{shown}", self.url().await?))
    }

    /// Presses what the CSS selector finds first.
    pub async fn press(&self, css: &str) -> Result<()> {
        let found = self.client.find(Locator::Css(css)).await.map_err(said)?;
        found.click().await.map_err(said)
    }

    /// Sends keys to whatever has the focus.
    pub async fn keys(&self, keys: &str) -> Result<()> {
        let focused = self.client.active_element().await.map_err(said)?;
        focused.send_keys(keys).await.map_err(said)
    }

    /// Goes back in the history.
    pub async fn back(&self) -> Result<()> {
        self.client.back().await.map_err(said)
    }

    /// Loads the page again.
    pub async fn reload(&self) -> Result<()> {
        self.client.refresh().await.map_err(said)
    }

    /// The tab that is looked at.
    pub async fn tab(&self) -> Result<WindowHandle> {
        self.client.window().await.map_err(said)
    }

    /// Opens another tab and looks at it.
    pub async fn open_tab(&self) -> Result<WindowHandle> {
        let tab = self.client.new_window(true).await.map_err(said)?.handle;
        self.look_at(&tab).await?;
        Ok(tab)
    }

    /// Looks at another tab.
    pub async fn look_at(&self, tab: &WindowHandle) -> Result<()> {
        self.client.switch_to_window(tab.clone()).await.map_err(said)
    }

    /// The cookies for an address, by name and value, whichever page is shown.
    pub async fn cookies_for(&self, url: &str) -> Result<Vec<(String, String)>> {
        let found = self.devtools("Network.getCookies", json!({ "urls": [url] })).await?;
        let text = |cookie: &Value, field| cookie[field].as_str().unwrap_or_default().to_owned();
        let cookies = found["cookies"].as_array().into_iter().flatten();
        Ok(cookies.map(|cookie| (text(cookie, "name"), text(cookie, "value"))).collect())
    }

    /// Forgets every cookie.
    pub async fn forget_cookies(&self) -> Result<()> {
        self.devtools("Network.clearBrowserCookies", json!({})).await.map(drop)
    }

    /// Sets a cookie for an address.
    pub async fn set_cookie(&self, url: &str, name: &str, value: &str, same_site: &str) -> Result<()> {
        let cookie = json!({ "url": url, "name": name, "value": value, "httpOnly": true, "sameSite": same_site });
        self.devtools("Network.setCookie", cookie).await.map(drop)
    }

    /// Shows pages as on a screen of this size, in light or dark.
    pub async fn screen(&self, width: u32, height: u32, dark: bool) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size).await?;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await.map(drop)
    }

    /// Puts a picture of the page into cargo's directory, in `screenshots/`: all of the page, not only what the screen shows.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        let file = tools::artifact(&format!("screenshots/{name}.png"))?;
        let taken = self
            .devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true, "optimizeForSpeed": true }))
            .await?;
        let picture = STANDARD.decode(taken["data"].as_str().unwrap_or_default());
        let picture = picture.map_err(|error| format!("The screenshot {name} cannot be read: {error}."))?;
        fs::write(file, picture).map_err(|error| format!("The screenshot {name} cannot be written: {error}."))
    }

    /// What axe-core finds fault with on the page.
    pub async fn accessibility_violations(&self) -> Result<Value> {
        const RUN: &str = "const done = arguments[arguments.length - 1];
            axe.run().then(found => done(found.violations.map(one => [one.id, one.nodes.map(node => node.html)])));";
        // It is large: the page gets it once, and is looked at on many screens.
        if self.run("return !window.axe").await? == json!(true) {
            self.run(&fs::read_to_string(tools::axe()?).map_err(|error| error.to_string())?).await?;
        }
        self.client.execute_async(RUN, Vec::new()).await.map_err(said)
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str) -> Result<Value> {
        self.client.execute(script, Vec::new()).await.map_err(said)
    }

    /// What the console has said since it was last asked, from warnings up.
    pub async fn console(&self) -> Result<Vec<String>> {
        let log = self.client.issue_cmd(Extension { path: "se/log", body: json!({ "type": "browser" }) });
        let lines = log.await.map_err(said)?;
        let lines = lines.as_array().into_iter().flatten();
        Ok(lines.filter_map(|line| line["message"].as_str().map(ToOwned::to_owned)).collect())
    }

    /// Closes it.
    pub async fn close(self) -> Result<()> {
        self.client.close().await.map_err(said)
    }

    /// <https://chromedevtools.github.io/devtools-protocol/>
    async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Extension { path: "goog/cdp/execute", body }).await.map_err(said)
    }
}

fn capabilities() -> Capabilities {
    let options = json!({ "args": [
        "--headless=new",
        // In a container the tests may well run as root, where Chromium has no sandbox.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        // Where no GPU is, a process for it only takes time to start.
        "--in-process-gpu",
        // The pages below the address bar take a quarter of a browser's time, and no test sees them.
        "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
        "--window-size=1280,1000",
        // As on a phone, where a scrollbar takes no room: a screenshot of the whole page has none either.
        "--hide-scrollbars",
        // The app and its sibling domains, where a test has them.
        "--host-resolver-rules=MAP *.gateway.example 127.0.0.1",
    ] });
    let mut capabilities = Capabilities::new();
    // The certificate of a test is self-signed.
    capabilities.insert("acceptInsecureCerts".to_owned(), json!(true));
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "WARNING" }));
    capabilities
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn said(error: CmdError) -> String {
    format!("The browser says: {error}.")
}

#[cfg(test)]
mod tests;
