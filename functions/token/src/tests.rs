use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    session::Session,
    testing::{Event, Log, REQUEST_ID, SESSION, TABLE_DOWN, admitted, function, noon, session, ticket},
};

use super::*;

const TRANSFER: &str = "transfer.api.globus.org";

/// The session cookie of a user who has logged in at noon, as an event has it.
async fn cookie() -> String {
    let app = function(&[], App::read).state.unwrap();
    let created = app.storage.create(&Event::get("/").request(), &session(noon()), noon()).await;
    created.unwrap().cookie.stripped().to_string()
}

#[tokio::test]
async fn debug_output_holds_no_cookie_and_no_token() {
    let order: Order = serde_json::from_value(order(&json!(["cookie-canary"]), TRANSFER)).unwrap();
    let token = Answer::Token { access_token: Secret::new("access-canary"), expires_at: 1 };
    let shown = format!("{order:?} {token:?}");
    assert!(shown.contains(TRANSFER) && !shown.contains("canary"), "{shown}");
}

/// What a function with these settings answers to an order.
async fn answer_of(pairs: &[(&str, &str)], order: &Value, hours: u64) -> Value {
    let now = noon() + Duration::from_hours(hours);
    let answer = function(pairs, App::read).result(&handle, &order.to_string(), REQUEST_ID, now).await;
    serde_json::to_value(answer.unwrap()).unwrap()
}

async fn answer(order: &Value, hours: u64) -> Value {
    answer_of(&[], order, hours).await
}

/// The order of a page at `/report`.
fn order(cookies: &Value, resource_server: &str) -> Value {
    json!({ "cookies": cookies, "resource_server": resource_server, "next": "/report?year=2026" })
}

#[tokio::test]
async fn a_signed_in_users_access_token_is_given_and_never_a_refresh_token() {
    let answer = answer(&order(&json!(["other=1", cookie().await]), TRANSFER), 47).await;

    let expected = json!({ "access_token": "access-canary-transfer.api.globus.org", "expires_at": 1_800_172_800 });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn without_a_good_token_the_answer_is_the_way_to_one() {
    let login = json!({ "login": "/login?next=%2Freport%3Fyear%3D2026" });
    let cookie = cookie().await;
    for cookies in [json!([]), json!(null), json!(["other=1"]), json!([format!("{SESSION}=x")]), json!(["\n"])] {
        let log = Log::listen();
        assert_eq!(answer(&order(&cookies, TRANSFER), 0).await, login, "{cookies}");
        log.assert_reason("sign_in_required");
    }
    for hours in [168, 1_000] {
        assert_eq!(answer(&order(&json!([cookie]), TRANSFER), hours).await, login, "{hours}");
    }
    let renewal = json!({ "login": "/login?refresh&next=%2Freport%3Fyear%3D2026" });
    assert_eq!(answer(&order(&json!([cookie]), TRANSFER), 48).await, renewal);
}

#[tokio::test]
async fn a_user_whom_the_access_rules_did_not_let_in_gets_no_token() {
    let rules = [("ALLOWED_GROUPS", "69070000-0001-4ba1-8f4e-2ea86a5b4c01")];
    let app = function(&rules, App::read).state.unwrap();
    let answers = async |session: Session, minutes: u64| {
        let created = app.storage.create(&Event::get("/").request(), &session, noon()).await.unwrap();
        let order = order(&json!([created.cookie.stripped().to_string()]), TRANSFER).to_string();
        let now = noon() + Duration::from_mins(minutes);
        let answer = function(&rules, App::read).result(&handle, &order, REQUEST_ID, now).await;
        serde_json::to_value(answer.unwrap()).unwrap()
    };
    let version = app.config.rules.as_ref().unwrap().version();
    let login = json!({ "login": format!("/login?refresh&rules={version}&next=%2Freport%3Fyear%3D2026") });

    assert_eq!(answers(session(noon()), 0).await, login);
    let admitted = admitted(&rules, &[], noon());
    assert_eq!(answers(admitted.clone(), 59).await["access_token"], "access-canary-transfer.api.globus.org");
    assert_eq!(answers(admitted, 60).await, login);
}

#[tokio::test]
async fn a_service_without_a_scope_is_named_as_an_error_only_if_a_login_does_not_help() {
    let order = order(&json!([cookie().await]), "search.api.globus.org");
    let error = answer(&order, 0).await;
    assert_eq!(error["error"], "no_token_for_service", "{error}");
    // A renewal gives no token for a new scope: it would lead back, in a circle.
    assert_eq!(answer(&order, 1).await, json!({ "login": "/login?next=%2Freport%3Fyear%3D2026" }));
}

#[tokio::test]
async fn an_open_redirect_is_no_way_back() {
    for next in ["https://evil.example", "//evil.example", "/\\evil.example", "/login", ""] {
        let order = json!({ "cookies": [], "resource_server": TRANSFER, "next": next });
        assert_eq!(answer(&order, 0).await, json!({ "login": "/login?next=%2F" }), "{next}");
    }
    let order = json!({ "resource_server": TRANSFER });
    let below = [("BASE_URL", "https://gateway.example/portal")];
    assert_eq!(answer_of(&below, &order, 0).await, json!({ "login": "/portal/login?next=%2F" }));
    for next in ["/report", "/portal/report"] {
        let order = json!({ "resource_server": TRANSFER, "next": next });
        let login = json!({ "login": "/portal/login?next=%2Freport" });
        assert_eq!(answer_of(&below, &order, 0).await, login, "{next}");
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_read_gets_an_error_that_says_so() {
    let event: Value = serde_json::from_str(&Event::get("/report").cookie(&cookie().await).json()).unwrap();
    for order in [json!({}), json!(null), json!("x"), json!({ "cookies": "x", "resource_server": TRANSFER }), event] {
        let log = Log::listen();
        let error = answer(&order, 0).await;
        assert_eq!(error["error"], "event_unreadable", "{order}");
        assert_eq!(error.as_object().unwrap().len(), 2, "{error}");
        log.assert_reason("event_unreadable");
    }
}

#[tokio::test]
async fn a_failure_is_named_and_gives_no_token() {
    let order = order(&json!([cookie().await]), TRANSFER);
    let log = Log::listen();
    assert_eq!(answer_of(&[("SESSION_KEYS", "short")], &order, 0).await["error"], "configuration");
    log.assert_reason("configuration");

    let order = self::order(&json!([ticket()]), TRANSFER);
    let answer = answer_of(&TABLE_DOWN, &order, 0).await;
    assert_eq!(answer["error"], "store_unreachable");
    assert!(answer["message"].as_str().unwrap().starts_with("Nothing is lost"), "{answer}");
}

#[tokio::test]
async fn no_token_or_cookie_is_logged() {
    let log = Log::listen();
    let cookie = cookie().await;
    for hours in [0, 48] {
        answer(&order(&json!([cookie]), TRANSFER), hours).await;
    }
    log.assert_lacks(["canary", cookie.as_str()]);
}

#[tokio::test]
async fn each_sample_event_gets_its_answer() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/token-signed-out.json")).unwrap();
    let login = json!({ "login": "/login?next=%2Fexamples%2Ftransfers" });
    assert_eq!(answer(&serde_json::from_str(&text).unwrap(), 0).await, login);
    assert_eq!(Event::samples_for("token-"), ["token-signed-out".to_owned()].into());
}
