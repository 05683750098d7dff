//! The role by which GitHub deploys: who may take it, and what it may do. Each statement is written out: one that allows
//! more is a change of this file, too.

use std::collections::{BTreeMap, BTreeSet};

use kit::{Result, stack, tools};
use serde_json::{Value, json};

const TEMPLATE: &str = "docs/deploy-role.yaml";

/// Every optional part, and a provider that the template makes. The stack of the role itself is `globus-sign-in` here.
const EVERYTHING: [(&str, &str); 5] = [
    ("Repository", "example/gateway"),
    ("StackName", "gateway"),
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
    let role = properties(&EVERYTHING[..2], "DeployRole")?;
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
    assert_eq!(properties(&EVERYTHING[..2], "OidcProvider")?, provider);
    // A provider that the account has.
    let there = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
    let resources = stack::plain(TEMPLATE, &[EVERYTHING[0], ("OidcProviderArn", there)])?;
    let role = &resources["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!((&role["Principal"]["Federated"], resources.contains_key("OidcProvider")), (&there.into(), false));
    Ok(())
}

/// No token of GitHub would match such a repository, a longer name would be cut in the names of roles, and an alias is no
/// resource of a policy.
#[test]
fn a_parameter_of_the_role_that_cannot_be_right_is_refused() {
    for repository in ["example/*", "*", "example", "example/gateway:*", ""] {
        assert!(stack::plain(TEMPLATE, &[("Repository", repository)]).is_err(), "{repository}");
    }
    let alias = "arn:aws:kms:us-east-1:123456789012:alias/mine";
    for (name, value) in [("StackName", &*"a".repeat(31)), ("StackName", "1gateway"), ("EnvironmentKeyArn", alias)] {
        assert!(stack::plain(TEMPLATE, &[EVERYTHING[0], (name, value)]).is_err(), "{name}");
    }
    assert!(stack::plain(TEMPLATE, &[]).is_err(), "without a repository");
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
            "Resource": arn("dynamodb", "table/gateway-*"),
        },
        { "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn("lambda", "function:gateway-*") },
        { "Effect": "Allow", "Action": "kms:Decrypt", "Resource": super::KEY },
    ]);
    assert_eq!(properties(&EVERYTHING, "Boundary")?["PolicyDocument"]["Statement"], expected);
    expected.as_array_mut().unwrap().pop();
    assert_eq!(properties(&EVERYTHING[..2], "Boundary")?["PolicyDocument"]["Statement"], expected);
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
fn the_role_may_make_roles_only_within_the_boundary_and_pass_them_to_lambda_only() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let (roles, policies) = (arn("iam", "role/gateway-*"), arn("iam", "policy/gateway-*"));
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
    Ok(())
}

/// The name of its own stack may begin with that of the other one.
#[test]
fn the_role_may_change_neither_itself_nor_the_boundary() -> Result<()> {
    let own = json!([arn("iam", "role/globus-sign-in-*"), arn("iam", "policy/globus-sign-in-*")]);
    assert_eq!(statements(&EVERYTHING)?["NotItself"], json!({ "Effect": "Deny", "Action": "iam:*", "Resource": own }));
    Ok(())
}

#[test]
fn the_role_may_use_only_the_secrets_and_the_files_of_its_stack() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let of_the_stack = |key: &str| Some(json!({ "StringEquals": { key: "gateway" } }));
    let there = of_the_stack("aws:ResourceTag/aws:cloudformation:stack-name");
    let secrets = json!(arn("secretsmanager", "secret:*"));
    assert_eq!(may["Secrets"], allow(&json!("secretsmanager:*"), &secrets, there));
    let new = of_the_stack("aws:RequestTag/aws:cloudformation:stack-name");
    let make = json!(["secretsmanager:CreateSecret", "secretsmanager:TagResource"]);
    assert_eq!(may["SecretsThatAreNew"], allow(&make, &json!("*"), new));
    let bucket = "arn:aws:s3:::aws-sam-cli-managed-default-*";
    let of_the_account = json!({ "StringEquals": { "aws:ResourceAccount": "123456789012" } });
    let actions = json!(["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetBucketLocation"]);
    let files = json!([bucket, format!("{bucket}/gateway/*")]);
    assert_eq!(may["Uploads"], allow(&actions, &files, Some(of_the_account)));
    Ok(())
}

#[test]
fn the_role_may_change_only_the_records_of_its_domain_and_get_certificates_for_it() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let names = "acm:DomainNames";
    let own = json!({ "ForAllValues:StringEquals": { names: "gateway.example.org" }, "Null": { names: false } });
    assert_eq!(may["CertificateThatIsNew"], allow(&json!("acm:RequestCertificate"), &json!("*"), Some(own)));
    let certificates = json!([
        "acm:DescribeCertificate",
        "acm:DeleteCertificate",
        "acm:AddTagsToCertificate",
        "acm:ListTagsForCertificate",
        "acm:RemoveTagsFromCertificate",
    ]);
    assert_eq!(may["Certificates"], allow(&certificates, &json!(arn("acm", "certificate/*")), None));
    let names = "route53:ChangeResourceRecordSetsNormalizedRecordNames";
    let own = json!(["gateway.example.org", "_*.gateway.example.org"]);
    let own = json!({ "ForAllValues:StringLike": { names: own }, "Null": { names: false } });
    let zone = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ";
    assert_eq!(may["Records"], allow(&json!("route53:ChangeResourceRecordSets"), &json!(zone), Some(own)));
    let reads = json!(["route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:GetChange"]);
    assert_eq!(may["Zone"], allow(&reads, &json!([zone, "arn:aws:route53:::change/*"]), None));
    let domain = "arn:aws:apigateway:us-east-1::/domainnames";
    let own = json!([domain, format!("{domain}/gateway.example.org"), format!("{domain}/gateway.example.org/*")]);
    assert_eq!(may["Domain"], allow(&json!("apigateway:*"), &own, None));
    Ok(())
}

