//! The template: what AWS's linters say of it, and whether it gives the functions what they read.

mod alarms;
mod deploy_role;
mod domain;
mod examples;
mod protection;
mod upgrade;

use std::{collections::BTreeSet, fs};

use kit::{
    Result,
    dynamodb::Table,
    packages::resource,
    programs::functions,
    sam,
    stack::{Place, Stack, TEMPLATE},
    tools,
};
use serde_json::{Value, json};

const CERTIFICATE: &str = "arn:aws:acm:us-east-1:123456789012:certificate/4e3b6a0e-0000-4000-8000-000000000000";
const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/4e3b6a0e-0000-4000-8000-000000000000";

const BOUNDARY: &str = "arn:aws:iam::123456789012:policy/boundary";
const ORIGIN_SECRET: &str = "an-origin-secret-of-32-characters";

/// Every part of the stack that is not there by itself, except a certificate that the stack makes.
const EVERYTHING: [(&str, &str); 14] = [
    ("GlobusClientId", "4e3b6a0e-0000-4000-8000-000000000000"),
    ("GlobusClientSecret", "a-client-secret"),
    ("TokenStorage", "dynamodb"),
    ("ShowTokens", "true"),
    ("BaseUrl", "https://example.org/gateway"),
    ("DomainName", "gateway.example.org"),
    ("CertificateArn", CERTIFICATE),
    ("HostedZoneId", "Z0123456789ABCDEFGHIJ"),
    ("OriginSecret", ORIGIN_SECRET),
    ("EnvironmentKeyArn", KEY),
    ("AlarmEmail", "operator@example.org"),
    ("Tasks", "on"),
    ("PermissionsBoundaryArn", BOUNDARY),
    ("RolePath", "/gateway/"),
];

/// A certificate that the stack makes.
const CERTIFIED: [(&str, &str); 2] = [("DomainName", "gateway.example.org"), ("HostedZoneId", "Z0123456789ABCDEFGHIJ")];

/// Raising it is what makes CloudFormation give the functions a secret's new value; no function reads it.
const READ_BY_NO_CODE: &str = "SECRETS_REVISION";

/// What only the sample page reads, which is not in every stack; another test looks whether it has it there.
const READ_BY_TASKS: &str = "TRANSFER_URL";

/// The stack with sessions in cookies, and the one with every optional part.
fn stacks() -> Result<[Stack; 2]> {
    let [without, with] = [&[][..], &EVERYTHING].map(|parameters| Stack::with(parameters, "sessions"));
    Ok([without?.of_this_project(), with?.of_this_project()])
}

/// The names in the module that reads the environment, without those that Lambda itself sets.
fn variables_in_the_code() -> BTreeSet<String> {
    let files = ["address", "environment", "rules", "settings"].map(|name| format!("shared/src/config/{name}.rs"));
    let code = files.map(|file| fs::read_to_string(tools::root().join(file)).unwrap()).concat();
    // A variable's name is a string of capitals, and no other string there is.
    let name = |text: &&str| text.contains('_') && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let strings = code.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
    strings.filter(name).filter(|name| !name.starts_with("AWS_")).map(ToOwned::to_owned).collect()
}

#[test]
fn the_linters_accept_the_template_with_its_defaults() -> Result<()> {
    sam::lint(&tools::root().join(TEMPLATE))
}

#[test]
fn the_linters_accept_the_template_with_every_optional_part() -> Result<()> {
    sam::lint(&sam::template_with("template-with-everything", &EVERYTHING)?)?;
    sam::lint(&sam::template_with("template-with-a-certificate", &CERTIFIED)?)
}

