//! What the stack protects by the properties of its resources, each written out: a value that weakens something is a
//! change of this file, too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use kit::{
    Result,
    stack::{Stack, TEMPLATE},
    tools,
};
use serde_json::{Value, json};

use super::{EVERYTHING, KEY, stacks};

const TABLE: &str = "sessions.Arn";
const SESSION_KEYS: &str = "{{resolve:secretsmanager:physical-SessionKeys:SecretString}}";
const CLIENT_SECRET: &str = "{{resolve:secretsmanager:physical-ClientSecret:SecretString}}";

/// The resources of a type, with their properties.
fn of_type<'a>(stack: &'a Stack, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let all = stack.resources.iter().filter(|(_, resource)| resource["Type"] == kind);
    all.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
}

/// The functions of this project with their variables, as CloudFormation is told them: a secret is a reference.
fn variables(stack: &Stack) -> BTreeMap<&str, &Value> {
    let functions = of_type(stack, "AWS::Lambda::Function").into_iter();
    let ours = functions.filter(|(name, _)| stack.functions.contains_key(*name));
    ours.map(|(name, properties)| (name, &properties["Environment"]["Variables"])).collect()
}

#[test]
fn each_role_may_do_what_its_function_does_with_the_session_table_and_no_more() -> Result<()> {
    let [_, with] = stacks()?;
    let reads = &["dynamodb:GetItem", "dynamodb:UpdateItem"][..];
    let may = BTreeMap::from([
        ("AuthorizerFunction", reads),
        ("HomeFunction", reads),
        (
            "LoginFunction",
            &["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"],
        ),
        ("LogoutFunction", &["dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"]),
        ("TasksFunction", reads),
        ("TokenFunction", reads),
        ("VisitorAuthorizerFunction", reads),
    ]);
    assert_eq!(with.roles.len(), may.len(), "{:?}", with.roles.keys());
    for (function, actions) in may {
        let role = &with.roles[&format!("{function}Role")];
        let statements: Vec<_> = role["Policies"].as_array().into_iter().flatten().collect();
        assert_eq!(statements.len(), 1, "{role}");
        let expected = json!([{ "Effect": "Allow", "Action": actions, "Resource": TABLE }]);
        assert_eq!(statements[0]["PolicyDocument"]["Statement"], expected, "{function}");
    }
    Ok(())
}

#[test]
fn each_role_is_for_lambda_alone_and_may_write_its_log() -> Result<()> {
    for stack in stacks()? {
        for (name, role) in &stack.roles {
            let basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
            assert_eq!(role["ManagedPolicyArns"], json!([basic]), "{name}");
            let trusted = &role["AssumeRolePolicyDocument"]["Statement"];
            let lambda = json!({ "Service": ["lambda.amazonaws.com"] });
            assert_eq!((trusted.as_array().map(Vec::len), &trusted[0]["Principal"]), (Some(1), &lambda), "{name}");
        }
    }
    Ok(())
}

/// A function whose environment leaks gives away what is in it.
#[test]
fn each_secret_is_in_the_environment_of_the_functions_that_need_it_and_is_a_reference() -> Result<()> {
    let [_, with] = stacks()?;
    let variables = variables(&with);
    let have = |name: &str| -> BTreeSet<&str> {
        variables.iter().filter(|(_, values)| values.get(name).is_some()).map(|(function, _)| *function).collect()
    };
    assert_eq!(have("GLOBUS_CLIENT_SECRET"), ["LoginFunction", "LogoutFunction"].into());
    assert_eq!(have("SHOW_TOKENS"), ["HomeFunction"].into());
    for (function, values) in &variables {
        assert_eq!(values["SESSION_KEYS"], SESSION_KEYS, "{function}");
        let secret = values.get("GLOBUS_CLIENT_SECRET");
        assert!(secret.is_none_or(|secret| secret == CLIENT_SECRET), "{function}: {secret:?}");
        let [id, secret, origin] = ["GlobusClientId", "GlobusClientSecret", "OriginSecret"]
            .map(|name| EVERYTHING.iter().find(|(other, _)| *other == name).map(|(_, value)| *value).unwrap());
        assert_eq!(values["GLOBUS_CLIENT_ID"], id, "{function}");
        let others = values.as_object().into_iter().flatten().filter(|(name, _)| *name != "ORIGIN_SECRET");
        for (name, value) in others {
            let text = value.to_string();
            assert!(!text.contains(secret) && !text.contains(origin), "{name} of {function}");
        }
    }
    Ok(())
}

