//! The one endpoint of Globus Transfer that is here: the list of a user's tasks. They are invented: nothing is transferred.
//!
//! <https://docs.globus.org/api/transfer/task/>

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};

use crate::{api::authorization, grants, params::Params, provider::Provider, random};

/// The name of Globus Transfer as a service.
const TRANSFER: &str = "transfer.api.globus.org";

/// How many tasks are listed if the client does not say.
const LIMIT: usize = 10;

/// `GET /v0.10/task_list`, with a token for Globus Transfer. Of the query, `limit` and `fields` count; the order is always
/// the newest first.
pub(crate) async fn task_list(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let bearer = authorization(&headers, "Bearer").unwrap_or_default();
    let username = {
        let state = provider.state();
        let token = state.grants.active_access(bearer, grants::now());
        token.filter(|token| token.service.name == TRANSFER).map(|token| token.grant.session.person.username)
    };
    let Some(username) = username else {
        return refusal(StatusCode::UNAUTHORIZED, "AuthenticationFailed", "Token is not active");
    };
    let Some(query) = Params::parse(&query.unwrap_or_default()) else {
        return refusal(StatusCode::BAD_REQUEST, "BadRequest", "A parameter occurs twice");
    };
    let limit = query.get("limit").map_or(Some(LIMIT), |limit| limit.parse().ok());
    let Some(limit) = limit.filter(|limit| (1..=1000).contains(limit)) else {
        return refusal(StatusCode::BAD_REQUEST, "BadRequest", "The limit is no number from 1 to 1000");
    };
    let tasks = tasks(username);
    let total = tasks.len();
    let mut data: Vec<Value> = tasks.into_iter().take(limit).collect();
    if let Some(fields) = query.get("fields") {
        data.iter_mut().filter_map(Value::as_object_mut).for_each(|task| retain(task, fields));
    }
    let list = json!({
        "DATA_TYPE": "task_list",
        "length": data.len(),
        "limit": limit,
        "offset": 0,
        "total": total,
        "DATA": data,
    });
    Json(list).into_response()
}

fn retain(task: &mut Map<String, Value>, fields: &str) {
    task.retain(|name, _| name == "DATA_TYPE" || fields.split(',').any(|field| field == name));
}

/// The error format of Globus Transfer, which is not that of Globus Auth.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({ "code": code, "message": message, "request_id": random::code(), "resource": "/task_list" });
    (status, Json(body)).into_response()
}

/// A task of each kind: under way, done, suspended, and a deletion that failed.
fn tasks(username: &str) -> Vec<Value> {
    let task = |changes: Value| {
        let mut task = json!({
            "DATA_TYPE": "task",
            "task_id": random::uuid(),
            "type": "TRANSFER",
            "status": "SUCCEEDED",
            "label": null,
            "username": username,
            "request_time": "2025-02-03T12:00:00+00:00",
            "completion_time": null,
            "source_endpoint_display_name": "Beamline 7 detector",
            "destination_endpoint_display_name": "Campus cluster, project space",
            "nice_status": null,
        });
        for (name, value) in changes.as_object().into_iter().flatten() {
            task[name] = value.clone();
        }
        task
    };
    vec![
        task(json!({
            "status": "ACTIVE", "label": "Detector images, run 42", "nice_status": "OK",
            "request_time": "2025-02-03T14:30:09+00:00",
        })),
        task(json!({
            "status": "INACTIVE", "request_time": "2025-02-02T08:15:00+00:00",
            "source_endpoint_display_name": "Ocean model archive",
        })),
        task(json!({
            "label": "Results <final> & \u{202e}figures", "request_time": "2025-02-01T17:02:44+00:00",
            "completion_time": "2025-02-01T17:20:31+00:00",
        })),
        task(json!({
            "type": "DELETE", "status": "FAILED", "label": "Old scratch files",
            "request_time": "2025-01-31T23:59:59+00:00", "completion_time": "2025-02-01T00:04:10+00:00",
            "source_endpoint_display_name": "Campus cluster, scratch", "destination_endpoint_display_name": null,
        })),
    ]
}
