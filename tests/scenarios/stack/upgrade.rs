//! The update of a stack of the first release: what users and operators have there must be there afterwards.

use std::collections::{BTreeMap, BTreeSet};

use kit::{
    Result,
    stack::{ChangeSet, TEMPLATE},
};

/// The template of the first release.
const FIRST_RELEASE: &str = "tests/scenarios/stack/first_release.yaml";

/// Every part of such a stack.
const EVERYTHING: [(&str, &str); 10] = [
    ("GlobusClientId", "4e3b6a0e-0000-4000-8000-000000000000"),
    ("GlobusClientSecret", "a-client-secret"),
    ("TokenStorage", "dynamodb"),
    ("ShowTokens", "true"),
    ("BaseUrl", "https://example.org/gateway"),
    ("DomainName", "gateway.example.org"),
    ("CertificateArn", super::CERTIFICATE),
    ("EnvironmentKeyArn", super::KEY),
    ("AlarmEmail", "operator@example.org"),
    ("Tasks", "on"),
];

/// What the first release did not have.
const ADDED: [&str; 11] = [
    "AuthorizerFunction",
    "AuthorizerFunctionRole",
    "FunctionThrottles",
    "HttpApiSignedInAuthorizerPermission",
    "HttpApiVisitorAuthorizerPermission",
    "ServerErrors",
    "TokenFunction",
    "TokenFunctionRole",
    "TokenPolicy",
    "VisitorAuthorizerFunction",
    "VisitorAuthorizerFunctionRole",
];

/// What the update of a stack with these parameters changes, if they stay as they are.
fn upgrade(parameters: &[(&str, &str)]) -> Result<ChangeSet> {
    ChangeSet::between((FIRST_RELEASE, parameters), (TEMPLATE, parameters))
}

/// The log of the first release has a name, and CloudFormation names this one: the old one is left where it is.
#[test]
fn an_upgrade_keeps_every_line_of_the_log() -> Result<()> {
    for parameters in [&[], &EVERYTHING[..]] {
        let changes = upgrade(parameters)?;
        assert_eq!(changes.replaced["FunctionLogs"], (vec!["LogGroupName".to_owned()], "Retain".to_owned()));
        assert!(!changes.changed.contains_key("AccessLogs"), "{changes:?}");
    }
    Ok(())
}

/// Each metric filter of the log takes the new log; what it has counted so far stays.
#[test]
fn an_upgrade_removes_nothing_and_replaces_only_what_reads_the_log() -> Result<()> {
    let filters = ["ColdStarts", "RenewalFailures", "SignInFailures", "SignIns", "StoreFailures"];
    let expected: BTreeSet<_> = filters.iter().chain(&["FunctionLogs"]).copied().collect();
    for parameters in [&[], &EVERYTHING[..]] {
        let changes = upgrade(parameters)?;
        assert_eq!(changes.removed, BTreeMap::new());
        let replaced: BTreeSet<_> = changes.replaced.keys().map(String::as_str).collect();
        assert_eq!(replaced, expected);
        assert!(filters.iter().all(|filter| changes.replaced[*filter].0 == ["LogGroupName"]), "{changes:?}");
        // An owner's own functions are added, too.
        assert!(ADDED.iter().all(|name| changes.added.contains(*name)), "{:?}", changes.added);
    }
    Ok(())
}

/// A changed property: of a variable, its name alone.
fn variable(property: &str) -> &str {
    property.strip_prefix("Environment.Variables.").unwrap_or(property)
}

/// The secrets, the topic with its confirmed subscription, the domain and the roles are not among what changes. The
/// table is, but in no way that could touch an item.
#[test]
fn an_upgrade_keeps_keys_sessions_subscriptions_and_the_address() -> Result<()> {
    let of_a_function = [
        "ALLOWED_DOMAINS",
        "ALLOWED_GROUPS",
        "MAX_AUTHENTICATION_MINUTES",
        "ORIGIN_SECRET",
        "REQUIRED_POLICIES",
        "ROLE_GROUPS",
        "RULES_EVERY_MINUTES",
        "URL_SUFFIX",
        "LoggingConfig.LogGroup",
    ];
    let mut of_login = of_a_function.to_vec();
    of_login.insert(2, "GROUPS_URL");
    let always: [(&str, &[&str]); 7] = [
        ("Dashboard", &["DashboardBody"]),
        ("FunctionErrors", &["AlarmDescription", "Metrics"]),
        ("HomeFunction", &of_a_function),
        // The authorizers, and a route.
        ("HttpApi", &["Body.components", "Body.paths./session"]),
        ("LoginFunction", &of_login),
        ("LogoutFunction", &of_a_function),
        ("SignInFailureRatio", &["AlarmDescription"]),
    ];
    let optional: [(&str, &[&str]); 3] = [
        ("StoreThrottles", &["AlarmDescription"]),
        ("TasksFunction", &of_a_function),
        ("TokenTable", &["SSESpecification"]),
    ];
    for (parameters, optional) in [(&[][..], &[][..]), (&EVERYTHING, &optional)] {
        let changed = upgrade(parameters)?.changed;
        let is_ours = |property: &&str| !property.starts_with("Body.paths.") || *property == "Body.paths./session";
        let changed: BTreeMap<_, Vec<_>> = changed
            .iter()
            .map(|(name, properties)| {
                (name.as_str(), properties.iter().map(String::as_str).map(variable).filter(is_ours).collect())
            })
            .collect();
        let expected = always.iter().chain(optional).map(|(name, properties)| (*name, properties.to_vec()));
        assert_eq!(changed, expected.collect());
    }
    Ok(())
}