#[test]
fn the_variables_that_the_code_reads_are_those_that_the_template_sets() -> Result<()> {
    let read = variables_in_the_code();
    assert!(read.contains("SESSION_KEYS") && read.contains(READ_BY_TASKS), "{read:?}");
    for stack in stacks()? {
        let has_transfer = stack.functions.values().any(|function| function.variables.contains_key(READ_BY_TASKS));
        let read: BTreeSet<_> = read.iter().filter(|name| has_transfer || *name != READ_BY_TASKS).cloned().collect();
        let set: BTreeSet<_> = stack.functions.values().flat_map(|function| function.variables.keys()).collect();
        let set: BTreeSet<_> = set.into_iter().filter(|name| *name != READ_BY_NO_CODE).cloned().collect();
        assert_eq!(read, set);
    }
    Ok(())
}

/// A function would go on with an old secret that CloudFormation has no reason to replace.
#[test]
fn every_function_has_the_revision_of_the_secrets() -> Result<()> {
    let parameters = [("TokenStorage", "dynamodb"), ("Tasks", "on"), ("SecretsRevision", "7")];
    for (name, function) in Stack::with(&parameters, "sessions")?.of_this_project().functions {
        assert_eq!(function.variables[READ_BY_NO_CODE], "7", "{name}");
    }
    Ok(())
}

/// Without its permission a route is left to API Gateway, which responds with a bare 500.
#[test]
fn the_api_may_call_the_function_of_each_of_its_routes() -> Result<()> {
    for stack in stacks()? {
        for route in &stack.routes {
            let patterns = ["*".to_owned(), format!("*{}", route.path)];
            let allowed = |(function, path): &(String, String)| *function == route.function && patterns.contains(path);
            assert!(stack.invokable.iter().any(allowed), "{route:?} is not among {:?}", stack.invokable);
        }
        let leads_to = |path| stack.route("GET", path).map(|route| route.function.as_str());
        assert_eq!(leads_to("/nothing/here"), Some("HomeFunction"));
    }
    Ok(())
}

/// A stranger can make each of these routes call Globus or write to the table.
#[test]
fn login_and_logout_take_fewer_requests_a_second_than_pages() -> Result<()> {
    for stack in stacks()? {
        let limits: Vec<_> = stack.throttles.iter().map(|(route, rate)| (route.as_str(), *rate)).collect();
        assert_eq!(limits, [("*", 100), ("ANY /login", 20), ("ANY /logout", 10)]);
        let keys: Vec<_> = stack.routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        assert!(limits[1..].iter().all(|(route, _)| keys.iter().any(|key| key == route)), "{keys:?}");
    }
    Ok(())
}

/// API Gateway itself waits for 30 seconds, and what it says then is no page of ours; for an authorizer it waits for 10.
#[test]
fn every_function_has_the_time_it_may_need_and_ends_before_the_api_gives_up() -> Result<()> {
    let [_, with] = stacks()?;
    let times: Vec<_> = with.functions.iter().map(|(name, function)| (name.as_str(), function.timeout)).collect();
    let expected = [
        ("AuthorizerFunction", 9),
        ("HomeFunction", 10),
        ("LoginFunction", 28),
        ("LogoutFunction", 28),
        ("TasksFunction", 15),
        ("TokenFunction", 9),
        ("VisitorAuthorizerFunction", 9),
    ];
    assert_eq!(times, expected);
    for stack in stacks()? {
        for (name, function) in &stack.functions {
            let most = if name.ends_with("AuthorizerFunction") { 10 } else { 30 };
            assert!((1..most).contains(&function.timeout), "{name}: {}", function.timeout);
        }
    }
    Ok(())
}

/// Memory is what a function costs, and its share of a processor.
#[test]
fn every_function_has_the_memory_that_was_measured() -> Result<()> {
    for stack in stacks()? {
        for (name, function) in &stack.functions {
            assert_eq!(function.memory, 256, "{name}");
        }
    }
    Ok(())
}

