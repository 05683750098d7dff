//! A local stand-in for Globus Auth, strict and Globus-shaped, for the local run and the tests.
//!
//! It is as exacting as Globus is known to be, and has switches for what goes wrong in life: [`Fault`]s, keys that
//! change, tokens that end early. Everything it knows is in memory, and nothing leaves the machine.
//! No published crate answers in Globus's shapes: RS512 without `kid`, and a token for each service in `other_tokens`.
//!
//! Where to look first:
//! - `server`: the thread, the routes; `faults`: what goes wrong on purpose
//! - `browser`: the pages for people; `authorize`: the rules of an authorization request
//! - `token`, `api`: the endpoints for programs; `grants`: which codes and tokens still count
//! - `id_token`, `keys`: what is signed, and with what

mod api;
mod authorize;
mod browser;
mod faults;
mod grants;
mod id_token;
mod keys;
mod pages;
mod params;
pub mod people;
mod provider;
mod random;
mod refusal;
mod scopes;
mod server;
#[cfg(test)]
mod tests;
mod token;

use std::{
    fmt, io,
    net::TcpListener,
    sync::Arc,
    thread::{self, JoinHandle},
};

use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::oneshot;
use url::Url;

pub use faults::{Endpoint, Fault};

use authorize::Refused;
use browser::Choice;
use provider::{Provider, Session, Settings};

/// The one application that is registered here.
pub const CLIENT_ID: &str = "2b5c1d7e-4f60-4a83-9c2e-7d1f0b6a8e95";

/// Its secret, in the shape of Globus's: 44 characters of base64, with the three that are not letters or digits.
pub const CLIENT_SECRET: &str = "c3RhbmQt+W4gc2VjcmV0/G5vdCBmb3IgR2xvYnVzIQA=";

/// What a refresh response carries as its refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokens {
    /// The one that was sent.
    Same,
    /// A new one. The one that was sent is revoked.
    Rotated,
    /// None.
    Absent,
}

/// How ID tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// RS512, with the key that is listed.
    Normal,
    /// RS512, with a key that is not listed.
    OtherKey,
    /// Not at all (`alg` is `none`).
    Unsigned,
    /// HS512, with the bytes of the public key as the secret: algorithm confusion
    /// ([RFC 8725, section 2.1](https://www.rfc-editor.org/rfc/rfc8725#section-2.1)).
    HmacWithPublicKey,
}

/// A stand-in that runs for as long as this value lives.
pub struct StandIn {
    provider: Arc<Provider>,
    server: Option<(oneshot::Sender<()>, JoinHandle<io::Result<()>>)>,
}

impl fmt::Debug for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandIn").field("url", &self.provider.url).finish_non_exhaustive()
    }
}

