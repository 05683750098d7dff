//! The endpoints for API clients: revocation, userinfo, keys and discovery.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    CLIENT_ID, CLIENT_SECRET, claims, grants, params::Params, provider::Provider, refusal::Refusal, scopes::GLOBUS_AUTH,
};

type Shared = State<Arc<Provider>>;

/// `POST /v2/oauth2/token/revoke`, with the client's credentials in the header. A token that was never issued gets the
/// same response ([RFC 7009, section 2.2](https://www.rfc-editor.org/rfc/rfc7009#section-2.2)).
pub(crate) async fn revoke(State(provider): Shared, headers: HeaderMap, body: String) -> Result<Json<Value>, Refusal> {
    let token = presented_token(&headers, &body)?;
    provider.state().grants.revoke(&token);
    Ok(Json(json!({ "active": false })))
}

/// `GET` or `POST /v2/oauth2/userinfo`, with a token for Globus Auth itself.
pub(crate) async fn userinfo(State(provider): Shared, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let bearer = authorization(&headers, "Bearer").ok_or(Refusal::Unauthorized)?;
    let state = provider.state();
    let token = state.grants.active_access(bearer, grants::now()).ok_or(Refusal::Unauthorized)?;
    if token.service.name != GLOBUS_AUTH {
        return Err(Refusal::Forbidden);
    }
    let grant = &token.grant;
    let claims = claims::of(&grant.session, &grant.scopes, &state.settings);
    Ok(Json(claims.into()))
}

/// `GET /jwk.json`
pub(crate) async fn jwks(State(provider): Shared) -> Response {
    let keys = provider.state().settings.keys.clone();
    keys.jwks().map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), |keys| Json(keys).into_response())
}

/// `GET /.well-known/openid-configuration`. Like Globus's, it names neither PKCE methods nor a logout endpoint.
pub(crate) async fn discovery(State(provider): Shared) -> Json<Value> {
    let url = |path| format!("{}{path}", provider.url);
    Json(json!({
        "issuer": provider.url,
        "authorization_endpoint": url("/v2/oauth2/authorize"),
        "token_endpoint": url("/v2/oauth2/token"),
        "userinfo_endpoint": url("/v2/oauth2/userinfo"),
        "revocation_endpoint": url("/v2/oauth2/token/revoke"),
        "jwks_uri": url("/jwk.json"),
        "response_types_supported": ["code", "token", "token id_token", "id_token"],
        "id_token_signing_alg_values_supported": ["RS512"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "claims_supported": [
            "at_hash", "aud", "email", "exp", "name", "nonce", "preferred_username", "iat", "iss", "sub"
        ],
        "subject_types_supported": ["public"],
    }))
}

/// Parses the body of a request as a form.
pub(crate) fn form(headers: &HeaderMap, body: &str) -> Result<Params, Refusal> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(|content_type| {
        let (kind, _) = content_type.split_once(';').unwrap_or((content_type, ""));
        kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    });
    let form = is_form.then(|| Params::parse(body)).flatten();
    form.ok_or(Refusal::INVALID_REQUEST)
}

/// Whether the header contains our client's id and secret. Globus's own SDK sends both unchanged, without the
/// percent-encoding of [RFC 6749, section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1).
pub(crate) fn is_client(basic: &str) -> bool {
    let expected = format!("{CLIENT_ID}:{CLIENT_SECRET}");
    STANDARD.decode(basic).is_ok_and(|given| given == expected.as_bytes())
}

/// The credentials after the scheme in the `Authorization` header.
pub(crate) fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (given, credentials) = value.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(credentials)
}

/// The token that the request is about, if the client is authenticated.
fn presented_token(headers: &HeaderMap, body: &str) -> Result<String, Refusal> {
    if !authorization(headers, "Basic").is_some_and(is_client) {
        return Err(Refusal::Unauthorized);
    }
    let form = form(headers, body)?;
    let token = form.get("token").ok_or(Refusal::INVALID_REQUEST)?;
    Ok(token.to_owned())
}
