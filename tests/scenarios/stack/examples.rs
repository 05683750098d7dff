//! The API in front of the examples: no route without an authorizer, and no verdict that outlives a session.

use std::{collections::BTreeMap, fs};

use kit::{
    Result,
    examples::{BASE_PATH, ROUTES},
    sam,
    stack::{self, Stack},
    tools,
};
use serde_json::{Value, json};

/// What the site's stack says of itself, as parameters of this one.
const SITE: [(&str, &str); 5] = [
    ("DomainName", "gateway.example.org"),
    ("SignedInAuthorizerArn", "arn:aws:lambda:us-east-1:123456789012:function:signed-in"),
    ("VisitorAuthorizerArn", "arn:aws:lambda:us-east-1:123456789012:function:visitor"),
    ("TokenFunctionName", "token"),
    ("TokenPolicyArn", "arn:aws:iam::123456789012:policy/token"),
];

#[test]
fn the_linters_accept_the_templates_of_the_examples() -> Result<()> {
    sam::lint(&tools::root().join("examples/template.yaml"))?;
    sam::lint(&tools::root().join("examples/nested.yaml"))
}

/// SAM would otherwise look for the very versions of Python and Node that the functions run on.
#[test]
fn the_examples_need_no_build() -> Result<()> {
    let directory = sam::build_examples()?;
    let built: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(built, ["template.yaml"]);
    Ok(())
}

#[test]
fn every_route_of_the_examples_has_the_authorizer_that_is_meant() -> Result<()> {
    let routes = stack::examples(&SITE)?["routes"].clone();
    let expected = |file, authorizer| {
        let runtime = if file == "node/notebook" { "nodejs22.x" } else { "python3.13" };
        json!({ "file": file, "handler": "handler", "authorizers": [authorizer], "runtime": runtime })
    };
    let deployed = json!({
        "GET /report": expected("python/report", "Visitor"),
        "GET /notebook": expected("node/notebook", "Visitor"),
        "GET /api": expected("python/api", "SignedIn"),
        "GET /transfers": expected("python/transfers", "Visitor"),
    });
    assert_eq!(routes, deployed);
    Ok(())
}

#[test]
fn the_examples_on_this_machine_are_those_that_are_deployed() -> Result<()> {
    let deployed = stack::examples(&SITE)?;
    let local = ROUTES.map(|route| {
        let (file, _) = route.file.rsplit_once('.').unwrap();
        (format!("GET {}", route.path), (file.to_owned(), vec![route.authorizer.name().to_owned()]))
    });
    let texts = |value: &Value| value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let routes = deployed["routes"].as_object().unwrap().iter();
    let routes = routes
        .map(|(key, route)| (key.clone(), (route["file"].as_str().unwrap().to_owned(), texts(&route["authorizers"]))));
    assert_eq!(routes.collect::<BTreeMap<_, _>>(), BTreeMap::from(local));
    assert_eq!(deployed["stage_variables"], json!({ "BASE_PATH": BASE_PATH }));
    Ok(())
}

/// A verdict that is kept would let a user in after the logout.
#[test]
fn no_verdict_of_an_authorizer_is_kept() -> Result<()> {
    let authorizer = |function, identity: &[&str]| {
        json!({
            "type": "request",
            "authorizerPayloadFormatVersion": "2.0",
            "authorizerResultTtlInSeconds": 0,
            "enableSimpleResponses": true,
            "function": function,
            "identitySource": identity,
        })
    };
    let expected = json!({
        "SignedIn": authorizer(SITE[1].1, &["$request.header.cookie"]),
        "Visitor": authorizer(SITE[2].1, &[]),
    });
    assert_eq!(stack::examples(&SITE)?["authorizers"], expected);
    Ok(())
}

/// Without a permission, API Gateway responds with a bare 500.
#[test]
fn the_api_may_call_both_authorizers_and_each_example() -> Result<()> {
    let expected = json!({
        SITE[1].1: "authorizers/*",
        SITE[2].1: "authorizers/*",
        "physical-ReportFunction": "*/GET/report",
        "physical-NotebookFunction": "*/GET/notebook",
        "physical-ApiFunction": "*/GET/api",
        "physical-TransfersFunction": "*/GET/transfers",
    });
    assert_eq!(stack::examples(&SITE)?["permissions"], expected);
    Ok(())
}

/// At an address of its own, no browser would send the cookie of the site.
#[test]
fn the_examples_are_at_the_domain_name_of_the_site_and_nowhere_else() -> Result<()> {
    let stack = stack::examples(&[&SITE[..], &[("Path", "lab")]].concat())?;
    let mapping = json!({
        "ApiId": "physical-Api",
        "ApiMappingKey": "lab",
        "DomainName": "gateway.example.org",
        "Stage": "physical-ApiApiGatewayDefaultStage",
    });
    assert_eq!((&stack["mapping"], &stack["stage_variables"]), (&mapping, &json!({ "BASE_PATH": "/lab" })));
    let closed = json!([{ "x-amazon-apigateway-endpoint-configuration": { "disableExecuteApiEndpoint": true } }]);
    assert_eq!(stack["endpoint"], closed);
    Ok(())
}

/// A route that names no authorizer would be open to every visitor.
#[test]
fn the_api_of_the_examples_names_a_default_authorizer_and_has_its_limits() -> Result<()> {
    let stack = stack::examples(&SITE)?;
    assert_eq!(stack["default_authorizer"], "SignedIn");
    assert_eq!(stack["limits"], json!({ "ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 200 }));
    assert_eq!(stack["logs"], json!([{ "RetentionInDays": 30 }]));
    Ok(())
}

#[test]
fn only_the_example_that_needs_tokens_may_ask_for_them() -> Result<()> {
    let stack = stack::examples(&SITE)?;
    let policies = json!({
        "ReportFunctionRole": [],
        "NotebookFunctionRole": [],
        "ApiFunctionRole": [],
        "TransfersFunctionRole": [SITE[4].1],
    });
    assert_eq!(stack["policies"], policies);
    let variables = json!({ "TOKEN_FUNCTION": "token", "TRANSFER_URL": "https://transfer.api.globus.org" });
    assert_eq!(stack["variables"], json!({ "TransfersFunction": variables }));
    Ok(())
}

#[test]
fn the_application_of_both_stacks_gives_the_second_what_the_first_says() -> Result<()> {
    let names = SITE.map(|(name, _)| name);
    let mut needed = names.to_vec();
    needed.sort_unstable();
    let mut outputs: Vec<_> = names[1..].iter().map(|name| format!("Outputs.{name}")).collect();
    outputs.sort();
    let expected = json!({ "given": needed, "needed": needed, "asked": outputs });
    assert_eq!(stack::examples(&SITE)?["wiring"], expected);
    let site = Stack::with(&[], "sessions")?;
    for name in &names[1..] {
        assert!(site.outputs.contains_key(*name), "{name} is not in {:?}", site.outputs);
    }
    Ok(())
}
