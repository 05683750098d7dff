//! The list of tasks, of Globus Transfer.

use serde_json::json;

use super::*;

async fn task_list(stand_in: &StandIn, query: &str, token: &Value) -> Received {
    let bearer = format!("Bearer {}", text(token));
    let request = request("GET", &format!("/v0.10/task_list{query}")).header(header::AUTHORIZATION, bearer);
    send(stand_in, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn lists_tasks_of_each_kind_for_a_token_of_transfer() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;

    let received = task_list(&stand_in, "", &top["other_tokens"][0]["access_token"]).await;

    assert_eq!(received.status, StatusCode::OK, "{}", received.body);
    let list = received.json();
    assert_eq!((&list["DATA_TYPE"], &list["limit"], &list["total"]), (&json!("task_list"), &json!(10), &json!(4)));
    let of = |field: &str| -> Vec<_> {
        list["DATA"].as_array().unwrap().iter().map(|task| task[field].as_str().unwrap_or_default()).collect()
    };
    assert_eq!(of("status"), ["ACTIVE", "INACTIVE", "SUCCEEDED", "FAILED"]);
    assert_eq!(of("type"), ["TRANSFER", "TRANSFER", "TRANSFER", "DELETE"]);
    assert_eq!(of("username"), ["ada@uchicago.example"; 4]);
    let times = of("request_time");
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");
}

#[tokio::test]
async fn lists_as_many_tasks_and_fields_as_the_client_asks_for() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    let token = &top["other_tokens"][0]["access_token"];

    let list = task_list(&stand_in, "?limit=1&fields=status,label", token).await.json();
    let expected = json!([{ "DATA_TYPE": "task", "status": "ACTIVE", "label": "Detector images, run 42" }]);
    assert_eq!(list["DATA"], expected);
    for refused in ["?limit=0", "?limit=1001", "?limit=x", "?limit=1&limit=2"] {
        assert_eq!(task_list(&stand_in, refused, token).await.status, StatusCode::BAD_REQUEST, "{refused}");
    }
}

#[tokio::test]
async fn lists_no_tasks_for_any_other_token() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    let transfer = &top["other_tokens"][0];
    let refused = async |token: &Value| {
        let received = task_list(&stand_in, "", token).await;
        let body = received.json();
        assert_eq!((received.status.as_u16(), &body["code"]), (401, &json!("AuthenticationFailed")), "{body}");
        assert_eq!(body["resource"], "/task_list");
    };
    for token in [&top["access_token"], &transfer["refresh_token"], &json!("unknown"), &json!("")] {
        refused(token).await;
    }
    stand_in.revoke_person("ada");
    refused(&transfer["access_token"]).await;
}
