//! The data of the stand-in, and the settings that its owner can change while it runs.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use serde_json::Value;
use url::form_urlencoded;

use crate::{
    Pkce, RefreshTokens, Signing, UnknownPolicies, faults::Faults, grants::Grants, groups::Memberships, keys::KeyRing,
    session::Session,
};

/// The lifetime of Globus's tokens, in seconds: 48 hours.
pub(crate) const LIFETIME: u64 = 172_800;

pub(crate) type Edit = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// One running stand-in.
pub(crate) struct Provider {
    /// Its address, which is also the issuer.
    pub(crate) url: String,
    pub(crate) faults: Faults,
    state: Mutex<State>,
}

/// What changes while it runs.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) redirect_uris: BTreeSet<String>,
    pub(crate) settings: Settings,
    /// The sessions at the stand-in itself, by the value of its cookie.
    pub(crate) sessions: HashMap<String, Session>,
    pub(crate) grants: Grants,
    pub(crate) memberships: Memberships,
    /// The parameters of each authorization request, in order.
    pub(crate) authorize_requests: Vec<Vec<(String, String)>>,
}

/// Cloned from the state before they are used, so that an edit may itself call the stand-in.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Seconds.
    pub(crate) lifetime: u64,
    pub(crate) refresh_tokens: RefreshTokens,
    pub(crate) invalid_grant_status: StatusCode,
    pub(crate) signing: Signing,
    pub(crate) pkce: Pkce,
    pub(crate) keys: KeyRing,
    pub(crate) edit_token_response: Option<Edit>,
    pub(crate) edit_id_token: Option<Edit>,
    pub(crate) edit_introspection: Option<Edit>,
    /// Whether claims have the identity set.
    pub(crate) identity_set: bool,
    /// How long ago a user logs in, in seconds.
    pub(crate) log_in_ago: u64,
    /// Whether introspection shows sessions without authentications.
    pub(crate) forget_authentications: bool,
    pub(crate) unknown_policies: UnknownPolicies,
    /// Whether memberships are listed whichever statuses a client asks for.
    pub(crate) all_memberships: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: LIFETIME,
            refresh_tokens: RefreshTokens::Same,
            invalid_grant_status: StatusCode::BAD_REQUEST,
            signing: Signing::Normal,
            pkce: Pkce::Checked,
            keys: KeyRing::default(),
            edit_token_response: None,
            edit_id_token: None,
            edit_introspection: None,
            identity_set: true,
            log_in_ago: 0,
            forget_authentications: false,
            unknown_policies: UnknownPolicies::Absent,
            all_memberships: false,
        }
    }
}

impl Provider {
    pub(crate) fn new(url: String, redirect_uris: &[&str]) -> Self {
        let state =
            State { redirect_uris: redirect_uris.iter().map(ToString::to_string).collect(), ..State::default() };
        Self { url, faults: Faults::default(), state: Mutex::new(state) }
    }

    /// Keeps the parameters of an authorization request.
    pub(crate) fn record(&self, query: &str) {
        let parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        self.state().authorize_requests.push(parameters);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
