//! Any response about a user: no user comes in unless it says what the access rules ask for.

use globus_stand_in::{Endpoint, Fault};
use serde_json::Value;
use shared::{
    rules::judge,
    session::Token,
    testing::{World, noon, session},
};

use crate::{
    harness::{Target, has},
    pages::{CANARY, SLOW, runtime},
};

const GROUP: &str = "69070000-0001-4ba1-8f4e-2ea86a5b4c01";
const POLICY: &str = "70110000-0001-4ba1-8f4e-2ea86a5b4c01";
const SUB: &str = "8c8b2a0e-0000-4000-8000-000000000001";

#[test]
fn introspection_responses() {
    let rules =
        [("ALLOWED_DOMAINS", "lab.example"), ("REQUIRED_POLICIES", POLICY), ("MAX_AUTHENTICATION_MINUTES", "30")];
    let failures = ["introspection_unreadable", "introspection_subject"];
    fuzz("introspection", &rules, Endpoint::Introspect, &failures, |body| {
        assert!(has(body, SUB) && has(body, POLICY));
        json(body).is_none_or(|body| is_let_in(&body))
    });
}

#[test]
fn groups_responses() {
    let rules = [("ALLOWED_GROUPS", GROUP)];
    fuzz("groups", &rules, Endpoint::MyGroups, &["groups_unreadable"], |body| {
        assert!(has(body, "\"active\""));
        json(body).is_none_or(|body| is_member(&body))
    });
}

/// `says_so` is whether a response says what the rules ask for, so that the user may come in.
fn fuzz(
    name: &'static str,
    pairs: &[(&str, &str)],
    endpoint: Endpoint,
    failures: &[&str],
    says_so: impl Fn(&[u8]) -> bool,
) {
    let runtime = runtime();
    let world = runtime.block_on(World::with(pairs));
    let (app, globus) = world.state();
    let rules = app.config.rules.as_ref().unwrap();
    let mut tokens = session(noon()).tokens;
    tokens.push(Token { resource_server: "groups.api.globus.org".to_owned(), ..tokens[1].clone() });
    Target::new(name, &[("{{user}}", SUB), ("{{group}}", GROUP), ("{{policy}}", POLICY)]).run(1_500, |body| {
        // A refusal is not read as a success, whatever it has.
        [200, 403].into_iter().any(|status| {
            let body = body.to_vec();
            world
                .stand_in
                .fault(endpoint, Fault::Respond { status, content_type: "application/json", body: body.clone() });
            match runtime.block_on(globus.facts(rules, SUB, &tokens)) {
                Ok(facts) => {
                    let admitted = facts.is_some_and(|facts| judge(rules, &facts, noon()).is_ok());
                    assert!(!admitted || (status == 200 && says_so(&body)), "{status}");
                    admitted
                }
                Err(error) => {
                    let reason = error.to_string();
                    assert!(failures.contains(&reason.as_str()) || SLOW.contains(&reason.as_str()), "{error}");
                    assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
                    false
                }
            }
        })
    });
}

/// The response as another reader reads it; none if that one refuses it, for example for half a surrogate pair.
fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

/// Whether an identity of the domain has logged in within 30 minutes, and the policy is fulfilled.
fn is_let_in(body: &Value) -> bool {
    let logins = body["session_info"]["authentications"].as_object();
    let is_recent = |login: &Value| login["auth_time"].as_f64().is_some_and(|at| at > 1_800_000_000.0 - 1_800.0);
    let has_login =
        |id: &str| logins.is_some_and(|all| all.iter().any(|(key, login)| same(key, id) && is_recent(login)));
    let is_of_domain = |identity: &Value| {
        let id = identity["sub"].as_str().or(identity["id"].as_str()).unwrap_or_default();
        let username = identity["username"].as_str().unwrap_or_default().to_ascii_lowercase();
        identity["status"] == "used" && username.ends_with("@lab.example") && has_login(id)
    };
    let policies = body["policy_evaluations"].as_object();
    body["active"] == true
        && body["sub"] == SUB
        && body["identity_set_detail"].as_array().is_some_and(|all| all.iter().any(is_of_domain))
        && policies.is_some_and(|all| all.iter().any(|(key, policy)| same(key, POLICY) && policy["evaluation"] == true))
}

/// Whether an identity is an active member of the group.
fn is_member(body: &Value) -> bool {
    let is_active = |one: &Value| one["status"] == "active" && one["identity_id"].is_string();
    let has_active = |group: &Value| group["my_memberships"].as_array().is_some_and(|all| all.iter().any(is_active));
    let is_group = |group: &Value| group["id"].as_str().is_some_and(|id| same(id, GROUP));
    body.as_array().is_some_and(|groups| groups.iter().any(|group| is_group(group) && has_active(group)))
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
