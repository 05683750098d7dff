//! The rules of an authorization request
//! ([RFC 6749, section 4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)).

use std::collections::BTreeSet;

use url::Url;

use crate::{
    CLIENT_ID, grants::Grant, params::Params, provider::Provider, requirements::Requirements, scopes, session::Session,
};

/// A valid request, ready for the user's decision.
pub(crate) struct Request {
    callback: Url,
    redirect_uri: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    offline: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) prompt: Prompt,
    pub(crate) requirements: Requirements,
}

/// The `prompt` parameter: whether the user sees the sign-in page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prompt {
    /// Only if the browser is not logged in at the stand-in.
    Default,
    /// Always.
    Login,
    /// Never.
    None,
}

/// A refused request: where the error is reported.
pub(crate) enum Refused {
    /// Shown on a page at Globus. The browser is never sent to a URL that is not registered for the application.
    Shown(&'static str),
    /// The user stays at Globus, having logged in with no identity that the application requires.
    Stays(String),
    /// Reported to the application: the URL to send the browser to.
    Told(String),
}

impl Request {
    /// Checks the query of an authorization request.
    pub(crate) fn check(query: &str, redirect_uris: &BTreeSet<String>) -> Result<Self, Refused> {
        let params = Params::parse(query).ok_or(Refused::Shown("A parameter stands twice."))?;
        if params.get("client_id") != Some(CLIENT_ID) {
            return Err(Refused::Shown("Invalid client_id parameter value."));
        }
        let mismatch = || Refused::Shown("Mismatching redirect URI.");
        let redirect_uri =
            params.get("redirect_uri").filter(|uri| redirect_uris.contains(*uri)).ok_or_else(mismatch)?;
        let scopes =
            scopes::parse(params.get("scope").unwrap_or_default()).ok_or(Refused::Shown("Unknown scope(s)"))?;
        let requirements = Requirements::parse(&params).ok_or(Refused::Shown("Unknown policy."))?;
        let owned = |name| params.get(name).map(str::to_owned);
        let request = Self {
            callback: Url::parse(redirect_uri).map_err(|_| mismatch())?,
            redirect_uri: redirect_uri.to_owned(),
            state: owned("state"),
            nonce: owned("nonce"),
            code_challenge: owned("code_challenge"),
            offline: params.get("access_type") == Some("offline"),
            scopes,
            requirements,
            prompt: match params.get("prompt") {
                Some("login") => Prompt::Login,
                Some("none") => Prompt::None,
                _ => Prompt::Default,
            },
        };
        match request.fault(&params) {
            Some((error, description)) => Err(Refused::Told(request.refuse(error, description))),
            None => Ok(request),
        }
    }

    /// Other errors of the application. Its redirect URI is valid by now, so that they can be reported to it.
    fn fault(&self, params: &Params) -> Option<(&'static str, &'static str)> {
        if params.get("response_type") != Some("code") {
            return Some(("unsupported_response_type", "Only code is supported."));
        }
        if self.scopes.is_empty() {
            return Some(("invalid_scope", "The request has no scope."));
        }
        // The digest of SHA-256 in base64url has 43 characters.
        let is_s256 = |challenge: &String| params.get("code_challenge_method") == Some("S256") && challenge.len() == 43;
        if self.code_challenge.as_ref().is_some_and(|challenge| !is_s256(challenge)) {
            return Some(("invalid_request", "PKCE must use S256."));
        }
        None
    }

    /// The callback URL with a code, for a user who agreed.
    pub(crate) fn agree(self, provider: &Provider, session: Session, now: u64) -> String {
        let Self { mut callback, state, .. } = self;
        let grant = Grant {
            session,
            redirect_uri: self.redirect_uri,
            scopes: self.scopes,
            state: state.clone(),
            nonce: self.nonce,
            code_challenge: self.code_challenge,
            offline: self.offline,
        };
        let code = provider.state().grants.code(grant, now);
        callback.query_pairs_mut().append_pair("code", &code);
        with_state(callback, state.as_deref())
    }

    /// The callback URL with an error.
    pub(crate) fn refuse(&self, error: &str, description: &str) -> String {
        let mut callback = self.callback.clone();
        callback.query_pairs_mut().append_pair("error", error).append_pair("error_description", description);
        with_state(callback, self.state.as_deref())
    }
}

fn with_state(mut callback: Url, state: Option<&str>) -> String {
    if let Some(state) = state {
        callback.query_pairs_mut().append_pair("state", state);
    }
    callback.into()
}
