//! The list of groups, of Globus Groups.

use serde_json::json;

use super::*;
use crate::{
    groups::{self, BEAMLINE, Status},
    people,
};

const SCOPE: &str = "openid urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships";

async fn my_groups(stand_in: &StandIn, query: &str, token: &str) -> Received {
    let bearer = format!("Bearer {token}");
    let request = request("GET", &format!("/v2/groups/my_groups{query}")).header(header::AUTHORIZATION, bearer);
    send(stand_in, request.body(Body::empty()).unwrap()).await
}

async fn token(stand_in: &StandIn, person: &str) -> String {
    let top = tokens(stand_in, person, &[("scope", SCOPE)]).await;
    text(&top["other_tokens"][0]["access_token"]).to_owned()
}

/// The groups in the list, each with the status of its one membership.
async fn listed(stand_in: &StandIn, query: &str, token: &str) -> Vec<(String, String)> {
    let received = my_groups(stand_in, query, token).await;
    assert_eq!(received.status, StatusCode::OK, "{}", received.body);
    let groups = received.json();
    let entry = |group: &Value| {
        let [membership] = &group["my_memberships"].as_array().unwrap()[..] else {
            panic!("{group}");
        };
        (text(&group["id"]).to_owned(), text(&membership["status"]).to_owned())
    };
    groups.as_array().unwrap().iter().map(entry).collect()
}

fn with(status: Status) -> (String, String) {
    (groups::with(status).to_owned(), status.word().to_owned())
}

#[tokio::test]
async fn lists_the_groups_of_a_user_as_a_bare_array() {
    let stand_in = start().await;
    let received = my_groups(&stand_in, "?statuses=active", &token(&stand_in, "member").await).await;
    let expected = json!([{
        "name": "Beamline 7",
        "parent_id": null,
        "id": BEAMLINE,
        "group_type": "regular",
        "enforce_session": false,
        "session_limit": 28_800,
        "session_timeouts": {},
        "my_memberships": [{
            "group_id": BEAMLINE,
            "identity_id": people::sub("member"),
            "username": "dorothy@globusid.example",
            "role": "member",
            "status": "active",
        }],
        "policies": { "group_visibility": "private", "group_members_visibility": "managers" },
    }]);
    assert_eq!(received.json(), expected);
    let received = my_groups(&stand_in, "", &token(&stand_in, "ada").await).await;
    assert_eq!(received.json(), json!([]));
}

#[tokio::test]
async fn lists_the_groups_of_linked_identities_and_the_roles() {
    let stand_in = start().await;
    for (person, username, role) in
        [("member-linked", "kathleen@lab.example", "member"), ("manager", "yonath@globusid.example", "manager")]
    {
        let groups = my_groups(&stand_in, "", &token(&stand_in, person).await).await.json();
        let membership = &groups[0]["my_memberships"][0];
        assert_eq!((text(&membership["username"]), text(&membership["role"])), (username, role));
    }
}

#[tokio::test]
async fn lists_active_memberships_unless_the_client_asks_for_others() {
    let stand_in = start().await;
    let token = token(&stand_in, "every-status").await;
    for query in ["", "?statuses=active"] {
        assert_eq!(listed(&stand_in, query, &token).await, [with(Status::Active)]);
    }
    for status in Status::ALL {
        let query = format!("?statuses={}", status.word());
        assert_eq!(listed(&stand_in, &query, &token).await, [with(status)]);
    }
    let all = Status::ALL.map(Status::word).join(",");
    assert_eq!(listed(&stand_in, &format!("?statuses={all}"), &token).await, Status::ALL.map(with));
    let unknown = my_groups(&stand_in, "?statuses=active,other", &token).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (422, &json!("VALIDATION_ERROR")));

    stand_in.list_all_memberships(true);
    assert_eq!(listed(&stand_in, "?statuses=active", &token).await, Status::ALL.map(with));
}

#[tokio::test]
async fn changes_memberships_while_it_runs() {
    let stand_in = start().await;
    let member = token(&stand_in, "member-linked").await;
    stand_in.remove_from_group("member-linked", BEAMLINE).unwrap();
    assert!(listed(&stand_in, "", &member).await.is_empty());
    let removed = [(BEAMLINE.to_owned(), "removed".to_owned())];
    assert_eq!(listed(&stand_in, "?statuses=removed", &member).await, removed);

    let ada = token(&stand_in, "ada").await;
    stand_in.set_membership("ada", BEAMLINE, Status::Active).unwrap();
    assert_eq!(listed(&stand_in, "", &ada).await, [(BEAMLINE.to_owned(), "active".to_owned())]);
    assert!(stand_in.set_membership("nobody", BEAMLINE, Status::Active).is_err());
    assert!(stand_in.remove_from_group("ada", "no group").is_err());
}

#[tokio::test]
async fn lists_no_groups_for_any_other_token() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "member", &[("scope", SCOPE)]).await;
    let missing = get(&stand_in, "/v2/groups/my_groups").await;
    assert_eq!((missing.status.as_u16(), &missing.json()["code"]), (401, &json!("AUTHENTICATION_ERROR")));
    for token in ["unknown", text(&top["access_token"]), text(&top["other_tokens"][0]["refresh_token"])] {
        let received = my_groups(&stand_in, "", token).await;
        assert_eq!((received.status.as_u16(), &received.json()["code"]), (401, &json!("INVALID_TOKEN")));
    }
    let other = "urn:globus:auth:scope:groups.api.globus.org:view_groups";
    let top = tokens(&stand_in, "member", &[("scope", other)]).await;
    let received = my_groups(&stand_in, "", text(&top["access_token"])).await;
    let body = received.json();
    assert_eq!((received.status.as_u16(), &body["code"]), (403, &json!("FORBIDDEN")));
    assert_eq!(body["provided_scopes"], json!([other]));
}
