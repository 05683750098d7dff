//! A strict local stand-in for Globus Auth, and a little of Globus Transfer and Globus Groups, with Globus's formats, for the local run and the tests.
//!
//! It is as strict as Globus is known to be, and can simulate failures: [`Fault`]s, key rotations, tokens that expire
//! early. All its data is in memory, and nothing leaves the machine. No published crate has Globus's formats: RS512
//! without `kid`, and a token for each service in `other_tokens`.
//!
//! Where to look first:
//! - `server`: the thread and the routes; `faults`: the deliberate faults
//! - `browser`: the pages for users; `authorize`: the rules of an authorization request
//! - [`people`]: who can log in, and with which identities; `session`: who has, and when; `requirements`, [`policies`]:
//!   what an application may require of that
//! - `transfer`, `my_groups`: the one endpoint of Globus Transfer, and of Globus Groups, that is here; [`groups`]: who is
//!   in which group
//! - `token`, `introspect`, `api`: the endpoints for API clients; `grants`: which codes and tokens are still valid
//! - `claims`: what is said of a user; `id_token`, `keys`: what is signed, and with which key

mod api;
mod authorize;
mod browser;
mod claims;
mod faults;
mod grants;
pub mod groups;
mod id_token;
mod introspect;
mod keys;
mod my_groups;
mod pages;
mod params;
pub mod people;
pub mod policies;
mod provider;
mod random;
mod refusal;
mod requirements;
mod scopes;
mod server;
mod session;
#[cfg(test)]
mod tests;
mod token;
mod transfer;

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

pub use faults::{Endpoint, Exchange, Fault};

use authorize::Refused;
use browser::Choice;
use groups::Status;
use provider::{Provider, Settings};

/// The one application that is registered here.
pub const CLIENT_ID: &str = "7fb58e00-0000-4000-8000-000000000000";

/// Its secret, in the shape of Globus's: 44 characters of base64, with the three that are not letters or digits.
pub const CLIENT_SECRET: &str = "c3RhbmQt+W4gc2VjcmV0/G5vdCBmb3IgR2xvYnVzIQA=";

/// The refresh token in a refresh response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshTokens {
    /// The one that the client sent.
    Same,
    /// A new one. The one that the client sent is revoked.
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
    /// The same, with this key in the header (`jwk`), where it cannot be believed
    /// ([RFC 7515, section 4.1.3](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.3)).
    OtherKeyInHeader,
    /// No signature (`alg` is `none`).
    Unsigned,
    /// HS512, with the bytes of the public key as the secret: algorithm confusion
    /// ([RFC 8725, section 2.1](https://www.rfc-editor.org/rfc/rfc8725#section-2.1)).
    HmacWithPublicKey,
}

/// What becomes of the verifier of a code
/// ([RFC 7636, section 4.6](https://www.rfc-editor.org/rfc/rfc7636#section-4.6)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// It must match the challenge, and one without the other is refused.
    Checked,
    /// It is not looked at, as by an authorization server without PKCE.
    Ignored,
}

