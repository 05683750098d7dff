//! `POST /v2/oauth2/token/introspect`: what a token is good for, and how its user has authenticated
//! ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662),
//! <https://docs.globus.org/api/auth/reference/#token_introspection_post_v2_oauth2_token_introspect>).

use std::sync::Arc;

use axum::{Json, extract::State, http::HeaderMap};
use serde_json::{Map, Value, json};

use crate::{
    CLIENT_ID, UnknownPolicies,
    api::form,
    claims, grants,
    grants::Token,
    policies,
    provider::{Provider, Settings},
    refusal::Refusal,
    requirements::split,
    session::{Authentication, Session},
    token::authenticate,
};

/// Handles an introspection. The client's secret is in the header or in the form.
pub(crate) async fn introspect(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    body: String,
) -> Result<Json<Value>, Refusal> {
    let form = form(&headers, &body)?;
    authenticate(&headers, &form).map_err(|refusal| match refusal {
        Refusal::INVALID_CLIENT => Refusal::Unauthorized,
        other => other,
    })?;
    let secret = form.get("token").ok_or(Refusal::INVALID_REQUEST)?;
    let settings = provider.state().settings.clone();
    let (mut about, mut session) = {
        let state = provider.state();
        let Some(token) = state.grants.active(secret, grants::now()) else {
            return Ok(Json(json!({ "active": false })));
        };
        (described(token, &provider.url), token.grant.session.clone())
    };
    if settings.forget_authentications {
        session.authentications.clear();
    }
    for include in split(form.get("include").unwrap_or_default()) {
        match include.as_str() {
            "session_info" => about["session_info"] = session_info(&session),
            "identity_set" => about["identity_set"] = subs(&session),
            "identity_set_detail" => about["identity_set_detail"] = detail(&session),
            _ => {}
        }
    }
    if let Some(asked) = form.get("authentication_policies") {
        about["policy_evaluations"] = evaluations(asked, &session, &settings)?;
    }
    if let Some(edit) = &settings.edit_introspection {
        edit(&mut about);
    }
    Ok(Json(about))
}

/// What is always there.
fn described(token: &Token, issuer: &str) -> Value {
    let person = token.grant.session.person;
    json!({
        "active": true,
        "token_type": "Bearer",
        "scope": token.service.scopes.join(" "),
        "client_id": CLIENT_ID,
        "username": person.username,
        "name": person.name,
        "email": person.email,
        "sub": person.sub,
        "aud": [token.service.name, CLIENT_ID],
        "iss": issuer,
        "exp": token.expires,
        "iat": token.issued,
        "nbf": token.issued,
    })
}

/// The identities that have authenticated in the session. Without a second factor, `amr` is null.
fn session_info(session: &Session) -> Value {
    let authentication = |authentication: &Authentication| {
        let Authentication { identity, at, mfa } = authentication;
        let value = json!({
            "idp": identity.provider.id,
            "auth_time": at,
            "acr": null,
            "amr": mfa.then_some(["mfa"]),
            "custom_claims": {},
        });
        (identity.sub.to_owned(), value)
    };
    let authentications: Map<_, _> = session.authentications.iter().map(authentication).collect();
    json!({ "session_id": session.id, "authentications": authentications })
}

fn subs(session: &Session) -> Value {
    let entries = session.person.identities().map(claims::described).chain(claims::more_linked(session.person));
    entries.map(|mut entry| entry["sub"].take()).collect()
}

/// All identities of the user. The status is no matter of the session: `used` says that the user has logged in with the
/// identity at any time.
fn detail(session: &Session) -> Value {
    let with_status = |mut entry: Value, status: &str| {
        entry["identity_type"] = "login".into();
        entry["status"] = status.into();
        entry
    };
    let used = session.person.identities().map(|identity| with_status(claims::described(identity), "used"));
    let unused = claims::more_linked(session.person).map(|entry| with_status(entry, "unused"));
    used.chain(unused).collect()
}

/// Whether the session fulfils each policy of a list with commas.
fn evaluations(asked: &str, session: &Session, settings: &Settings) -> Result<Value, Refusal> {
    let now = grants::now();
    let mut evaluations = Map::new();
    for id in split(asked) {
        match policies::find(&id) {
            Some(policy) => {
                let holds = policy.demand().met_by(&session.authentications, now);
                evaluations.insert(id, json!({ "evaluation": holds }));
            }
            None if settings.unknown_policies == UnknownPolicies::Refused => return Err(Refusal::INVALID_REQUEST),
            None => {}
        }
    }
    Ok(evaluations.into())
}