/// Every other test keeps its sessions in a table that is made here.
#[test]
fn the_tables_of_the_tests_are_as_that_of_the_stack() -> Result<()> {
    let [without, with] = stacks()?;
    assert!(without.tables.is_empty(), "{:?}", without.tables);
    for (name, value) in Table::layout().as_object().into_iter().flatten() {
        assert_eq!(&with.tables["TokenTable"][name], value);
    }
    let ttl = &with.tables["TokenTable"]["TimeToLiveSpecification"];
    assert_eq!((&ttl["AttributeName"], &ttl["Enabled"]), (&Value::from("expires_at"), &Value::from(true)));
    Ok(())
}

/// An allow that is kept would outlive a logout, and let a form from another site through.
#[test]
fn the_authorizers_of_the_api_decide_each_request_anew() -> Result<()> {
    for stack in stacks()? {
        let names: Vec<_> = stack.authorizers.keys().map(String::as_str).collect();
        assert_eq!(names, ["SignedIn", "Visitor"]);
        for (name, function, sources, mode) in [
            ("SignedIn", "AuthorizerFunction", json!(["$request.header.cookie"]), "signed-in"),
            ("Visitor", "VisitorAuthorizerFunction", json!([]), "visitor"),
        ] {
            let authorizer = &stack.authorizers[name];
            assert_eq!(authorizer["authorizerResultTtlInSeconds"], 0, "{name}");
            assert_eq!(authorizer["identitySource"], sources, "{name}");
            assert_eq!(authorizer["authorizerPayloadFormatVersion"], "2.0", "{name}");
            assert_eq!((&authorizer["type"], &authorizer["enableSimpleResponses"]), (&json!("request"), &json!(true)));
            let uri = authorizer["authorizerUri"].as_str().unwrap_or_default();
            assert!(uri.contains(&format!("functions/physical-{function}.Arn/")), "{name}: {uri}");
            // Without its permission, API Gateway responds with 500.
            assert!(
                stack.invokable.contains(&(function.to_owned(), "authorizers".to_owned())),
                "{:?}",
                stack.invokable
            );
            assert_eq!(stack.functions[function].variables["AUTHORIZER_MODE"], mode);
        }
        // The pages of this site ask for the session themselves.
        let guarded: Vec<_> = stack.routes.iter().filter(|route| !route.authorizers.is_empty()).collect();
        assert!(guarded.is_empty(), "{guarded:?}");
        let paths: BTreeSet<_> = stack.routes.iter().map(|route| route.path.as_str()).collect();
        assert!(paths.is_superset(&["/", "/login", "/logout", "/session", "$default"].into()), "{paths:?}");
    }
    Ok(())
}

#[test]
fn only_the_policy_for_it_lets_a_function_get_tokens() -> Result<()> {
    for stack in stacks()? {
        let [policy] = stack.policies.values().collect::<Vec<_>>()[..] else { panic!("{:?}", stack.policies) };
        let statement = json!([{
            "Effect": "Allow",
            "Action": "lambda:InvokeFunction",
            "Resource": "physical-TokenFunction.Arn",
        }]);
        assert_eq!(policy["PolicyDocument"]["Statement"], statement);
        // It can be attached from its own side, too.
        let properties: BTreeSet<_> = policy.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        assert!(properties.is_subset(&["Description", "Path", "PolicyDocument"].into()), "{properties:?}");
        assert!(!stack.routes.iter().any(|route| route.function == "TokenFunction"), "{:?}", stack.routes);
        assert!(!stack.invokable.iter().any(|(function, _)| function == "TokenFunction"), "{:?}", stack.invokable);
        for role in stack.roles.values() {
            assert!(!role.to_string().contains("lambda:Invoke"), "{role}");
            assert!(!role.to_string().contains("TokenPolicy"), "{role}");
        }
    }
    Ok(())
}

