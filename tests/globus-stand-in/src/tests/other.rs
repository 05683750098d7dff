//! Revocation, userinfo, discovery, the logout page, and the end of a stand-in.

use serde_json::json;

use super::*;
use crate::people;

const REVOKE: &str = "/v2/oauth2/token/revoke";
const INTROSPECT: &str = "/v2/oauth2/token/introspect";
const USERINFO: &str = "/v2/oauth2/userinfo";

async fn userinfo(stand_in: &StandIn, method: &str, token: &Value) -> Received {
    let bearer = format!("Bearer {}", text(token));
    let request = request(method, USERINFO).header(header::AUTHORIZATION, bearer);
    send(stand_in, request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn revoking_a_refresh_token_leaves_its_access_token_active() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    let refresh_token = text(&top["refresh_token"]);
    let received = post_basic(&stand_in, REVOKE, &[("token", refresh_token)]).await;
    assert_eq!(received.status, StatusCode::OK);
    assert_eq!(received.json(), json!({ "active": false }));
    assert!(stand_in.is_revoked(refresh_token) && !stand_in.is_active(refresh_token));
    assert!(stand_in.is_active(text(&top["access_token"])));
}

#[tokio::test]
async fn sends_the_same_response_for_a_token_that_was_never_issued() {
    let stand_in = start().await;
    for path in [REVOKE, INTROSPECT] {
        let received = post_basic(&stand_in, path, &[("token", "unknown")]).await;
        assert_eq!(received.status, StatusCode::OK);
        assert_eq!(received.json(), json!({ "active": false }));
    }
    assert!(!stand_in.is_revoked("unknown"));
}

#[tokio::test]
async fn revokes_only_for_the_client_in_the_header() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    let access_token = text(&top["access_token"]);
    let form = [("token", access_token), ("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    for authorization in [String::new(), basic(CLIENT_ID, "wrong")] {
        let received = post(&stand_in, REVOKE, &authorization, &form).await;
        assert_api_error(&received, 401, "UNAUTHORIZED");
    }
    let received = post_basic(&stand_in, REVOKE, &[]).await;
    assert_eq!(received.status, StatusCode::BAD_REQUEST);
    assert!(stand_in.is_active(access_token));
}

#[tokio::test]
async fn userinfo_names_the_user_of_a_globus_auth_token() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    for method in ["GET", "POST"] {
        let claims = userinfo(&stand_in, method, &top["access_token"]).await.json();
        assert_eq!(claims["sub"].as_str(), people::sub("ada"));
        assert_eq!(claims["preferred_username"], "ada@uchicago.example");
        assert_eq!(claims.get("aud"), None);
    }
}

#[tokio::test]
async fn userinfo_refuses_all_other_tokens() {
    let stand_in = start().await;
    let top = tokens(&stand_in, "ada", &[]).await;
    let transfer = &top["other_tokens"][0]["access_token"];
    let received = userinfo(&stand_in, "GET", transfer).await;
    assert_api_error(&received, 403, "FORBIDDEN");
    for token in [&top["refresh_token"], &json!("unknown")] {
        let received = userinfo(&stand_in, "GET", token).await;
        assert_api_error(&received, 401, "UNAUTHORIZED");
    }
    assert_api_error(&get(&stand_in, USERINFO).await, 401, "UNAUTHORIZED");
    stand_in.revoke_person("ada");
    let received = userinfo(&stand_in, "GET", &top["access_token"]).await;
    assert_api_error(&received, 401, "UNAUTHORIZED");
}

#[tokio::test]
async fn describes_itself_as_globus_does() {
    let stand_in = start().await;
    let document = get(&stand_in, "/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], stand_in.url());
    assert_eq!(document["jwks_uri"], format!("{}/jwk.json", stand_in.url()));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS512"]));
    assert_eq!(document.get("end_session_endpoint"), None);
    assert_eq!(document.get("code_challenge_methods_supported"), None);
}

#[tokio::test]
async fn logout_page_shows_a_link_back_and_does_not_redirect() {
    let stand_in = start().await;
    let logout = async |uri: &str| {
        let query = encode(&[("client_id", CLIENT_ID), ("redirect_uri", uri), ("redirect_name", "My gateway")]);
        get(&stand_in, &format!("/v2/web/logout?{query}")).await
    };
    let page = logout("http://localhost:9000/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Logged out of"), "{}", page.body);
    assert!(page.body.contains("Continue to My gateway"), "{}", page.body);
    let script = logout("javascript:alert(1)").await;
    assert!(!script.body.contains("Continue to"), "{}", script.body);
}

#[tokio::test]
async fn says_on_every_page_that_it_is_not_globus() {
    let stand_in = start().await;
    let refused = authorize_path(&[("client_id", "")]);
    for path in [&authorize_path(&[]), &refused, "/v2/web/logout", "/", "/nowhere"] {
        let page = get(&stand_in, path).await;
        for part in [
            "local stand-in for Globus Auth",
            "Nothing leaves this machine",
            r#"<html lang="en">"#,
            "<title>",
            "<main>",
            "<h1>",
            r#"<link rel="icon" href="data:,">"#,
        ] {
            assert!(page.body.contains(part), "{path} lacks {part}: {}", page.body);
        }
    }
}

#[tokio::test]
async fn frees_its_port_when_it_ends() {
    let stand_in = start().await;
    let port = Url::parse(stand_in.url()).unwrap().port().unwrap();
    let taken = StandIn::start(port, &[]).await;
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    drop(stand_in);
    let again = StandIn::start(port, &[CALLBACK]).await.unwrap();
    let page = get(&again, &authorize_path(&[])).await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn keeps_its_tokens_out_of_its_debug_output() {
    let stand_in = start().await;
    tokens(&stand_in, "ada", &[]).await;
    let debug = format!("{stand_in:?}");
    assert!(debug.contains(stand_in.url()));
    assert!(stand_in.issued_tokens().iter().all(|token| !debug.contains(token)));
}
