//! The role by which GitHub deploys: who may take it, and what it may do. Each statement is written out: one that allows
//! more is a change of this file, too.

use std::collections::BTreeMap;

use kit::{Result, stack, tools};
use serde_json::{Value, json};

const TEMPLATE: &str = "docs/deploy-role.yaml";

/// Every optional part, and a provider that the template makes.
const EVERYTHING: [(&str, &str); 4] = [
    ("Repository", "example/gateway"),
    ("DomainName", "gateway.example.org"),
    ("HostedZoneId", "Z0123456789ABCDEFGHIJ"),
    ("EnvironmentKeyArn", super::KEY),
];

/// The properties of a resource.
fn properties(parameters: &[(&str, &str)], name: &str) -> Result<Value> {
    Ok(stack::plain(TEMPLATE, parameters)?[name]["Properties"].clone())
}

/// The ARN of something in the account and region of the tests.
fn arn(service: &str, resource: &str) -> String {
    let region = if service == "iam" { "" } else { "us-east-1" };
    format!("arn:aws:{service}:{region}:123456789012:{resource}")
}

#[test]
fn only_the_branch_main_of_the_repository_gets_the_role() -> Result<()> {
    let role = properties(&EVERYTHING[..1], "DeployRole")?;
    let expected = json!([{
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": { "Federated": "physical-OidcProvider" },
        "Condition": { "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:example/gateway:ref:refs/heads/main",
        } },
    }]);
    assert_eq!(role["AssumeRolePolicyDocument"]["Statement"], expected);
    let provider =
        json!({ "Url": "https://token.actions.githubusercontent.com", "ClientIdList": ["sts.amazonaws.com"] });
    assert_eq!(properties(&EVERYTHING[..1], "OidcProvider")?, provider);
    // A pattern would let another repository in.
    for repository in ["example/*", "*", "example", "example/gateway:*", ""] {
        assert!(stack::plain(TEMPLATE, &[("Repository", repository)]).is_err(), "{repository}");
    }
    Ok(())
}

#[test]
fn no_function_may_do_more_than_the_boundary_says() -> Result<()> {
    let mut expected = json!([
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": arn("logs", "log-group:*"),
        },
        {
            "Effect": "Allow",
            "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"],
            "Resource": arn("dynamodb", "table/globus-sign-in-*"),
        },
        { "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn("lambda", "function:globus-sign-in-*") },
        { "Effect": "Allow", "Action": "kms:Decrypt", "Resource": super::KEY },
    ]);
    assert_eq!(properties(&EVERYTHING, "Boundary")?["PolicyDocument"]["Statement"], expected);
    expected.as_array_mut().unwrap().pop();
    assert_eq!(properties(&EVERYTHING[..1], "Boundary")?["PolicyDocument"]["Statement"], expected);
    Ok(())
}

/// What the role may do, by the names of the statements.
fn statements(parameters: &[(&str, &str)]) -> Result<BTreeMap<String, Value>> {
    let role = properties(parameters, "DeployRole")?;
    assert_eq!(role.get("ManagedPolicyArns"), None);
    let [policy] = role["Policies"].as_array().unwrap().as_slice() else { panic!("{role}") };
    let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap().iter();
    let named = statements.map(|statement| {
        let mut statement = statement.clone();
        let name = statement.as_object_mut().unwrap().remove("Sid").unwrap();
        (name.as_str().unwrap().to_owned(), statement)
    });
    Ok(named.collect())
}

/// A statement that allows actions on resources, if these conditions are met.
fn allow(actions: &Value, resources: &Value, conditions: Option<Value>) -> Value {
    let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
    statement.as_object_mut().unwrap().extend(conditions.map(|conditions| ("Condition".to_owned(), conditions)));
    statement
}

#[test]
fn the_role_may_make_roles_only_within_the_boundary_and_for_functions_only() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let (roles, policies) = (arn("iam", "role/globus-sign-in-*"), arn("iam", "policy/globus-sign-in-*"));
    let within = json!({ "StringEquals": { "iam:PermissionsBoundary": "physical-Boundary" } });
    let make = json!(["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"]);
    assert_eq!(may["Roles"], allow(&make, &json!(roles), Some(within)));
    let there = json!([
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListRolePolicies",
        "iam:ListAttachedRolePolicies",
        "iam:DeleteRole",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:TagRole",
        "iam:UntagRole",
    ]);
    assert_eq!(may["RolesThatAreThere"], allow(&there, &json!(roles), None));
    let to_lambda = json!({ "StringEquals": { "iam:PassedToService": "lambda.amazonaws.com" } });
    assert_eq!(may["RolesForFunctionsOnly"], allow(&json!("iam:PassRole"), &json!(roles), Some(to_lambda)));
    let tokens = json!([
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
    ]);
    assert_eq!(may["PolicyOfTokens"], allow(&tokens, &json!(policies), None));
    let names_iam = |statement: &Value| statement["Action"].to_string().contains("\"iam:");
    let named: Vec<_> =
        may.iter().filter(|(_, statement)| names_iam(statement)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(named, ["NotItself", "PolicyOfTokens", "Roles", "RolesForFunctionsOnly", "RolesThatAreThere"]);
    Ok(())
}

