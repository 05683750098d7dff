//! `POST /v2/oauth2/token`: exchanges codes and refresh tokens for access tokens.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL},
    },
    response::IntoResponse,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    CLIENT_ID, CLIENT_SECRET, RefreshTokens,
    api::{authorization, form, is_client},
    grants::{self, Grant, Redemption},
    id_token,
    params::Params,
    provider::{Provider, Settings},
    refusal::Refusal,
    scopes::{self, Service},
};

/// Globus's token response: one token for each service, the first on top and the others in a list.
#[derive(Serialize)]
struct TokenResponse {
    access_token: String,
    expires_in: u64,
    token_type: &'static str,
    scope: String,
    resource_server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// Only on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_tokens: Option<Vec<TokenResponse>>,
}

/// Handles a token request: first authenticates the client, then issues tokens by grant type.
pub(crate) async fn token(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    body: String,
) -> Result<impl IntoResponse, Refusal> {
    let form = form(&headers, &body)?;
    authenticate(&headers, &form)?;
    let settings = provider.state().settings.clone();
    let tokens = match form.get("grant_type") {
        Some("authorization_code") => redeem(&provider, &settings, &form)?,
        Some("refresh_token") => refresh(&provider, &settings, &form)?,
        Some(_) => {
            let status = StatusCode::BAD_REQUEST;
            return Err(Refusal::OAuth(status, "unsupported_grant_type"));
        }
        None => return Err(Refusal::INVALID_REQUEST),
    };
    let mut response = serde_json::to_value(tokens).map_err(|_| Refusal::BROKEN)?;
    if let Some(edit) = &settings.edit_token_response {
        edit(&mut response);
    }
    Ok(([(CACHE_CONTROL, "no-store")], Json::<Value>(response)))
}

/// Checks the client's secret, which is in the header or in the form, but not in both
/// ([RFC 6749, section 2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)).
pub(crate) fn authenticate(headers: &HeaderMap, form: &Params) -> Result<(), Refusal> {
    let secret = form.get("client_secret");
    let ours = if headers.contains_key(AUTHORIZATION) {
        if secret.is_some() {
            return Err(Refusal::INVALID_REQUEST);
        }
        authorization(headers, "Basic").is_some_and(is_client)
    } else {
        form.get("client_id") == Some(CLIENT_ID) && secret == Some(CLIENT_SECRET)
    };
    if ours { Ok(()) } else { Err(Refusal::INVALID_CLIENT) }
}

fn redeem(provider: &Provider, settings: &Settings, form: &Params) -> Result<TokenResponse, Refusal> {
    let redemption = Redemption {
        code: form.get("code").ok_or(Refusal::INVALID_REQUEST)?,
        redirect_uri: form.get("redirect_uri").ok_or(Refusal::INVALID_REQUEST)?,
        code_verifier: form.get("code_verifier"),
        pkce: settings.pkce,
    };
    let now = grants::now();
    let mut state = provider.state();
    let grant = state.grants.redeem(&redemption, now).ok_or_else(|| invalid_grant(settings))?;
    let mut tokens = scopes::by_service(&grant.scopes).into_iter().map(|service| {
        let access = state.grants.access_token(&grant, &service, settings.lifetime, now);
        let refresh = grant.offline.then(|| state.grants.refresh_token(&grant, &service, now));
        TokenResponse::new(access, refresh, service, settings.lifetime, grant.state.clone())
    });
    let mut top = tokens.next().ok_or(Refusal::INVALID_REQUEST)?;
    top.other_tokens = Some(tokens.collect());
    drop(state);
    if grant.scopes.iter().any(|scope| scope == "openid") {
        let id_token = id_token::make(settings, &provider.url, &grant, &top.access_token, now);
        top.id_token = Some(id_token.map_err(|_| Refusal::BROKEN)?);
    }
    Ok(top)
}

/// The response for one service, without an ID token.
fn refresh(provider: &Provider, settings: &Settings, form: &Params) -> Result<TokenResponse, Refusal> {
    let secret = form.get("refresh_token").ok_or(Refusal::INVALID_REQUEST)?;
    let now = grants::now();
    let mut state = provider.state();
    let (grant, service): (Arc<Grant>, Service) = state
        .grants
        .active_refresh(secret, now)
        .map(|token| (Arc::clone(&token.grant), token.service.clone()))
        .ok_or_else(|| invalid_grant(settings))?;
    let access = state.grants.access_token(&grant, &service, settings.lifetime, now);
    let refresh = match settings.refresh_tokens {
        RefreshTokens::Same => Some(secret.to_owned()),
        RefreshTokens::Absent => None,
        RefreshTokens::Rotated => {
            state.grants.revoke(secret);
            Some(state.grants.refresh_token(&grant, &service, now))
        }
    };
    let mut tokens = TokenResponse::new(access, refresh, service, settings.lifetime, None);
    tokens.other_tokens = Some(Vec::new());
    Ok(tokens)
}

impl TokenResponse {
    fn new(
        access_token: String,
        refresh_token: Option<String>,
        service: Service,
        expires_in: u64,
        state: Option<String>,
    ) -> Self {
        Self {
            access_token,
            expires_in,
            token_type: "Bearer",
            scope: service.scopes.join(" "),
            resource_server: service.name,
            state,
            refresh_token,
            id_token: None,
            other_tokens: None,
        }
    }
}

fn invalid_grant(settings: &Settings) -> Refusal {
    Refusal::OAuth(settings.invalid_grant_status, "invalid_grant")
}