/// What AWS shows to a reader of the stack or of its dashboard: all but the variables of the functions and the secret itself.
#[test]
fn no_secret_is_anywhere_else_in_the_stack_nor_in_what_it_shows() -> Result<()> {
    let [without, mut with] = stacks()?;
    for resource in with.resources.values_mut() {
        resource["Properties"]["Environment"] = Value::Null;
    }
    with.resources.remove("ClientSecret");
    let shown = format!("{:?}{:?}", with.resources, with.outputs);
    for secret in ["{{resolve", "a-client-secret", "an-origin-secret", "physical-SessionKeys", "physical-ClientSecret"]
    {
        assert!(!shown.contains(secret), "{secret}");
    }
    let names: Vec<_> = with.outputs.keys().map(String::as_str).collect();
    let expected = [
        "DashboardUrl",
        "DomainNameTarget",
        "FunctionLogGroup",
        "RedirectUrl",
        "RegionalHostedZoneId",
        "SignedInAuthorizerArn",
        "SiteUrl",
        "TokenFunctionName",
        "TokenPolicyArn",
        "VisitorAuthorizerArn",
    ];
    assert_eq!(names, expected);
    assert!(without.outputs.keys().all(|name| expected.contains(&name.as_str())), "{:?}", without.outputs);
    Ok(())
}

/// Secrets Manager cannot store an empty secret.
#[test]
fn the_word_none_is_no_secret() -> Result<()> {
    for none in ["none", ""] {
        let stack = Stack::with(&[("GlobusClientSecret", none), ("OriginSecret", none)], "sessions")?.of_this_project();
        assert!(!stack.resources.contains_key("ClientSecret"), "{:?}", stack.resources.keys());
        let variables = variables(&stack);
        assert_eq!(variables["LoginFunction"]["GLOBUS_CLIENT_SECRET"], "");
        assert_eq!(variables["LoginFunction"]["ORIGIN_SECRET"], "");
    }
    Ok(())
}

/// A function of an owner has them as well.
#[test]
fn the_variables_of_every_function_of_the_template_hold_no_secret() {
    let template = fs::read_to_string(tools::root().join(TEMPLATE)).unwrap();
    let globals = template.split("\nGlobals:\n").nth(1).and_then(|rest| rest.split("\nResources:\n").next()).unwrap();
    assert!(globals.contains("GLOBUS_CLIENT_ID"), "{globals}");
    for secret in ["secretsmanager", "SessionKeys", "ClientSecret", "OriginSecret"] {
        assert!(!globals.contains(secret), "{secret}");
    }
}

#[test]
fn the_secrets_of_the_stack_are_made_by_aws_or_given_without_being_shown() -> Result<()> {
    let [without, with] = stacks()?;
    for stack in [&without, &with] {
        let keys = &of_type(stack, "AWS::SecretsManager::Secret")["SessionKeys"];
        assert_eq!(keys["GenerateSecretString"], json!({ "PasswordLength": 64, "ExcludePunctuation": true }));
        assert_eq!(keys.get("SecretString"), None);
        let hidden = stack.parameters.iter().filter(|(_, parameter)| parameter["NoEcho"] == true);
        let hidden: Vec<_> = hidden.map(|(name, parameter)| (name.as_str(), &parameter["Default"])).collect();
        assert_eq!(hidden, [("GlobusClientSecret", &json!("none")), ("OriginSecret", &json!("none"))]);
    }
    assert_eq!(of_type(&with, "AWS::SecretsManager::Secret")["ClientSecret"]["SecretString"], "a-client-secret");
    Ok(())
}

