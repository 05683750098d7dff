//! A deployment from its first day to its last, with the real `sam` and `cargo ops`, as far as what they ask of AWS: which
//! parameters change, and which keep their value.

mod check;
mod site;

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _};

use kit::{Result, dynamodb::DynamoDb, operator::Operator, tools};
use serde_json::{Value, json};
use shared::testing::{Browser, World};

const UUID: &str = "4e3b6a0e-0000-4000-8000-000000000000";
const SECRET: &str = "a-client-secret";
/// Every question of `cargo ops configure` for a new stack, without an application at Globus.
const NEW_STACK: &str = "my-gateway\neu-central-1\n\n";

/// An operator whose clone is configured, and whose stack has an application at Globus.
fn with_a_stack(name: &str) -> Result<Operator> {
    let operator = Operator::start(name, &json!({}))?;
    assert!(operator.ops("configure", &format!("my-gateway\neu-central-1\n{UUID}\n{SECRET}\n"))?.succeeded);
    deploy(&operator)?;
    Ok(operator)
}

/// Deploys, and gives the parameters that SAM has named with their new values.
fn deploy(operator: &Operator) -> Result<BTreeMap<String, String>> {
    let deployed = operator.sam(&["deploy"])?;
    assert!(deployed.succeeded, "{}", deployed.said);
    assert!(!deployed.said.contains(SECRET), "{}", deployed.said);
    let calls = operator.calls("CreateChangeSet")?;
    Ok(named(calls.last().unwrap()))
}

/// The parameters of a call that are given a value; the others keep theirs.
fn named(call: &Value) -> BTreeMap<String, String> {
    let parameters = call["Parameters"].as_array().into_iter().flatten();
    let values = parameters.filter(|parameter| parameter["UsePreviousValue"] != "true");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    values.map(|parameter| (text(&parameter["ParameterKey"]), text(&parameter["ParameterValue"]))).collect()
}

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_clone_that_is_not_configured_deploys_nothing() -> Result<()> {
    let operator = Operator::start("not-configured", &json!({}))?;
    let deployed = operator.sam(&["deploy"])?;
    assert!(!deployed.succeeded);
    assert!(deployed.said.contains("file://parameters.yaml was not found"), "{}", deployed.said);
    assert_eq!(operator.recorded()?, [] as [Value; 0]);
    let validated = operator.sam(&["validate"])?;
    assert!(validated.succeeded, "{}", validated.said);
    Ok(())
}

