//! The data of the stand-in, and the settings that its owner can change while it runs.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use serde_json::Value;

use crate::{RefreshTokens, Signing, faults::Faults, grants::Grants, keys::KeyRing, people::Person};

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
}

/// Cloned from the state before they are used, so that an edit may itself call the stand-in.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Seconds.
    pub(crate) lifetime: u64,
    pub(crate) refresh_tokens: RefreshTokens,
    pub(crate) invalid_grant_status: StatusCode,
    pub(crate) signing: Signing,
    pub(crate) keys: KeyRing,
    pub(crate) edit_token_response: Option<Edit>,
    pub(crate) edit_id_token: Option<Edit>,
}

/// The session of a user who logged in with a browser.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    pub(crate) person: &'static Person,
    /// Seconds since the epoch.
    pub(crate) authenticated: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lifetime: LIFETIME,
            refresh_tokens: RefreshTokens::Same,
            invalid_grant_status: StatusCode::BAD_REQUEST,
            signing: Signing::Normal,
            keys: KeyRing::default(),
            edit_token_response: None,
            edit_id_token: None,
        }
    }
}

impl Provider {
    pub(crate) fn new(url: String, redirect_uris: &[&str]) -> Self {
        let state =
            State { redirect_uris: redirect_uris.iter().map(ToString::to_string).collect(), ..State::default() };
        Self { url, faults: Faults::default(), state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