/// They open sessions and nothing else.
#[test]
fn the_guard_has_no_secret_of_the_application_and_no_more_rights_than_home() -> Result<()> {
    for stack in stacks()? {
        for name in ["AuthorizerFunction", "VisitorAuthorizerFunction", "TokenFunction"] {
            let function = &stack.functions[name];
            assert!(!function.variables.contains_key("GLOBUS_CLIENT_SECRET"), "{name}");
            assert_eq!(function.actions, stack.functions["HomeFunction"].actions, "{name}");
            // API Gateway waits for an authorizer for 10 seconds.
            // DynamoDB is given up after 4 seconds, in the worst case twice.
            assert!((9..10).contains(&function.timeout), "{name}: {}", function.timeout);
        }
    }
    Ok(())
}

/// The sample page is there only if its parameter says so. Without it, the path leads to the 404 page.
#[test]
fn the_sample_page_is_deployed_by_its_parameter() -> Result<()> {
    let [without, with] = stacks()?;
    let leads_to = |stack: &Stack| stack.route("GET", "/tasks").map(|route| route.function.clone());
    assert_eq!(leads_to(&without).as_deref(), Some("HomeFunction"));
    assert_eq!(leads_to(&with).as_deref(), Some("TasksFunction"));
    let names = |stack: &Stack| -> BTreeSet<_> { stack.functions.keys().cloned().collect() };
    let mut all: BTreeSet<_> = functions().iter().map(|function| resource(function)).collect();
    all.insert("VisitorAuthorizerFunction".to_owned());
    assert_eq!(names(&with), all);
    assert!(all.remove("TasksFunction") && all.len() >= 3, "{all:?}");
    assert_eq!(names(&without), all);
    let tasks = &with.functions["TasksFunction"];
    assert_eq!(tasks.actions, with.functions["HomeFunction"].actions, "it reads sessions, and does nothing else");
    assert_eq!(tasks.variables[READ_BY_TASKS], "https://transfer.api.globus.org");
    assert!(!tasks.variables.contains_key("GLOBUS_CLIENT_SECRET"), "{:?}", tasks.variables.keys());
    Ok(())
}

/// An account that demands a boundary or a path refuses to make a role without.
#[test]
fn every_role_has_the_boundary_and_the_path_of_the_account() -> Result<()> {
    let [without, with] = stacks()?;
    assert_eq!(with.roles.len(), with.functions.len(), "{:?}", with.roles.keys());
    assert_eq!(with.policies["TokenPolicy"]["Path"], "/gateway/");
    for role in with.roles.values() {
        assert_eq!((&role["PermissionsBoundary"], &role["Path"]), (&BOUNDARY.into(), &"/gateway/".into()), "{role}");
    }
    for role in without.roles.values() {
        assert_eq!((role.get("PermissionsBoundary"), role.get("Path")), (None, None), "{role}");
    }
    Ok(())
}

