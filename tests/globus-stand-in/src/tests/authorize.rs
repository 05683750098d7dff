//! The sign-in page, and the callback after it.

use super::*;
use crate::people::PEOPLE;

async fn press(stand_in: &StandIn, path: &str, form: Pairs<'_>) -> Received {
    let path = path.replacen("/v2/oauth2/authorize", "/sign-in", 1);
    post(stand_in, &path, "", form).await
}

#[track_caller]
fn assert_shown(received: &Received, text: &str) {
    assert_eq!(received.status, StatusCode::BAD_REQUEST);
    assert!(received.body.contains(text), "{}", received.body);
    assert_eq!(received.header(header::LOCATION), "", "the browser is never sent to a refused URL");
}

#[track_caller]
fn assert_told(received: &Received, error: &str) {
    let location = received.header(header::LOCATION);
    assert!(location.starts_with(CALLBACK), "{received:?}");
    assert_eq!(parameter(location, "error").as_deref(), Some(error));
    assert_eq!(parameter(location, "state").as_deref(), Some("the-state"));
    assert!(parameter(location, "error_description").is_some());
    assert_eq!(parameter(location, "code"), None);
}

#[tokio::test]
async fn shows_a_button_for_each_user_and_one_to_deny() {
    let stand_in = start().await;
    let page = get(&stand_in, &authorize_path(&[])).await;
    assert_eq!(page.status, StatusCode::OK);
    for person in &PEOPLE {
        let button = format!(r#"data-person="{}""#, person.id);
        assert!(page.body.contains(&button), "{}", page.body);
    }
    assert!(page.body.contains(r#"data-action="deny""#));
}

#[tokio::test]
async fn redirects_back_with_a_code_and_the_state_after_sign_in() {
    let stand_in = start().await;
    let received = press(&stand_in, &authorize_path(&[]), &[("person", "ada")]).await;
    assert_eq!(received.status, StatusCode::FOUND);
    let location = received.header(header::LOCATION);
    assert!(location.starts_with(CALLBACK), "{location}");
    assert_eq!(parameter(location, "state").as_deref(), Some("the-state"));

    let code = parameter(location, "code").unwrap();
    let redeemed = redeem(&stand_in, &code, &[]).await;
    assert_eq!(redeemed.status, StatusCode::OK, "{}", redeemed.body);
}

#[tokio::test]
async fn reports_to_the_application_that_the_user_denied() {
    let stand_in = start().await;
    let received = press(&stand_in, &authorize_path(&[]), &[]).await;
    assert_told(&received, "access_denied");

    let url = format!("{}{}", stand_in.url(), authorize_path(&[]));
    let callback = stand_in.deny(&url).await.unwrap();
    assert_eq!(parameter(&callback, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn shows_a_page_unless_the_redirect_uri_is_exactly_a_registered_one() {
    let stand_in = start().await;
    for uri in [
        "",
        "http://localhost:9000/login/",
        "http://localhost:9000/login?x",
        "http://LOCALHOST:9000/login",
        "https://evil.example/",
    ] {
        let path = authorize_path(&[("redirect_uri", uri)]);
        assert_shown(&get(&stand_in, &path).await, "Mismatching redirect URI.");
        let received = press(&stand_in, &path, &[("person", "ada")]).await;
        assert_shown(&received, "Mismatching redirect URI.");
    }
    let other = authorize_path(&[("redirect_uri", "https://site.example/login")]);
    stand_in.register_redirect_uri("https://site.example/login");
    assert_eq!(get(&stand_in, &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn shows_a_page_for_a_client_that_is_not_registered() {
    let stand_in = start().await;
    for client_id in ["", "2b5c1d7e-4f60-4a83-9c2e-7d1f0b6a8e95"] {
        let received = get(&stand_in, &authorize_path(&[("client_id", client_id)])).await;
        assert_shown(&received, "Invalid client_id parameter value.");
    }
}

#[tokio::test]
async fn shows_a_page_for_a_scope_that_does_not_exist() {
    let stand_in = start().await;
    for scope in ["openid phone", "urn:globus:auth:scope:transfer.api.globus.org", "https://auth.globus.org/scopes/x"] {
        let received = get(&stand_in, &authorize_path(&[("scope", scope)])).await;
        assert_shown(&received, "Unknown scope(s)");
    }
}

#[tokio::test]
async fn shows_a_page_for_a_repeated_parameter() {
    let stand_in = start().await;
    let path = authorize_path(&[("nonce", "one"), ("nonce", "two")]);
    assert_shown(&get(&stand_in, &path).await, "A parameter stands twice.");
}

#[tokio::test]
async fn reports_other_errors_in_the_request_to_the_application() {
    let stand_in = start().await;
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "unsupported_response_type"),
        (("scope", ""), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
    ] {
        let received = get(&stand_in, &authorize_path(&[change])).await;
        assert_told(&received, error);
    }
}

#[tokio::test]
async fn remembers_the_user_until_logout() {
    let stand_in = start().await;
    let path = authorize_path(&[]);
    let signed_in = press(&stand_in, &path, &[("person", "ada")]).await;
    let attributes = signed_in.header(header::SET_COOKIE);
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }

    let cookie = signed_in.cookie();
    let silent = browse(&stand_in, &path, &cookie).await;
    assert_eq!(silent.status, StatusCode::FOUND);
    assert!(parameter(silent.header(header::LOCATION), "code").is_some());

    let logged_out = browse(&stand_in, "/v2/web/logout", &cookie).await;
    assert!(logged_out.header(header::SET_COOKIE).contains("Max-Age=0"));
    let asked = browse(&stand_in, &path, &cookie).await;
    assert_eq!(asked.status, StatusCode::OK, "a copy of the cookie is no longer valid");
}

#[tokio::test]
async fn prompt_login_shows_the_sign_in_page_and_prompt_none_never_does() {
    let stand_in = start().await;
    let login = authorize_path(&[("prompt", "login")]);
    let none = authorize_path(&[("prompt", "none")]);
    assert_told(&get(&stand_in, &none).await, "login_required");

    let cookie = press(&stand_in, &login, &[("person", "ada")]).await.cookie();
    let again = browse(&stand_in, &login, &cookie).await;
    assert_eq!(again.status, StatusCode::OK);
    let silent = browse(&stand_in, &none, &cookie).await;
    assert!(parameter(silent.header(header::LOCATION), "code").is_some());
}

#[tokio::test]
async fn logs_users_in_without_a_browser_by_the_same_rules() {
    let stand_in = start().await;
    let url = |changes| format!("{}{}", stand_in.url(), authorize_path(changes));
    let sign_in = async |url: String, person| stand_in.sign_in(&url, person).await;

    let callback = sign_in(url(&[]), "ada").await.unwrap();
    assert!(parameter(&callback, "code").is_some());
    let callback = sign_in(url(&[("response_type", "token")]), "ada").await;
    assert!(parameter(&callback.unwrap(), "error").is_some());
    for (url, person, refusal) in [
        (url(&[("redirect_uri", "https://evil.example/")]), "ada", "Mismatching redirect URI."),
        (url(&[]), "unknown", "There is no such person."),
        (url(&[]).replace("127.0.0.1", "localhost"), "ada", "The URL leads elsewhere."),
    ] {
        assert_eq!(sign_in(url, person).await.unwrap_err(), refusal);
    }
}

#[tokio::test]
async fn escapes_everything_that_it_shows() {
    let stand_in = start().await;
    let hostile = r#""><script>alert(2)</script>"#;
    let scope = format!("openid urn:globus:auth:scope:x:{}", hostile.replace(' ', ""));
    let pages = [
        authorize_path(&[("scope", &scope)]),
        format!("/v2/web/logout?{}", encode(&[("redirect_uri", "https://a.example/"), ("redirect_name", hostile)])),
        format!(
            "/v2/web/logout?{}",
            encode(&[("redirect_uri", &format!("https://a.example/{hostile}")), ("redirect_name", "x")])
        ),
    ];
    for page in &pages {
        let page = get(&stand_in, page).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(!page.body.contains("<script"), "{}", page.body);
    }
    let page = get(&stand_in, &authorize_path(&[])).await;
    assert!(page.body.contains("&lt;script&gt;alert(1)"), "{}", page.body);
    assert!(!page.body.contains("<b>bobby"), "{}", page.body);
}