#[test]
fn each_deployment_changes_what_the_operator_has_edited_and_no_more() -> Result<()> {
    let operator = Operator::start("deployments", &json!({}))?;
    let configured = operator.ops("configure", NEW_STACK)?;
    assert!(configured.succeeded, "{}", configured.said);
    let mode = fs::metadata(operator.path("parameters.yaml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first =
        [("Architecture", "arm64"), ("GlobusClientId", ""), ("GlobusClientSecret", ""), ("TokenStorage", "cookie")];
    assert_eq!(deploy(&operator)?, values(&first));
    let place = operator.calls("CreateChangeSet")?.remove(0);
    assert_eq!((&place["StackName"], &place["ChangeSetType"]), (&json!("my-gateway"), &json!("CREATE")));
    assert!(place["TemplateURL"].as_str().unwrap().contains("/my-gateway/"), "{place}");

    operator.edit("parameters.yaml", "GlobusClientId: ''", &format!("GlobusClientId: '{UUID}'"))?;
    operator.edit("parameters.yaml", "GlobusClientSecret: ''", &format!("GlobusClientSecret: '{SECRET}'"))?;
    operator.edit("parameters.yaml", "# GlobusScopes: ''", "GlobusScopes: 'openid email profile'")?;
    let with_application = [
        ("Architecture", "arm64"),
        ("GlobusClientId", UUID),
        ("GlobusClientSecret", SECRET),
        ("GlobusScopes", "openid email profile"),
        ("TokenStorage", "cookie"),
    ];
    assert_eq!(deploy(&operator)?, values(&with_application));

    operator.edit("parameters.yaml", "TokenStorage: 'cookie'", "TokenStorage: 'dynamodb'")?;
    operator.edit("parameters.yaml", "# AlarmEmail: ''", "AlarmEmail: 'operator@example.org'")?;
    let mut with_table = values(&with_application);
    with_table.extend(values(&[("AlarmEmail", "operator@example.org"), ("TokenStorage", "dynamodb")]));
    assert_eq!(deploy(&operator)?, with_table);

    // A parameter that is no longer in the file is not touched: the stack keeps the address.
    operator.edit("parameters.yaml", "AlarmEmail: 'operator@example.org'", "")?;
    operator.edit("parameters.yaml", "TokenStorage: 'dynamodb'", "TokenStorage: 'cookie'")?;
    assert_eq!(deploy(&operator)?, values(&with_application));
    let last = operator.calls("CreateChangeSet")?.pop().unwrap();
    assert!(last.to_string().contains(r#"{"ParameterKey":"AlarmEmail","UsePreviousValue":"true"}"#), "{last}");

    // A domain of the site's own, before DNS leads to it: the address of the site stays.
    operator.edit("parameters.yaml", "# DomainName: ''", "DomainName: 'gateway.example.org'")?;
    operator.edit("parameters.yaml", "# HostedZoneId: ''", "HostedZoneId: 'Z0123456789ABCDEFGHIJ'")?;
    operator.edit("parameters.yaml", "# DomainStep: 'close'", "DomainStep: 'attach'")?;
    let domain = [("DomainName", "gateway.example.org"), ("HostedZoneId", "Z0123456789ABCDEFGHIJ")];
    let mut with_domain = values(&with_application);
    with_domain.extend(values(&domain));
    for (from, step) in [(None, "attach"), (Some("attach"), "switch"), (Some("switch"), "close")] {
        if let Some(from) = from {
            let line = |step| format!("DomainStep: '{step}'");
            operator.edit("parameters.yaml", &line(from), &line(step))?;
        }
        with_domain.insert("DomainStep".to_owned(), step.to_owned());
        assert_eq!(deploy(&operator)?, with_domain);
    }

    let deleted = operator.sam(&["delete", "--no-prompts"])?;
    assert!(deleted.succeeded && deleted.said.contains("S3 object with the key my-gateway/"), "{}", deleted.said);
    assert_eq!(operator.calls("DeleteStack")?.last().unwrap()["StackName"], "my-gateway");
    Ok(())
}

#[test]
fn a_clone_of_a_colleague_takes_the_settings_of_the_stack() -> Result<()> {
    let operator = with_a_stack("colleague")?;
    operator.edit("parameters.yaml", "TokenStorage: 'cookie'", "TokenStorage: 'dynamodb'")?;
    operator.edit("parameters.yaml", "# SessionMaxHours: '168'", "SessionMaxHours: '12'")?;
    deploy(&operator)?;
    let again = operator.ops("configure", NEW_STACK)?;
    assert!(!again.succeeded && again.said.contains("parameters.yaml is there already"), "{}", again.said);

    fs::remove_file(operator.path("parameters.yaml")).unwrap();
    let configured = operator.ops("configure", "\n\n")?;
    assert!(configured.succeeded && configured.said.contains("my-gateway exists"), "{}", configured.said);
    let settings =
        [("Architecture", "arm64"), ("GlobusClientId", UUID), ("SessionMaxHours", "12"), ("TokenStorage", "dynamodb")];
    assert_eq!(deploy(&operator)?, values(&settings));
    Ok(())
}

#[test]
fn an_upgrade_from_the_first_release_keeps_every_setting() -> Result<()> {
    let operator = Operator::start("upgrade", &json!({}))?;
    let newer = operator.read("template.yaml");
    let older = fs::read_to_string(tools::root().join("tests/scenarios/stack/first_release.yaml")).unwrap();
    fs::write(operator.path("template.yaml"), older).unwrap();
    let settings = format!(
        "TokenStorage=dynamodb Architecture=x86_64 SessionMaxHours=12 GlobusClientId={UUID} GlobusClientSecret={SECRET}"
    );
    let place = ["--stack-name", "my-gateway", "--region", "eu-central-1"];
    let deployed = operator.sam(&[&["deploy", "--parameter-overrides", &settings], &place[..]].concat())?;
    assert!(deployed.succeeded, "{}", deployed.said);

    fs::write(operator.path("template.yaml"), newer).unwrap();
    let configured = operator.ops("configure", "my-gateway\neu-central-1\n")?;
    assert!(configured.succeeded && configured.said.contains("my-gateway exists"), "{}", configured.said);
    let kept =
        [("Architecture", "x86_64"), ("GlobusClientId", UUID), ("SessionMaxHours", "12"), ("TokenStorage", "dynamodb")];
    assert_eq!(deploy(&operator)?, values(&kept));
    let upgrade = operator.calls("CreateChangeSet")?.pop().unwrap();
    assert_eq!(upgrade["ChangeSetType"], "UPDATE");
    for name in ["GlobusClientSecret", "SecretsRevision", "SessionIdleHours", "AlarmEmail"] {
        let kept = format!(r#"{{"ParameterKey":"{name}","UsePreviousValue":"true"}}"#);
        assert!(upgrade.to_string().contains(&kept), "{name}: {upgrade}");
    }
    Ok(())
}

/// CloudFormation leaves an empty stack behind, which has no settings to take.
#[test]
fn a_first_deployment_that_was_not_confirmed_can_be_configured_anew() -> Result<()> {
    let operator = Operator::start("not-confirmed", &json!({}))?;
    operator.ops("configure", NEW_STACK)?;
    operator.sam(&["deploy", "--no-execute-changeset"])?;
    fs::remove_file(operator.path("parameters.yaml")).unwrap();
    let configured = operator.ops("configure", NEW_STACK)?;
    assert!(configured.succeeded && configured.said.contains("A new stack"), "{}", configured.said);
    Ok(())
}

/// The values of the secret of the session keys, in the order in which they were written.
fn keys_written(operator: &Operator) -> Result<Vec<String>> {
    let calls = operator.calls("PutSecretValue")?;
    Ok(calls.iter().map(|call| call["SecretString"].as_str().unwrap_or_default().to_owned()).collect())
}

#[test]
fn a_key_is_rotated_in_three_steps_and_opens_cookies_until_the_last() -> Result<()> {
    const OLD: &str = "the-first-session-key-of-this-stack";
    let operator = with_a_stack("rotation")?;
    let uploads = operator.calls("CreateChangeSet")?.len();
    operator.fail_updates(1)?;
    let failed = operator.ops("rotate-keys", "")?;
    assert!(!failed.succeeded && failed.said.contains("UPDATE_ROLLBACK_COMPLETE"), "{}", failed.said);

    operator.write_secrets_at("2020-01-01T00:00:00.0Z")?;
    let resumed = operator.ops("rotate-keys", "")?;
    assert!(resumed.succeeded && resumed.said.contains("an earlier run was interrupted"), "{}", resumed.said);
    let new = keys_written(&operator)?[0].strip_prefix(&format!("{OLD},")).unwrap().to_owned();
    assert_eq!(new.len(), 64);
    assert_eq!(keys_written(&operator)?, [format!("{OLD},{new}"), format!("{new},{OLD}"), new.clone()]);
    for call in operator.calls("UpdateStack")? {
        assert_eq!(call["UsePreviousTemplate"], "true");
        assert_eq!(named(&call).into_keys().collect::<Vec<_>>(), ["SecretsRevision"]);
    }
    assert_eq!(operator.calls("CreateChangeSet")?.len(), uploads, "no code is deployed");
    assert!(!resumed.said.contains(OLD) && !resumed.said.contains(&new), "{}", resumed.said);
    Ok(())
}

/// A user's cookie lives for `SessionMaxHours`.
#[test]
fn the_old_key_stays_as_long_as_a_cookie_can_need_it() -> Result<()> {
    let operator = with_a_stack("rotation-not-due")?;
    for _ in 0..2 {
        let rotated = operator.ops("rotate-keys", "")?;
        assert!(rotated.succeeded && rotated.said.contains("until"), "{}", rotated.said);
    }
    assert_eq!(keys_written(&operator)?.len(), 2);
    Ok(())
}

#[test]
fn a_key_that_may_be_compromised_is_replaced_at_once() -> Result<()> {
    let operator = with_a_stack("replacement")?;
    assert!(!operator.ops("replace-keys", "n\n")?.succeeded);
    assert_eq!(keys_written(&operator)?, [] as [&str; 0]);
    let replaced = operator.ops("replace-keys", "y\n")?;
    assert!(replaced.succeeded, "{}", replaced.said);
    let keys = keys_written(&operator)?;
    assert_eq!((keys.len(), keys[0].len(), keys[0].contains(',')), (1, 64, false));
    Ok(())
}

#[test]
fn another_client_secret_reaches_the_functions_and_the_file() -> Result<()> {
    let operator = with_a_stack("client-secret")?;
    operator.fail_updates(1)?;
    assert!(!operator.ops("change-client-secret", "another-secret\n")?.succeeded);
    let changed = operator.ops("change-client-secret", "another-secret\n")?;
    assert!(changed.succeeded, "{}", changed.said);
    assert!(!changed.said.contains("another-secret"), "{}", changed.said);
    let update = operator.calls("UpdateStack")?.pop().unwrap();
    assert_eq!(named(&update), values(&[("GlobusClientSecret", "another-secret"), ("SecretsRevision", "2")]));
    assert!(operator.read("parameters.yaml").contains("GlobusClientSecret: 'another-secret'\n"));
    assert!(operator.read("parameters.yaml").contains("# The UUID that Globus"));
    // The next deployment does not set the revision back, or the secret.
    assert_eq!(deploy(&operator)?["GlobusClientSecret"], "another-secret");
    let deployment = operator.calls("CreateChangeSet")?.pop().unwrap();
    assert!(deployment.to_string().contains(r#"{"ParameterKey":"SecretsRevision","UsePreviousValue":"true"}"#));
    Ok(())
}

/// The file of a colleague who leaves the secret to the stack.
#[test]
fn a_file_of_comments_alone_is_left_as_it_is() -> Result<()> {
    let operator = with_a_stack("comments")?;
    let comments = "# Everything is in the stack.\n# GlobusClientSecret: 'none'\n";
    fs::write(operator.path("parameters.yaml"), comments).unwrap();
    let changed = operator.ops("change-client-secret", "another-secret\n")?;
    assert!(changed.succeeded && changed.said.contains("does not set it here"), "{}", changed.said);
    assert_eq!(operator.read("parameters.yaml"), comments);
    Ok(())
}

#[test]
fn an_update_that_takes_long_has_not_failed() -> Result<()> {
    let operator = with_a_stack("long-update")?;
    operator.edit("tests/ops/stack.py", r#""MaxAttempts": 240"#, r#""MaxAttempts": 1"#)?;
    operator.let_updates_run_on()?;
    let rotated = operator.ops("rotate-keys", "")?;
    assert!(!rotated.succeeded && rotated.said.contains("The update is still running"), "{}", rotated.said);
    assert!(rotated.said.contains("run this command again"), "{}", rotated.said);
    Ok(())
}

/// A stack without the parameter has what its template says; the commands count with the default of this one.
#[test]
fn a_parameter_that_an_older_stack_does_not_have_stops_no_command() -> Result<()> {
    let operator = Operator::start("older-stack", &json!({}))?;
    let newer = operator.read("template.yaml");
    let parameter = newer.split("  SessionMaxHours:\n").nth(1).unwrap().split("  SessionIdleHours:\n").next().unwrap();
    operator.edit("template.yaml", &format!("  SessionMaxHours:\n{parameter}"), "")?;
    operator.edit("template.yaml", "!Ref SessionMaxHours", "168")?;
    operator.ops("configure", NEW_STACK)?;
    deploy(&operator)?;
    fs::write(operator.path("template.yaml"), newer).unwrap();
    let rotated = operator.ops("rotate-keys", "")?;
    assert!(rotated.succeeded && rotated.said.contains("users' cookies need until"), "{}", rotated.said);
    Ok(())
}

#[test]
fn a_command_that_changes_nothing_reads_the_stack_once() -> Result<()> {
    let outputs = json!({ "SiteUrl": "http://127.0.0.1:9", "RedirectUrl": "http://127.0.0.1:9/login" });
    let operator = Operator::start("calls", &json!({ "outputs": outputs }))?;
    operator.ops("configure", NEW_STACK)?;
    deploy(&operator)?;
    for command in ["check", "open-site", "smoke-test"] {
        let before = operator.calls("DescribeStacks")?.len();
        operator.ops(command, "")?;
        assert_eq!(operator.calls("DescribeStacks")?.len(), before + 1, "{command}");
    }
    Ok(())
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named_before_the_first_question() -> Result<()> {
    let operator = Operator::start("read-only", &json!({}))?;
    let before = operator.read("samconfig.toml");
    let configured = operator.ops_in_a_read_only_clone("configure")?;
    assert!(!configured.succeeded, "{}", configured.said);
    assert!(configured.said.contains("cannot be written to, so nothing was changed."), "{}", configured.said);
    assert_eq!(configured.said.lines().count(), 1, "{}", configured.said);
    assert_eq!((operator.read("samconfig.toml"), operator.path("parameters.yaml").exists()), (before, false));
    Ok(())
}

#[tokio::test]
async fn the_sessions_of_one_user_are_ended_and_those_of_others_stay() -> Result<()> {
    const ADA: &str = "ada10ace-1815-4d60-8bdb-eeecaba85bd9";
    let table = DynamoDb::shared()?.table()?;
    let variables = table.variables();
    let pairs: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let world = World::with(&pairs).await;
    let [mut here, mut elsewhere, mut other] = [(); 3].map(|()| Browser::default());
    for (browser, person) in [(&mut here, "ada"), (&mut elsewhere, "ada"), (&mut other, "sparse")] {
        world.sign_in(login::handle, browser, person).await;
    }
    let mut operator = Operator::start("end-sessions", &json!({ "physical": { "TokenTable": table.name() } }))?;
    operator.variables = table.variables();
    operator.ops("configure", "my-gateway\nus-east-1\n\n")?;
    deploy(&operator)?;
    let refused = operator.ops(&format!("end-sessions {ADA}"), "")?;
    assert!(!refused.succeeded && refused.said.contains("Sessions are in cookies"), "{}", refused.said);

    operator.edit("parameters.yaml", "TokenStorage: 'cookie'", "TokenStorage: 'dynamodb'")?;
    deploy(&operator)?;
    let ended = operator.ops(&format!("end-sessions {ADA}"), "")?;
    assert!(
        ended.succeeded && ended.said.contains("Ended: 2 sessions of ada10ace-1815-4d60-8bdb-eeecaba85bd9."),
        "{}",
        ended.said
    );
    assert!(world.session_of(&here).await.is_none() && world.session_of(&elsewhere).await.is_none());
    assert!(world.session_of(&other).await.is_some());
    Ok(())
}
