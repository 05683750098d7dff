//! `cargo ops check`: what it finds before a deployment.

use super::*;

#[test]
fn a_mistake_in_the_settings_is_named_before_the_deployment() -> Result<()> {
    let operator = with_a_stack("mistakes")?;
    let good = operator.read("parameters.yaml");
    let write = |text: &str| fs::write(operator.path("parameters.yaml"), text).unwrap();
    let mistakes = [
        ("ShowTokens: true", "ShowTokens: put the value in single quotes"),
        ("SessionMaxHours: 12", "SessionMaxHours: put the value in single quotes"),
        ("SiteName: [one, two]", "SiteName: put the value in single quotes"),
        ("GlobusScopes: 'openid,email'", "GlobusScopes: openid must be among them"),
        ("BaseUrl: 'http://example.org'", "BaseUrl is not as it must be: BaseUrl begins with https://"),
        ("LogLevel: 'verbose'", "LogLevel: it must be one of ERROR, WARN"),
        ("GlobusClientID: 'x'", "GlobusClientID: the template has no such parameter"),
        ("SecretsRevision: '1'", "SecretsRevision: leave it out"),
    ];
    let lines: Vec<_> = mistakes.iter().map(|(line, _)| *line).collect();
    write(&[&good.replace("TokenStorage:", "# "), lines.join("\n").as_str()].concat());
    fs::set_permissions(operator.path("parameters.yaml"), fs::Permissions::from_mode(0o644)).unwrap();
    let checked = operator.ops("check", "")?;
    assert!(!checked.succeeded);
    let others = ["TokenStorage is missing", "can be read by other users"];
    for finding in mistakes.iter().map(|(_, finding)| *finding).chain(others) {
        assert!(checked.said.contains(finding), "{finding} is not in {}", checked.said);
    }
    assert!(!checked.said.contains(SECRET), "{}", checked.said);

    write(&[&good, "GlobusScopes: 'openid  email'\n"].concat());
    assert!(operator.ops("check", "")?.said.contains("GlobusScopes: scopes are separated by single spaces"));
    write(&[&good, "SiteName 'forgotten colon\n"].concat());
    let checked = operator.ops("check", "")?;
    assert!(checked.said.contains("parameters.yaml, line"), "{}", checked.said);
    assert!(!checked.said.contains(SECRET), "{}", checked.said);
    Ok(())
}

#[test]
fn an_account_that_allows_few_functions_at_once_is_named() -> Result<()> {
    let operator = Operator::start("new-account", &json!({ "concurrency": 10 }))?;
    operator.ops("configure", NEW_STACK)?;
    let checked = operator.ops("check", "")?;
    assert!(checked.said.contains("!!  The account allows 10 concurrent"), "{}", checked.said);
    assert!(checked.said.contains("does not exist yet"), "{}", checked.said);
    Ok(())
}
