//! The site that is deployed: the test after each deployment, and closing it.

use kit::local::{App, Storage};

use super::*;

#[test]
fn a_site_is_closed_and_opened_without_a_deployment() -> Result<()> {
    let operator = with_a_stack("closing")?;
    let functions = |action| -> Result<Vec<_>> {
        let calls = operator.calls(action)?;
        Ok(calls.iter().map(|call| call["function"].as_str().unwrap_or_default().to_owned()).collect())
    };
    let all = ["HomeFunction", "LoginFunction", "LogoutFunction"];
    assert!(operator.ops("close-site", "")?.succeeded);
    assert_eq!(functions("PutFunctionConcurrency")?, all);
    assert_eq!(operator.calls("PutFunctionConcurrency")?[0]["ReservedConcurrentExecutions"], 0);
    assert!(operator.ops("open-site", "")?.succeeded);
    assert_eq!(functions("DeleteFunctionConcurrency")?, all);
    Ok(())
}

/// The site is the app on this machine, with an application at the stand-in for Globus.
#[tokio::test]
async fn a_smoke_test_tells_a_site_that_works_from_one_that_does_not() -> Result<()> {
    for (settings, works) in [(vec![], true), (vec![("SESSION_KEYS", "short")], false)] {
        let app = App::start(Storage::Cookies, &settings).await?;
        let outputs = json!({ "SiteUrl": app.url(), "RedirectUrl": format!("{}/login", app.url()) });
        let operator = Operator::start("smoke-test", &json!({ "outputs": outputs }))?;
        let client_id = globus_stand_in::CLIENT_ID;
        operator.ops("configure", &format!("my-gateway\neu-central-1\n{client_id}\n{SECRET}\n"))?;
        deploy(&operator)?;
        let tested = tokio::task::spawn_blocking(move || operator.ops("smoke-test", "")).await.unwrap()?;
        assert_eq!(tested.succeeded, works, "{}", tested.said);
        assert_eq!(tested.said.contains("This site is not ready yet"), !works, "{}", tested.said);
    }
    Ok(())
}
