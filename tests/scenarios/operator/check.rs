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
        ("GlobusScopes: 'openid,email'", "GlobusScopes are separated by spaces, and openid is one of them"),
        ("BaseUrl: 'http://example.org'", "--  BaseUrl begins with https://"),
        ("DomainName: 'Gateway.example.org'", "--  DomainName is a name alone"),
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

/// The functions write them in small letters, and Globus compares redirect URLs letter by letter.
#[test]
fn capital_letters_in_the_address_of_the_site_are_refused() -> Result<()> {
    let operator = Operator::start("capitals", &json!({}))?;
    operator.ops("configure", NEW_STACK)?;
    operator.edit("parameters.yaml", "# BaseUrl: ''", "BaseUrl: 'https://Example.org/Gateway'")?;
    let checked = operator.ops("check", "")?;
    assert!(
        checked.said.contains("--  BaseUrl begins with https://, has no capital letters in its host"),
        "{}",
        checked.said
    );
    operator.edit("parameters.yaml", "https://Example.org/Gateway", "https://example.org/Gateway")?;
    let checked = operator.ops("check", "")?;
    assert!(!checked.said.contains("BaseUrl begins"), "{}", checked.said);
    Ok(())
}

/// CloudFormation refuses it too, but only when all is built and uploaded.
#[test]
fn a_domain_needs_a_certificate_or_a_zone_in_the_file_or_in_the_stack() -> Result<()> {
    const NEEDED: &str = "--  DomainName needs CertificateArn, HostedZoneId, or both.";
    let operator = Operator::start("domain", &json!({}))?;
    operator.ops("configure", NEW_STACK)?;
    operator.edit("parameters.yaml", "# DomainName: ''", "DomainName: 'gateway.example.org'")?;
    let checked = operator.ops("check", "")?;
    assert!(!checked.succeeded && checked.said.contains(NEEDED), "{}", checked.said);

    operator.edit("parameters.yaml", "# HostedZoneId: ''", "HostedZoneId: 'Z0123456789ABCDEFGHIJ'")?;
    deploy(&operator)?;
    operator.edit("parameters.yaml", "HostedZoneId: 'Z0123456789ABCDEFGHIJ'", "")?;
    let checked = operator.ops("check", "")?;
    assert!(!checked.said.contains(NEEDED), "{}", checked.said);
    Ok(())
}

#[test]
fn a_client_secret_that_is_no_longer_the_one_of_the_site_is_not_deployed_unnoticed() -> Result<()> {
    const NEW: &str = "another-secret";
    const CURRENT: &str = "ok  The client secret in parameters.yaml is the one that the site has.";
    let operator = Operator::start("old-client-secret", &json!({}))?;
    operator.ops("configure", NEW_STACK)?;
    deploy(&operator)?;
    operator.edit("parameters.yaml", "GlobusClientId: ''", &format!("GlobusClientId: '{UUID}'"))?;
    operator.edit("parameters.yaml", "GlobusClientSecret: ''", &format!("GlobusClientSecret: '{SECRET}'"))?;
    let first = operator.ops("check", "")?;
    assert!(first.said.contains("ok  The site has no client secret yet"), "{}", first.said);
    deploy(&operator)?;
    let deployed = operator.ops("check", "")?;
    assert!(deployed.said.contains(CURRENT), "{}", deployed.said);
    let of_a_colleague = operator.read("parameters.yaml");
    operator.ops("change-client-secret", &format!("{NEW}\n"))?;
    let current = operator.ops("check", "")?;
    assert!(current.said.contains(CURRENT), "{}", current.said);

    fs::write(operator.path("parameters.yaml"), of_a_colleague).unwrap();
    let old = operator.ops("check", "")?;
    assert!(!old.succeeded, "{}", old.said);
    assert!(old.said.contains("--  The client secret in parameters.yaml is not the one"), "{}", old.said);
    assert!(!old.said.contains(SECRET) && !old.said.contains(NEW), "{}", old.said);
    operator.edit("parameters.yaml", &format!("GlobusClientSecret: '{SECRET}'"), "")?;
    let without = operator.ops("check", "")?;
    assert!(!without.said.contains("client secret in"), "{}", without.said);
    Ok(())
}