/// Here both stacks have the same name; elsewhere, one name may begin with the other.
#[test]
fn the_role_may_change_neither_itself_nor_the_boundary() -> Result<()> {
    let own = json!([arn("iam", "role/globus-sign-in-*"), arn("iam", "policy/globus-sign-in-*")]);
    assert_eq!(statements(&EVERYTHING)?["NotItself"], json!({ "Effect": "Deny", "Action": "iam:*", "Resource": own }));
    Ok(())
}

#[test]
fn the_role_may_use_only_the_secrets_and_the_files_of_its_stack() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let of_the_stack = |key: &str| Some(json!({ "StringEquals": { key: "globus-sign-in" } }));
    let there = of_the_stack("aws:ResourceTag/aws:cloudformation:stack-name");
    let secrets = json!(arn("secretsmanager", "secret:*"));
    assert_eq!(may["Secrets"], allow(&json!("secretsmanager:*"), &secrets, there));
    let new = of_the_stack("aws:RequestTag/aws:cloudformation:stack-name");
    let make = json!(["secretsmanager:CreateSecret", "secretsmanager:TagResource"]);
    assert_eq!(may["SecretsThatAreNew"], allow(&make, &json!("*"), new));
    let bucket = "arn:aws:s3:::aws-sam-cli-managed-default-*";
    let of_the_account = json!({ "StringEquals": { "aws:ResourceAccount": "123456789012" } });
    let actions = json!(["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetBucketLocation"]);
    let files = json!([bucket, format!("{bucket}/globus-sign-in/*")]);
    assert_eq!(may["Uploads"], allow(&actions, &files, Some(of_the_account)));
    Ok(())
}

#[test]
fn the_role_may_change_only_the_records_and_certificates_of_its_domain() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let names = "acm:DomainNames";
    let own = json!({ "ForAllValues:StringEquals": { names: "gateway.example.org" }, "Null": { names: false } });
    assert_eq!(may["CertificateThatIsNew"], allow(&json!("acm:RequestCertificate"), &json!("*"), Some(own)));
    let names = "route53:ChangeResourceRecordSetsNormalizedRecordNames";
    let own = json!(["gateway.example.org", "_*.gateway.example.org"]);
    let own = json!({ "ForAllValues:StringLike": { names: own }, "Null": { names: false } });
    let zone = json!("arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ");
    assert_eq!(may["Records"], allow(&json!("route53:ChangeResourceRecordSets"), &zone, Some(own)));
    let domain = "arn:aws:apigateway:us-east-1::/domainnames";
    let own = json!([domain, format!("{domain}/gateway.example.org"), format!("{domain}/gateway.example.org/*")]);
    assert_eq!(may["Domain"], allow(&json!("apigateway:*"), &own, None));
    let without = statements(&EVERYTHING[..1])?;
    for name in ["CertificateThatIsNew", "Certificates", "Domain", "EnvironmentKey", "Records", "Zone"] {
        assert!(may.contains_key(name) && !without.contains_key(name), "{name}");
    }
    Ok(())
}

/// All else that the role may do names a resource of the stack, or only reads, or has no resources to name.
#[test]
fn the_role_has_no_other_statement_for_every_resource() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let everywhere = |statement: &&Value| statement["Resource"] == "*";
    let named: Vec<_> =
        may.iter().filter(|(_, statement)| everywhere(statement)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(named, ["CertificateThatIsNew", "SecretsThatAreNew", "WithoutResources"]);
    let expected = json!([
        "cloudwatch:DescribeAlarms",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:PutResourcePolicy",
        "logs:CreateLogDelivery",
        "logs:GetLogDelivery",
        "logs:UpdateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries",
        "sns:GetSubscriptionAttributes",
        "sns:SetSubscriptionAttributes",
        "sns:Unsubscribe",
        "lambda:GetAccountSettings",
        "secretsmanager:GetRandomPassword",
    ]);
    assert_eq!(may["WithoutResources"]["Action"], expected);
    let own = |service: &str, resource: &str| json!(arn(service, &format!("{resource}globus-sign-in-*")));
    assert_eq!(may["Functions"], allow(&json!("lambda:*"), &own("lambda", "function:"), None));
    assert_eq!(may["Stacks"]["Resource"], arn("cloudformation", "stack/globus-sign-in/*"));
    assert_eq!(may["Table"]["Resource"], own("dynamodb", "table/"));
    assert!(!may["Table"]["Action"].to_string().contains("Item"), "it reads no session: {}", may["Table"]);
    Ok(())
}

#[test]
fn the_linters_accept_the_role() -> Result<()> {
    kit::sam::lint(&tools::root().join(TEMPLATE))
}