#[test]
fn the_parameters_are_safe_by_default() -> Result<()> {
    let [without, _] = stacks()?;
    let defaults: BTreeMap<_, _> =
        without.parameters.iter().map(|(name, parameter)| (name.as_str(), &parameter["Default"])).collect();
    for (name, expected) in [
        ("AllowedDomains", json!("")),
        ("DomainStep", json!("close")),
        ("LogLevel", json!("INFO")),
        ("RulesEveryMinutes", json!(60)),
        ("SessionIdleHours", json!(24)),
        ("SessionMaxHours", json!(168)),
        ("ShowTokens", json!("false")),
        ("Tasks", json!("off")),
    ] {
        assert_eq!(defaults[name], &expected, "{name}");
    }
    for (name, most) in [("SessionMaxHours", 8760), ("SessionIdleHours", 8760), ("RulesEveryMinutes", 525_600)] {
        let parameter = &without.parameters[name];
        assert_eq!((&parameter["MinValue"], &parameter["MaxValue"]), (&json!(1), &json!(most)), "{name}");
    }
    let variables = variables(&without);
    assert_eq!(variables["HomeFunction"]["SHOW_TOKENS"], "false");
    assert_eq!(variables["LoginFunction"]["GROUPS_URL"], "https://groups.api.globus.org");
    for (function, values) in variables {
        assert_eq!(values["GLOBUS_AUTH_URL"], "https://auth.globus.org", "{function}");
        assert_eq!(values.get("AWS_LAMBDA_LOG_LEVEL"), None, "{function}");
    }
    Ok(())
}

/// A function that is not told would keep sessions in cookies, where no logout everywhere reaches them.
#[test]
fn every_function_is_told_where_sessions_are_kept() -> Result<()> {
    let [without, with] = stacks()?;
    for (stack, table) in [(&without, ""), (&with, "sessions")] {
        for (function, values) in variables(stack) {
            assert_eq!(values["TOKEN_TABLE"], table, "{function}");
        }
    }
    Ok(())
}

/// A rule that did not reach one of the functions would not count there.
#[test]
fn every_function_has_the_access_rules_and_the_settings_as_they_were_given() -> Result<()> {
    let group = "69070000-0001-4ba1-8f4e-2ea86a5b4c01";
    let rules = [
        ("AllowedDomains", "ALLOWED_DOMAINS", "anl.gov"),
        ("AllowedGroups", "ALLOWED_GROUPS", group),
        ("RoleGroups", "ROLE_GROUPS", "admin=69070000-0001-4ba1-8f4e-2ea86a5b4c01"),
        ("RequiredPolicies", "REQUIRED_POLICIES", group),
        ("MaxAuthenticationMinutes", "MAX_AUTHENTICATION_MINUTES", "30"),
        ("RulesEveryMinutes", "RULES_EVERY_MINUTES", "5"),
        ("SessionMaxHours", "SESSION_MAX_HOURS", "12"),
        ("SessionIdleHours", "SESSION_IDLE_HOURS", "2"),
        ("SiteName", "SITE_NAME", "A gateway"),
        ("LogLevel", "LOG_LEVEL", "ERROR"),
        ("GlobusScopes", "GLOBUS_SCOPES", "openid email"),
    ];
    let stack = Stack::with(&rules.map(|(parameter, _, value)| (parameter, value)), "sessions")?.of_this_project();
    for (function, values) in variables(&stack) {
        let asks_for_scopes = ["LoginFunction", "LogoutFunction"].contains(&function);
        for (_, variable, value) in rules {
            let expected = (variable != "GLOBUS_SCOPES" || asks_for_scopes).then_some(value);
            assert_eq!(values.get(variable).and_then(Value::as_str), expected, "{variable} of {function}");
        }
    }
    for (function, properties) in of_type(&stack, "AWS::Lambda::Function") {
        assert_eq!(properties["LoggingConfig"]["ApplicationLogLevel"], "ERROR", "{function}");
    }
    let wrong = [
        ("AllowedDomains", "@anl.gov"),
        ("AllowedDomains", "-anl.gov"),
        ("AllowedDomains", "anl.gov,"),
        ("AllowedGroups", "beamline"),
        ("AllowedGroups", "69070000-0001-4ba1-8f4e2ea86a5b4c01-"),
        ("RoleGroups", group),
        ("RoleGroups", "1=69070000-0001-4ba1-8f4e-2ea86a5b4c01"),
        ("RequiredPolicies", "mfa"),
        ("MaxAuthenticationMinutes", "30m"),
        ("MaxAuthenticationMinutes", "525601"),
    ];
    for (parameter, value) in wrong {
        let refused = Stack::with(&[(parameter, value)], "sessions").unwrap_err();
        assert!(refused.contains(parameter), "{refused}");
    }
    Ok(())
}

