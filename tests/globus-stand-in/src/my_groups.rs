//! The one endpoint of Globus Groups that is here: the groups of a user.
//!
//! <https://docs.globus.org/api/groups/>,
//! <https://groups.api.globus.org/redoc#tag/groups/operation/get_my_groups_and_memberships_v2_groups_my_groups_get>

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    api::authorization,
    grants,
    groups::{GROUPS, Group, Membership, Memberships, Status},
    params::Params,
    people::{Identity, Person},
    provider::Provider,
    requirements::split,
};

/// The name of Globus Groups as a service.
const GROUPS_SERVICE: &str = "groups.api.globus.org";

/// The scopes with which the groups can be read.
const SCOPES: [&str; 2] = [
    "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships",
    "urn:globus:auth:scope:groups.api.globus.org:all",
];

/// A request that is refused, with a code in the body.
pub(crate) enum Refused {
    /// The header is missing or malformed.
    Unauthenticated,
    /// The token is not valid, or is for another service.
    InvalidToken,
    /// The token has only these scopes.
    Forbidden(Vec<String>),
    UnknownStatus,
}

/// `GET /v2/groups/my_groups`: the groups that any identity of the user is in, with the memberships. Without `statuses`,
/// only active memberships count.
pub(crate) async fn my_groups(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Refused> {
    let person = person(&provider, &headers)?;
    let statuses = statuses(query.as_deref().unwrap_or_default()).ok_or(Refused::UnknownStatus)?;
    let state = provider.state();
    let statuses = if state.settings.all_memberships { Status::ALL.to_vec() } else { statuses };
    let identities: Vec<Identity> = person.identities().collect();
    let groups = GROUPS.iter().filter_map(|group| described(group, &state.memberships, &identities, &statuses));
    Ok(Json(groups.collect()))
}

/// The user of the token.
fn person(provider: &Provider, headers: &HeaderMap) -> Result<&'static Person, Refused> {
    let bearer = authorization(headers, "Bearer").ok_or(Refused::Unauthenticated)?;
    let state = provider.state();
    let token = state.grants.active_access(bearer, grants::now());
    let token = token.filter(|token| token.service.name == GROUPS_SERVICE).ok_or(Refused::InvalidToken)?;
    let scopes = &token.service.scopes;
    if scopes.iter().any(|scope| SCOPES.contains(&scope.as_str())) {
        Ok(token.grant.session.person)
    } else {
        Err(Refused::Forbidden(scopes.clone()))
    }
}

impl IntoResponse for Refused {
    /// The codes of 401 are documented; the other two, and every text, are not.
    fn into_response(self) -> Response {
        let (status, code, detail) = match &self {
            Self::Unauthenticated => {
                (StatusCode::UNAUTHORIZED, "AUTHENTICATION_ERROR", "The header Authorization is missing or malformed.")
            }
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "INVALID_TOKEN", "The token is not valid here."),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "FORBIDDEN", "The token has no scope for this."),
            Self::UnknownStatus => (StatusCode::UNPROCESSABLE_ENTITY, "VALIDATION_ERROR", "There is no such status."),
        };
        let mut body = json!({ "code": code, "detail": detail });
        if let Self::Forbidden(scopes) = self {
            body["provided_scopes"] = scopes.into();
        }
        (status, Json(body)).into_response()
    }
}

/// The statuses that the client asks for; `None` if there is no such status.
fn statuses(query: &str) -> Option<Vec<Status>> {
    let query = Params::parse(query)?;
    let by_word = |word: String| Status::ALL.into_iter().find(|status| status.word() == word);
    query.get("statuses").map_or(Some(vec![Status::Active]), |statuses| split(statuses).map(by_word).collect())
}

/// A group, if one of the identities has such a membership in it.
fn described(group: &Group, memberships: &Memberships, identities: &[Identity], statuses: &[Status]) -> Option<Value> {
    let membership = |membership: &Membership| {
        json!({
            "group_id": group.id,
            "identity_id": membership.identity.sub,
            "username": membership.identity.username,
            "role": membership.role,
            "status": membership.status.word(),
        })
    };
    let memberships = memberships.of(group, identities).filter(|membership| statuses.contains(&membership.status));
    let memberships: Vec<Value> = memberships.map(membership).collect();
    (!memberships.is_empty()).then(|| {
        json!({
            "name": group.name,
            "parent_id": null,
            "id": group.id,
            "group_type": "regular",
            "enforce_session": false,
            "session_limit": 28_800,
            "session_timeouts": {},
            "my_memberships": memberships,
            "policies": { "group_visibility": "private", "group_members_visibility": "managers" },
        })
    })
}