impl StandIn {
    /// Starts one on that port of 127.0.0.1, or on any that is free for port 0. Browsers are sent back to these URIs
    /// only. The first stand-in of a process makes a key, which takes a second or two.
    pub async fn start(port: u16, redirect_uris: &[&str]) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let provider = Arc::new(Provider::new(url, redirect_uris));
        let (stop, stopped) = oneshot::channel();
        let (started, ready) = oneshot::channel();
        let server = Arc::clone(&provider);
        let thread = thread::Builder::new().name("globus-stand-in".to_owned()).spawn(move || {
            // Made before the first request, which may not have the patience.
            let key = server.state().settings.keys.current();
            drop(started.send(key.map(drop)));
            server::run(listener, server, stopped)
        })?;
        let stand_in = Self { provider, server: Some((stop, thread)) };
        ready.await.map_err(io::Error::other)??;
        Ok(stand_in)
    }

    /// Its address, such as `http://127.0.0.1:9100`. It is the issuer of its ID tokens too.
    pub fn url(&self) -> &str {
        &self.provider.url
    }

    /// Lets browsers be sent back to this URI as well. It is compared character by character.
    pub fn register_redirect_uri(&self, uri: &str) {
        self.provider.state().redirect_uris.insert(uri.to_owned());
    }

    /// What somebody does in a browser, without one: follows the URL of an authorization request and signs in. Gives the
    /// URL of the callback, or what the page says that Globus shows instead.
    ///
    /// No request is counted, and the stand-in remembers no browser.
    #[expect(clippy::unused_async, reason = "a browser would take its time, and callers are written for one")]
    pub async fn sign_in(&self, authorize_url: &str, person: &str) -> Result<String, String> {
        let person = people::find(person).ok_or("There is no such person.")?;
        let session = Session { person, authenticated: grants::now() };
        self.decide(authorize_url, Choice::SignIn(session))
    }

    /// The same for somebody who presses Deny.
    #[expect(clippy::unused_async, reason = "a browser would take its time, and callers are written for one")]
    pub async fn deny(&self, authorize_url: &str) -> Result<String, String> {
        self.decide(authorize_url, Choice::Deny)
    }

    fn decide(&self, authorize_url: &str, choice: Choice) -> Result<String, String> {
        let url = Url::parse(authorize_url).map_err(|error| error.to_string())?;
        if url.origin().ascii_serialization() != self.url() || url.path() != "/v2/oauth2/authorize" {
            return Err("The URL leads elsewhere.".to_owned());
        }
        let decided = browser::decide(&self.provider, url.query().unwrap_or_default(), choice);
        decided.or_else(|refused| match refused {
            Refused::Told(callback) => Ok(callback),
            Refused::Shown(text) => Err(text.to_owned()),
        })
    }

    /// How many requests an endpoint has received, those that met a fault included.
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.provider.faults.received(endpoint)
    }

    /// Every access and refresh token ever issued, in order.
    pub fn issued_tokens(&self) -> Vec<String> {
        self.provider.state().grants.secrets()
    }

    /// Whether the token was issued here and then revoked, in whatever way.
    pub fn is_revoked(&self, token: &str) -> bool {
        self.provider.state().grants.is_revoked(token)
    }

    /// Whether the token was issued here, is not revoked, and has not run out.
    pub fn is_active(&self, token: &str) -> bool {
        let state = self.provider.state();
        state.grants.active(token, grants::now()).is_some()
    }

    /// Who let an application have the token, if it was issued here.
    pub fn whose(&self, token: &str) -> Option<&'static str> {
        self.provider.state().grants.whose(token)
    }

    /// How long access tokens last that are issued from now on, in seconds. 172800, as Globus's do, unless set.
    pub fn expire_tokens_in(&self, seconds: u64) {
        self.set(|settings| settings.lifetime = seconds);
    }

    /// What refresh responses carry as their refresh token. The same one, unless set.
    pub fn refresh_tokens(&self, refresh_tokens: RefreshTokens) {
        self.set(|settings| settings.refresh_tokens = refresh_tokens);
    }

    /// The status code of `invalid_grant`. 400, unless set; 401 has been seen too. One that HTTP does not have is 400.
    pub fn invalid_grant_status(&self, status: u16) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        self.set(|settings| settings.invalid_grant_status = status);
    }

    /// What happens to every request to an endpoint, until the faults are cleared. An endpoint has one fault at a time:
    /// the one that was set last.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.provider.faults.set(endpoint, fault);
    }

    /// Ends the faults of all endpoints.
    pub fn clear_faults(&self) {
        self.provider.faults.clear();
    }

    /// Changes every token response, of codes and refresh tokens alike, before it is sent.
    pub fn edit_token_response(&self, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.set(|settings| settings.edit_token_response = Some(Arc::new(edit)));
    }

    /// Changes the claims of every ID token before it is signed.
    pub fn edit_id_token(&self, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.set(|settings| settings.edit_id_token = Some(Arc::new(edit)));
    }

    /// How ID tokens are signed. Normally, unless set.
    pub fn sign_id_tokens(&self, signing: Signing) {
        if signing == Signing::OtherKey {
            // Made now rather than in the middle of a request, which is also where a failure shows.
            drop(self.keys().other());
        }
        self.set(|settings| settings.signing = signing);
    }

    /// Signs with a new key from now on. The old one is listed before it in `/jwk.json`, or no more.
    pub fn rotate_keys(&self, keep_old: bool) {
        let mut keys = self.keys();
        keys.rotate(keep_old);
        drop(keys.current());
        self.set(|settings| settings.keys = keys);
    }

    /// Takes back everything that a person agreed to: all their tokens end, and codes that were not redeemed.
    pub fn revoke_person(&self, person: &str) {
        self.provider.state().grants.revoke_person(person);
    }

    fn keys(&self) -> keys::KeyRing {
        self.provider.state().settings.keys.clone()
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.provider.state().settings);
    }
}

impl Drop for StandIn {
    /// Waits for the server to end, so that its port is free afterwards.
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.server.take() {
            drop(stop);
            drop(thread.join());
        }
    }
}