/// What introspection says of a policy that does not exist. Globus documents neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPolicies {
    /// Nothing: the evaluation is missing.
    Absent,
    /// The request is refused (`invalid_request`).
    Refused,
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
    /// Starts a stand-in on this port of 127.0.0.1. Port 0 means any free port. Browsers are sent back to these URIs
    /// only. The first stand-in of a process generates a key, which takes a second or two.
    pub async fn start(port: u16, redirect_uris: &[&str]) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let provider = Arc::new(Provider::new(url, redirect_uris));
        let (stop, stopped) = oneshot::channel();
        let (started, ready) = oneshot::channel();
        let server = Arc::clone(&provider);
        let thread = thread::Builder::new().name("globus-stand-in".to_owned()).spawn(move || {
            // Generated before the first request, which could time out otherwise.
            let key = server.state().settings.keys.current();
            drop(started.send(key.map(drop)));
            server::run(listener, server, stopped)
        })?;
        let stand_in = Self { provider, server: Some((stop, thread)) };
        ready.await.map_err(io::Error::other)??;
        Ok(stand_in)
    }

    /// The URL of the stand-in, such as `http://127.0.0.1:9100`. It is also the issuer of the ID tokens.
    pub fn url(&self) -> &str {
        &self.provider.url
    }

    /// Registers another URI that browsers may be sent back to. It is compared character by character.
    pub fn register_redirect_uri(&self, uri: &str) {
        self.provider.state().redirect_uris.insert(uri.to_owned());
    }

    /// Does what a user does in a browser, but without one: follows the URL of an authorization request and logs in.
    /// Gives the URL of the callback, or the text of the page that Globus shows instead. If the application requires a
    /// domain, an identity, a policy or a second factor, the user logs in with an identity that has it, if there is one.
    ///
    /// No request is counted, and the stand-in keeps no session.
    #[expect(clippy::unused_async, reason = "callers await it as they would await a browser")]
    pub async fn sign_in(&self, authorize_url: &str, person: &str) -> Result<String, String> {
        let person = people::find(person).ok_or("There is no such person.")?;
        self.decide(authorize_url, Choice::SignIn(person))
    }

    /// The same for a user who presses Deny.
    #[expect(clippy::unused_async, reason = "callers await it as they would await a browser")]
    pub async fn deny(&self, authorize_url: &str) -> Result<String, String> {
        self.decide(authorize_url, Choice::Deny)
    }

    fn decide(&self, authorize_url: &str, choice: Choice) -> Result<String, String> {
        let url = Url::parse(authorize_url).map_err(|error| error.to_string())?;
        if url.origin().ascii_serialization() != self.url() || url.path() != "/v2/oauth2/authorize" {
            return Err("The URL leads elsewhere.".to_owned());
        }
        let query = url.query().unwrap_or_default();
        self.provider.record(query);
        match browser::decide(&self.provider, query, None, choice) {
            Ok((callback, _)) | Err(Refused::Told(callback)) => Ok(callback),
            Err(Refused::Shown(text)) => Err(text.to_owned()),
            Err(Refused::Stays(text)) => Err(text),
        }
    }

    /// How many requests an endpoint has received, including those with a fault.
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.provider.faults.exchanges().iter().filter(|exchange| exchange.endpoint == endpoint).count()
    }

    /// Every request that an endpoint has received, in the order of arrival.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.provider.faults.exchanges().clone()
    }

    /// The parameters of each authorization request, in order: of a browser, of [`Self::sign_in`] and of [`Self::deny`].
    pub fn authorize_requests(&self) -> Vec<Vec<(String, String)>> {
        self.provider.state().authorize_requests.clone()
    }

    /// A parameter of the last authorization request.
    pub fn last_authorize_parameter(&self, name: &str) -> Option<String> {
        let last = self.authorize_requests().pop()?;
        last.into_iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// Every access and refresh token ever issued, in order.
    pub fn issued_tokens(&self) -> Vec<String> {
        self.provider.state().grants.secrets()
    }

    /// Whether the token was issued here and then revoked, for any reason.
    pub fn is_revoked(&self, token: &str) -> bool {
        self.provider.state().grants.is_revoked(token)
    }

    /// Whether the token was issued here, is not revoked, and has not expired.
    pub fn is_active(&self, token: &str) -> bool {
        let state = self.provider.state();
        state.grants.active(token, grants::now()).is_some()
    }

    /// The id of the user that the token was issued for, if it was issued here.
    pub fn whose(&self, token: &str) -> Option<&'static str> {
        self.provider.state().grants.whose(token)
    }

    /// Sets the lifetime of access tokens that are issued from now on, in seconds. The default is Globus's: 172800.
    pub fn expire_tokens_in(&self, seconds: u64) {
        self.set(|settings| settings.lifetime = seconds);
    }

    /// Sets which refresh token is in refresh responses. The default is [`RefreshTokens::Same`].
    pub fn refresh_tokens(&self, refresh_tokens: RefreshTokens) {
        self.set(|settings| settings.refresh_tokens = refresh_tokens);
    }

    /// Sets the status code of `invalid_grant`. The default is 400; 401 has been seen too. A code that is not valid in
    /// HTTP becomes 400.
    pub fn invalid_grant_status(&self, status: u16) {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        self.set(|settings| settings.invalid_grant_status = status);
    }

    /// Sets what happens to every request to an endpoint, until the faults are cleared. An endpoint has one fault at a
    /// time: the last one that was set.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.provider.faults.set(endpoint, fault);
    }

    /// Clears the faults of all endpoints.
    pub fn clear_faults(&self) {
        self.provider.faults.clear();
    }

    /// Changes every token response before it is sent, for codes and for refresh tokens.
    pub fn edit_token_response(&self, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.set(|settings| settings.edit_token_response = Some(Arc::new(edit)));
    }

    /// Changes the claims of every ID token before it is signed.
    pub fn edit_id_token(&self, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.set(|settings| settings.edit_id_token = Some(Arc::new(edit)));
    }

    /// Changes every introspection of an active token before it is sent.
    pub fn edit_introspection(&self, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.set(|settings| settings.edit_introspection = Some(Arc::new(edit)));
    }

    /// Sets whether introspection shows every session without authentications, as Globus may after a silent single
    /// sign-on. Then no policy holds.
    pub fn forget_authentications(&self, forget: bool) {
        self.set(|settings| settings.forget_authentications = forget);
    }

    /// Sets what introspection says of a policy that does not exist. The default is [`UnknownPolicies::Absent`].
    pub fn unknown_policies(&self, unknown_policies: UnknownPolicies) {
        self.set(|settings| settings.unknown_policies = unknown_policies);
    }

    /// Sets whether the claims of ID tokens and of userinfo lack the identity set. By default they have it with `openid`.
    pub fn leave_out_identity_set(&self, leave_out: bool) {
        self.set(|settings| settings.identity_set = !leave_out);
    }

    /// From now on, users have logged in this long before they come back to the application, in seconds.
    pub fn log_in_ago(&self, seconds: u64) {
        self.set(|settings| settings.log_in_ago = seconds);
    }

    /// Gives a user's membership in a group this status; one who has none becomes a member. The groups are in
    /// [`groups`].
    pub fn set_membership(&self, person: &str, group: &str, status: Status) -> Result<(), &'static str> {
        self.provider.state().memberships.set(person, group, status)
    }

    /// Removes a user from a group: the membership stays, with another status.
    pub fn remove_from_group(&self, person: &str, group: &str) -> Result<(), &'static str> {
        self.set_membership(person, group, Status::Removed)
    }

    /// Sets whether the list of groups has memberships of every status, whichever the client asks for.
    pub fn list_all_memberships(&self, all: bool) {
        self.set(|settings| settings.all_memberships = all);
    }

    /// Sets what becomes of verifiers. The default is [`Pkce::Checked`].
    pub fn pkce(&self, pkce: Pkce) {
        self.set(|settings| settings.pkce = pkce);
    }

    /// Sets how ID tokens are signed. The default is [`Signing::Normal`].
    pub fn sign_id_tokens(&self, signing: Signing) {
        if matches!(signing, Signing::OtherKey | Signing::OtherKeyInHeader) {
            // Generated now rather than during a request. A failure shows in the request.
            drop(self.keys().other());
        }
        self.set(|settings| settings.signing = signing);
    }

    /// Signs with a new key from now on. With `keep_old` the old key stays in `/jwk.json`, before the new one.
    pub fn rotate_keys(&self, keep_old: bool) {
        let mut keys = self.keys();
        keys.rotate(keep_old);
        drop(keys.current());
        self.set(|settings| settings.keys = keys);
    }

    /// Withdraws a user's consent: revokes all the user's tokens, and the codes that are not redeemed yet.
    pub fn revoke_person(&self, person: &str) {
        self.provider.state().grants.revoke_person(person);
    }

    /// The content of `/jwk.json`.
    pub fn key_set(&self) -> io::Result<Value> {
        self.keys().jwks()
    }

    /// An ID token with this header and these claims, whatever they are, under a genuine signature.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> io::Result<String> {
        id_token::signed(&*self.keys().current()?, header, claims)
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