#[test]
fn the_api_has_its_limits_no_cors_and_an_access_log_without_queries_and_headers() -> Result<()> {
    let [without, with] = stacks()?;
    for (stack, is_closed) in [(&without, false), (&with, true)] {
        let stages = of_type(stack, "AWS::ApiGatewayV2::Stage");
        let [stage] = stages.values().collect::<Vec<_>>()[..] else { panic!("{stages:?}") };
        let limits = |rate: u64, burst: u64| json!({ "ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst });
        assert_eq!(stage["DefaultRouteSettings"], limits(100, 200));
        assert_eq!(stage["RouteSettings"], json!({ "ANY /login": limits(20, 40), "ANY /logout": limits(10, 20) }));
        assert_eq!(stage["AccessLogSettings"]["DestinationArn"], "physical-AccessLogs.Arn");
        let format: Value = serde_json::from_str(stage["AccessLogSettings"]["Format"].as_str().unwrap()).unwrap();
        let expected = json!({
            "time": "$context.requestTime",
            "request_id": "$context.requestId",
            "ip": "$context.identity.sourceIp",
            "method": "$context.httpMethod",
            "path": "$context.path",
            "route": "$context.routeKey",
            "status": "$context.status",
            "latency_ms": "$context.responseLatency",
            "function_request_id": "$context.integration.requestId",
            "error": "$context.error.responseType",
        });
        assert_eq!(format, expected);
        let apis = of_type(stack, "AWS::ApiGatewayV2::Api");
        let [api] = apis.values().collect::<Vec<_>>()[..] else { panic!("{apis:?}") };
        assert!(!api.to_string().to_ascii_lowercase().contains("cors"), "{api}");
        let endpoint = &api["Body"]["servers"][0]["x-amazon-apigateway-endpoint-configuration"];
        let endpoint = &endpoint["disableExecuteApiEndpoint"];
        assert_eq!(endpoint, is_closed);
    }
    Ok(())
}

#[test]
fn only_the_api_may_invoke_the_functions() -> Result<()> {
    for stack in stacks()? {
        let permissions = of_type(&stack, "AWS::Lambda::Permission");
        assert!(permissions.len() >= 5, "{permissions:?}");
        for (name, permission) in permissions {
            assert_eq!(permission["Principal"], "apigateway.amazonaws.com", "{name}");
            assert_eq!(permission["Action"], "lambda:InvokeFunction", "{name}");
            let source = permission["SourceArn"].as_str().unwrap();
            assert!(source.starts_with("arn:aws:execute-api:us-east-1:123456789012:physical-HttpApi/"), "{source}");
        }
    }
    Ok(())
}

/// A function URL or another API would lead round the limits and the authorizers, a bucket or a queue would keep what
/// nothing here protects.
#[test]
fn the_stack_has_no_other_kinds_of_resources() -> Result<()> {
    let [_, with] = stacks()?;
    let kinds: BTreeSet<_> = with.resources.values().map(|resource| resource["Type"].as_str().unwrap()).collect();
    let expected = [
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::ApiMapping",
        "AWS::ApiGatewayV2::DomainName",
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::DynamoDB::Table",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Role",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Logs::LogGroup",
        "AWS::Logs::MetricFilter",
        "AWS::Route53::RecordSetGroup",
        "AWS::SNS::Topic",
        "AWS::SecretsManager::Secret",
    ];
    assert_eq!(kinds, expected.into());
    Ok(())
}

/// A record or a certificate of another name would give the domain, and with it the cookies, to another host.
#[test]
fn the_domain_leads_to_the_api_alone_by_tls_1_2_and_with_a_certificate_for_it_alone() -> Result<()> {
    let name = "gateway.example.org";
    let zone = "Z0123456789ABCDEFGHIJ";
    let stack = Stack::with(&super::CERTIFIED, "sessions")?;
    let properties = |resource: &str| &stack.resources[resource]["Properties"];
    let configuration = json!({
        "CertificateArn": "physical-Certificate",
        "EndpointType": "REGIONAL",
        "IpAddressType": "dualstack",
        "SecurityPolicy": "TLS_1_2",
    });
    let domain = json!({ "DomainName": name, "DomainNameConfigurations": [configuration] });
    assert_eq!(properties("CustomDomain"), &domain);
    let mapping = properties("CustomDomainMapping");
    assert_eq!(
        (&mapping["ApiId"], &mapping["DomainName"]),
        (&"physical-HttpApi".into(), &"physical-CustomDomain".into())
    );
    let certificate = json!({
        "DomainName": name,
        "DomainValidationOptions": [{ "DomainName": name, "HostedZoneId": zone }],
        "ValidationMethod": "DNS",
    });
    assert_eq!(properties("Certificate"), &certificate);
    let target = json!({
        "DNSName": "physical-CustomDomain.RegionalDomainName",
        "HostedZoneId": "physical-CustomDomain.RegionalHostedZoneId",
    });
    let records = ["A", "AAAA"].map(|kind| json!({ "Name": name, "Type": kind, "AliasTarget": target }));
    assert_eq!(properties("DomainRecords"), &json!({ "HostedZoneId": zone, "RecordSets": records }));
    let [_, with] = stacks()?;
    let given = &with.resources["CustomDomain"]["Properties"]["DomainNameConfigurations"][0]["CertificateArn"];
    assert_eq!((given, with.resources.contains_key("Certificate")), (&super::CERTIFICATE.into(), false));
    Ok(())
}

#[test]
fn the_logs_are_kept_for_thirty_days() -> Result<()> {
    for stack in stacks()? {
        let groups = of_type(&stack, "AWS::Logs::LogGroup");
        let kept: Vec<_> = groups.iter().map(|(name, group)| (*name, &group["RetentionInDays"])).collect();
        assert_eq!(kept, [("AccessLogs", &json!(30)), ("FunctionLogs", &json!(30))]);
    }
    Ok(())
}

/// A copy of the table, or a restored one, would bring sessions back that have ended.
#[test]
fn the_session_table_has_no_copy() -> Result<()> {
    let [_, with] = stacks()?;
    let properties = of_type(&with, "AWS::DynamoDB::Table")["TokenTable"].as_object().unwrap();
    let properties: BTreeSet<_> = properties.keys().map(String::as_str).collect();
    let expected = ["AttributeDefinitions", "BillingMode", "KeySchema", "TimeToLiveSpecification"];
    assert_eq!(properties, expected.into());
    Ok(())
}

/// The keys, the sessions and the UUIDs of users in the log go with the stack. Only a log that another takes the place of
/// stays: see the test of the upgrade.
#[test]
fn nothing_is_kept_when_the_stack_is_deleted() -> Result<()> {
    for stack in stacks()? {
        for (name, resource) in &stack.resources {
            let deleted = &resource["DeletionPolicy"];
            assert!(deleted.is_null() || deleted == "Delete", "{name}: {deleted}");
            let replaced = &resource["UpdateReplacePolicy"];
            let stays = if name == "FunctionLogs" { "Retain" } else { "Delete" };
            assert!(replaced.is_null() || replaced == stays, "{name}: {replaced}");
        }
        assert_eq!(stack.resources["FunctionLogs"]["DeletionPolicy"], "Delete");
    }
    let [_, with] = stacks()?;
    let table = &with.resources["TokenTable"];
    assert_eq!((&table["DeletionPolicy"], &table["UpdateReplacePolicy"]), (&json!("Delete"), &json!("Delete")));
    Ok(())
}

#[test]
fn the_key_of_the_account_encrypts_the_environment_of_every_function() -> Result<()> {
    let [without, with] = stacks()?;
    for (stack, key) in [(&without, None), (&with, Some(&json!(KEY)))] {
        for (name, function) in of_type(stack, "AWS::Lambda::Function") {
            assert_eq!(function.get("KmsKeyArn"), key, "{name}");
            assert_eq!(function["LoggingConfig"]["LogGroup"], "physical-FunctionLogs", "{name}");
            assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON", "{name}");
            assert_eq!(function["LoggingConfig"]["ApplicationLogLevel"], "INFO", "{name}");
        }
    }
    Ok(())
}
