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
    let all = [
        "HomeFunction",
        "LoginFunction",
        "LogoutFunction",
        "AuthorizerFunction",
        "VisitorAuthorizerFunction",
        "TokenFunction",
    ];
    assert!(operator.ops("close-site", "")?.succeeded);
    assert_eq!(functions("PutFunctionConcurrency")?, all);
    assert_eq!(operator.calls("PutFunctionConcurrency")?[0]["ReservedConcurrentExecutions"], 0);
    assert!(operator.ops("open-site", "")?.succeeded);
    assert_eq!(functions("DeleteFunctionConcurrency")?, all);
    Ok(())
}

#[test]
fn a_function_gets_back_the_concurrency_that_the_template_reserves_for_it() -> Result<()> {
    let operator = Operator::start("reserved", &json!({}))?;
    let reserve = |function, number| {
        let directory = format!("      CodeUri: functions/{function}/\n");
        let reserved = format!("{directory}      ReservedConcurrentExecutions: {number}\n");
        operator.edit("template.yaml", &directory, &reserved)
    };
    reserve("login", "5")?;
    reserve("logout", "!If [HasTasks, 3, 4]")?;
    operator.ops("configure", NEW_STACK)?;
    deploy(&operator)?;
    operator.ops("close-site", "")?;
    let opened = operator.ops("open-site", "")?;
    assert!(!opened.succeeded && opened.said.contains("Still closed: LogoutFunction."), "{}", opened.said);
    assert_eq!(operator.calls("DeleteFunctionConcurrency")?[0]["function"], "HomeFunction");
    let last = operator.calls("PutFunctionConcurrency")?.pop().unwrap();
    assert_eq!((&last["function"], &last["ReservedConcurrentExecutions"]), (&json!("LoginFunction"), &json!(5)));
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

#[test]
fn a_smoke_test_names_the_variables_that_functions_lack_or_have_differently() -> Result<()> {
    let outputs = json!({ "SiteUrl": "http://127.0.0.1:9", "RedirectUrl": "http://127.0.0.1:9/login" });
    let operator = Operator::start("variables", &json!({ "outputs": outputs }))?;
    operator.ops("configure", NEW_STACK)?;
    deploy(&operator)?;
    operator.change_variables("HomeFunction", &json!({ "SHOW_TOKENS": null, "SITE_NAME": null }))?;
    operator.change_variables("LoginFunction", &json!({ "GLOBUS_SCOPES": "openid email" }))?;
    let tested = operator.ops("smoke-test", "")?;
    assert!(!tested.succeeded, "{}", tested.said);
    for finding in ["HomeFunction lacks SHOW_TOKENS, SITE_NAME.", "different values of GLOBUS_SCOPES: {'LoginFunction'"]
    {
        assert!(tested.said.contains(finding), "{finding} is not in {}", tested.said);
    }
    assert!(!tested.said.contains("openid"), "{}", tested.said);
    Ok(())
}
