//! What Globus responds, in every form.

use super::*;

#[tokio::test]
async fn an_active_member_comes_in_with_any_identity_and_no_one_else() {
    for (person, expected) in [
        ("member", End::In),
        ("member-linked", End::In),
        ("manager", End::In),
        ("every-status", denied(&["ALLOWED_GROUPS"])),
        ("ada", denied(&["ALLOWED_GROUPS"])),
    ] {
        let world = World::with(&[GROUP]).await;
        assert_eq!(enter(&world, person).await, expected, "{person}");
    }
}

#[tokio::test]
async fn a_member_who_is_not_active_is_stopped_whatever_globus_lists() {
    for status in Status::ALL {
        let world = World::with(&[("ALLOWED_GROUPS", groups::with(status))]).await;
        world.stand_in.list_all_memberships(true);
        let expected = if status == Status::Active { End::In } else { denied(&["ALLOWED_GROUPS"]) };
        assert_eq!(enter(&world, "every-status").await, expected, "{status:?}");
    }
}

#[tokio::test]
async fn a_groups_response_that_cannot_be_used_lets_nobody_in() {
    let inside = json!([{ "id": BEAMLINE, "my_memberships": [{ "identity_id": "x", "status": "active" }] }]);
    for (fault, status) in [
        (respond(500, "[]"), 503),
        (respond(429, "[]"), 503),
        (Fault::Drop, 503),
        (respond(200, r#"{"code":"ERROR","detail":"down"}"#), 502),
        (respond(200, &json!({ "data": inside, "has_next_page": true }).to_string()), 502),
        (respond(200, "<html>"), 502),
        (respond(404, &inside.to_string()), 502),
        (respond(302, &inside.to_string()), 502),
        (respond(401, &inside.to_string()), 502),
        (respond(403, &inside.to_string()), 502),
    ] {
        let world = World::with(&[GROUP]).await;
        world.stand_in.fault(Endpoint::MyGroups, fault.clone());
        assert_eq!(enter(&world, "member").await, End::Failed(status), "{fault:?}");
    }
}

#[tokio::test]
async fn an_introspection_that_cannot_be_used_lets_nobody_in() {
    for (fault, status) in [
        (respond(500, "{}"), 503),
        (Fault::Drop, 503),
        (respond(401, "{}"), 502),
        (respond(200, "[]"), 502),
        (respond(200, r#"{"active":false}"#), 502),
        (respond(200, r#"{"active":true}"#), 502),
        (respond(404, r#"{"active":true}"#), 502),
    ] {
        let world = World::with(&[DOMAIN]).await;
        world.stand_in.fault(Endpoint::Introspect, fault.clone());
        assert_eq!(enter(&world, "lab").await, End::Failed(status), "{fault:?}");
    }
}

#[tokio::test]
async fn an_introspection_counts_only_if_it_is_a_success() {
    let (sub, linked) = ("1ab00001-0101-4a01-8b01-0a1b2c3d4e01", "1ab00001-0201-4a01-8b01-0a1b2c3d4e01");
    let about = json!({
        "active": true,
        "sub": sub,
        "session_info": { "authentications": { linked: { "auth_time": 1 } } },
        "identity_set_detail": [{ "sub": linked, "username": "rosalind@lab.example", "status": "used" }],
    });
    for (status, reason) in [(200, ""), (404, "introspection_unreadable"), (401, "client_refused")] {
        let (world, log) = (World::with(&[DOMAIN]).await, Log::listen());
        world.stand_in.fault(Endpoint::Introspect, respond(status, &about.to_string()));
        let expected = if status == 200 { End::In } else { End::Failed(502) };
        assert_eq!(enter(&world, "lab").await, expected, "{status}");
        assert!(log.text().contains(reason), "{}", log.text());
    }
}

#[tokio::test]
async fn an_introspection_of_another_user_lets_nobody_in() {
    let world = World::with(&[DOMAIN]).await;
    world.stand_in.edit_introspection(|about| about["sub"] = json!("ada10ace-1815-4d60-8bdb-eeecaba85bd9"));
    assert_eq!(enter(&world, "lab").await, End::Failed(502));
}

#[tokio::test]
async fn a_claim_that_is_absent_or_no_text_fulfils_nothing() {
    let edits: [fn(&mut serde_json::Value); 8] = [
        |about| about["identity_set_detail"] = json!(null),
        |about| about["identity_set_detail"] = json!([]),
        |about| about["identity_set_detail"][0]["username"] = json!(["hedy@lab.example"]),
        |about| about["identity_set_detail"][0]["username"] = json!({ "lab.example": true }),
        |about| about["identity_set_detail"][0]["username"] = json!(null),
        |about| about["identity_set_detail"][0]["status"] = json!("unused"),
        |about| about["identity_set_detail"][0]["status"] = json!(null),
        |about| about["identity_set_detail"][0]["sub"] = json!("of-another"),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let world = World::with(&[DOMAIN]).await;
        world.stand_in.edit_introspection(edit);
        assert_eq!(enter(&world, "mfa").await, denied(&["ALLOWED_DOMAINS"]), "edit {number}");
    }
}

#[tokio::test]
async fn the_identity_set_of_the_id_token_is_not_needed_and_not_believed() {
    let world = World::with(&[DOMAIN]).await;
    world.stand_in.leave_out_identity_set(true);
    assert_eq!(enter(&world, "lab").await, End::In);

    let world = World::with(&[DOMAIN]).await;
    world.stand_in.edit_id_token(|claims| {
        claims["preferred_username"] = json!("ada@lab.example");
        claims["email"] = json!("ada@lab.example");
        claims["identity_set"] = json!([{ "sub": claims["sub"], "username": "ada@lab.example", "status": "used" }]);
    });
    let end = enter_without(&world, "ada", "session_required_single_domain").await;
    assert_eq!(end, denied(&["ALLOWED_DOMAINS"]));
}