/// What is refused before an update begins can break nothing.
#[test]
fn a_parameter_that_cannot_be_right_is_refused_before_the_update() {
    let refused = |parameters: &[(&str, &str)]| Stack::with(parameters, "sessions").unwrap_err();
    let wrong = [
        ("GlobusClientId", "7fb58e00", "GlobusClientId is a UUID"),
        ("GlobusClientSecret", "a secret", "GlobusClientSecret has no spaces"),
        ("GlobusScopes", "profile,openid", "GlobusScopes are separated by spaces"),
        ("BaseUrl", "https://example.org/", "BaseUrl begins with https://, has no capital letters in its host"),
        ("DomainName", "https://gateway.example.org", "DomainName is a name alone"),
        ("DomainStep", "none", "DomainStep cannot be 'none'"),
        ("CertificateArn", "4e3b6a0e-0000-4000-8000-000000000000", "CertificateArn is the ARN of a certificate"),
        ("HostedZoneId", "example.org", "HostedZoneId is the id of a hosted zone"),
        ("OriginSecret", "too-short", "OriginSecret has at least 32 letters or digits"),
        ("TokenStorage", "DynamoDB", "TokenStorage cannot be 'DynamoDB'"),
        ("ShowTokens", "yes", "ShowTokens cannot be 'yes'"),
        ("Tasks", "yes", "Tasks cannot be 'yes'"),
        ("LogLevel", "VERBOSE", "LogLevel cannot be 'VERBOSE'"),
        ("Architecture", "arm", "Architecture cannot be 'arm'"),
        ("SecretsRevision", "0", "SecretsRevision cannot be '0'"),
        ("SessionIdleHours", "0", "SessionIdleHours cannot be '0'"),
        ("SessionMaxHours", "8761", "SessionMaxHours cannot be '8761'"),
        ("EnvironmentKeyArn", "alias/mine", "EnvironmentKeyArn is the ARN of a KMS key"),
        ("AlarmEmail", "Ada <ada@example.org>", "AlarmEmail is one email address"),
        ("PermissionsBoundaryArn", "boundary", "PermissionsBoundaryArn is the ARN of an IAM policy"),
        ("RolePath", "gateway", "RolePath begins and ends with a slash"),
    ];
    let said = refused(&wrong.map(|(name, value, _)| (name, value)));
    for (_, _, message) in wrong {
        assert!(said.contains(message), "no {message} in {said}");
    }
    let said = refused(&[("DomainName", "gateway.example.org/"), ("BaseUrl", "https://exam ple.org")]);
    assert!(said.contains("DomainName is a name alone") && said.contains("BaseUrl begins with"), "{said}");
    let said = refused(&[("OriginSecret", &format!("{ORIGIN_SECRET},too-short"))]);
    assert!(said.contains("OriginSecret has at least 32 letters or digits"), "{said}");
    let said = refused(&[("SiteName", &"A".repeat(81))]);
    assert!(said.contains("SiteName cannot be"), "{said}");
    for address in
        ["http://example.org", "https://Example.org", "https://example.org/.well-known", "https://ada@example.org"]
    {
        let said = refused(&[("BaseUrl", address)]);
        assert!(said.contains("BaseUrl begins with https://"), "{address}: {said}");
    }
    let said = refused(&[("DomainName", "gateway.example.org")]);
    assert!(said.contains("DomainName needs CertificateArn, HostedZoneId, or both."), "{said}");
}

/// Without it, a proxy's secret in the parameter would protect nothing.
#[test]
fn every_function_has_the_secret_of_the_proxy_and_an_empty_one_by_default() -> Result<()> {
    let [without, with] = stacks()?;
    for (stack, secret) in [(&without, ""), (&with, ORIGIN_SECRET)] {
        for (name, function) in &stack.functions {
            // No request from outside leads to the token function.
            let expected = (name != "TokenFunction").then_some(secret);
            assert_eq!(function.variables.get("ORIGIN_SECRET").map(String::as_str), expected, "{name}");
        }
    }
    Ok(())
}

#[test]
fn in_another_partition_every_address_is_of_that_partition() -> Result<()> {
    let stack = Stack::at(Place::SOVEREIGN, &[], "sessions")?;
    assert!(stack.functions.values().all(|function| function.variables["URL_SUFFIX"] == "amazonaws.eu"));
    let output = |name: &str| stack.outputs[name].as_str();
    assert_eq!(output("SiteUrl"), "https://physical-HttpApi.execute-api.eusc-de-east-1.amazonaws.eu");
    assert_eq!(output("RedirectUrl"), "https://physical-HttpApi.execute-api.eusc-de-east-1.amazonaws.eu/login");
    let console = "https://eusc-de-east-1.console.amazonaws-eusc.eu/cloudwatch/home?region=eusc-de-east-1";
    assert_eq!(output("DashboardUrl"), format!("{console}#dashboards/dashboard/physical-Dashboard"));
    Ok(())
}

#[test]
fn no_role_may_do_anything_without_a_table() -> Result<()> {
    let [without, with] = stacks()?;
    assert!(without.functions.values().all(|function| function.actions.is_empty()), "{without:?}");
    assert!(with.functions.values().all(|function| !function.actions.is_empty()), "{with:?}");
    Ok(())
}