#[test]
fn the_role_may_not_read_the_session_table() -> Result<()> {
    let actions = json!([
        "dynamodb:CreateTable",
        "dynamodb:UpdateTable",
        "dynamodb:DeleteTable",
        "dynamodb:Describe*",
        "dynamodb:GetResourcePolicy",
        "dynamodb:List*",
        "dynamodb:UpdateTimeToLive",
        "dynamodb:TagResource",
        "dynamodb:UntagResource",
    ]);
    let table = json!(arn("dynamodb", "table/gateway-*"));
    assert_eq!(statements(&EVERYTHING)?["Table"], allow(&actions, &table, None));
    Ok(())
}

#[test]
fn the_role_may_change_its_stack_and_what_is_named_after_it() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let all = |service: &str| json!(format!("{service}:*"));
    assert_eq!(may["Stacks"], allow(&all("cloudformation"), &json!(arn("cloudformation", "stack/gateway/*")), None));
    let of_sam = json!(arn("cloudformation", "stack/aws-sam-cli-managed-default/*"));
    assert_eq!(may["BucketOfSam"], allow(&json!("cloudformation:DescribeStacks"), &of_sam, None));
    let transform = json!("arn:aws:cloudformation:us-east-1:aws:transform/Serverless-2016-10-31");
    assert_eq!(may["Transform"], allow(&json!("cloudformation:CreateChangeSet"), &transform, None));
    assert_eq!(may["Functions"], allow(&all("lambda"), &json!(arn("lambda", "function:gateway-*")), None));
    let groups = [
        "gateway-*",
        "/aws/vendedlogs/gateway",
        "/aws/vendedlogs/gateway:*",
        "/aws/lambda/gateway",
        "/aws/lambda/gateway:*",
    ];
    let groups = groups.map(|group| arn("logs", &format!("log-group:{group}")));
    assert_eq!(may["Logs"], allow(&all("logs"), &json!(groups), None));
    let alarms = json!([
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:DeleteAlarms",
        "cloudwatch:ListTagsForResource",
        "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
        "sns:*",
    ]);
    let named = json!([arn("cloudwatch", "alarm:gateway-*"), arn("sns", "gateway-*")]);
    assert_eq!(may["Alarms"], allow(&alarms, &named, None));
    let key = json!(["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]);
    assert_eq!(may["EnvironmentKey"], allow(&key, &json!(super::KEY), None));
    Ok(())
}

/// AWS names these itself, or has no names for them: here the role reaches beyond its stack.
#[test]
fn beyond_its_stack_the_role_may_change_apis_dashboards_and_log_deliveries_only() -> Result<()> {
    let may = statements(&EVERYTHING)?;
    let api = "arn:aws:apigateway:us-east-1::";
    let apis = json!([format!("{api}/apis"), format!("{api}/apis/*"), format!("{api}/tags/*")]);
    assert_eq!(may["Api"], allow(&json!("apigateway:*"), &apis, None));
    let dashboard = json!([
        "cloudwatch:GetDashboard",
        "cloudwatch:PutDashboard",
        "cloudwatch:DeleteDashboards",
        "cloudwatch:ListTagsForResource",
        "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
    ]);
    let dashboards = json!("arn:aws:cloudwatch::123456789012:dashboard/*");
    assert_eq!(may["Dashboard"], allow(&dashboard, &dashboards, None));
    let without_resources = json!([
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
    assert_eq!(may["WithoutResources"], allow(&without_resources, &json!("*"), None));
    Ok(())
}

/// Each is written out in one of the tests above.
#[test]
fn the_role_has_no_other_statement_and_optional_ones_only_where_they_are_needed() -> Result<()> {
    let always = [
        "Alarms",
        "Api",
        "BucketOfSam",
        "Dashboard",
        "Functions",
        "Logs",
        "NotItself",
        "PolicyOfTokens",
        "Roles",
        "RolesForFunctionsOnly",
        "RolesThatAreThere",
        "Secrets",
        "SecretsThatAreNew",
        "Stacks",
        "Table",
        "Transform",
        "Uploads",
        "WithoutResources",
    ];
    let optional = ["CertificateThatIsNew", "Certificates", "Domain", "EnvironmentKey", "Records", "Zone"];
    let names =
        |parameters: &[(&str, &str)]| Ok::<_, String>(statements(parameters)?.into_keys().collect::<BTreeSet<_>>());
    assert_eq!(names(&EVERYTHING[..2])?, always.iter().map(ToString::to_string).collect());
    assert_eq!(names(&EVERYTHING)?, always.iter().chain(&optional).map(ToString::to_string).collect());
    Ok(())
}

#[test]
fn the_linters_accept_the_role() -> Result<()> {
    kit::sam::lint(&tools::root().join(TEMPLATE))
}
