//! The move of a site to a domain name: what each step changes, and what it leaves as it is.

use std::collections::{BTreeMap, BTreeSet};

use kit::{
    Result,
    stack::{ChangeSet, Stack, TEMPLATE},
};

const EXECUTE_API: &str = "https://physical-HttpApi.execute-api.us-east-1.amazonaws.com";

/// The parameters at one of the steps; none before the first.
fn at(step: &'static str) -> Vec<(&'static str, &'static str)> {
    let domain = [("DomainName", "gateway.example.org"), ("CertificateArn", super::CERTIFICATE), ("DomainStep", step)];
    if step.is_empty() { Vec::new() } else { domain.to_vec() }
}

/// What changes from one step to another.
fn from_to(before: &'static str, after: &'static str) -> Result<ChangeSet> {
    ChangeSet::between((TEMPLATE, &at(before)), (TEMPLATE, &at(after)))
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Resources that change, all in the same property.
fn changed(resources: &[&str], property: &str) -> BTreeMap<String, Vec<String>> {
    resources.iter().map(|name| ((*name).to_owned(), vec![property.to_owned()])).collect()
}

#[test]
fn attaching_a_domain_changes_nothing_that_is_there() -> Result<()> {
    let added = names(&["CustomDomain", "CustomDomainMapping"]);
    assert_eq!(from_to("", "attach")?, ChangeSet { added, ..ChangeSet::default() });
    Ok(())
}

#[test]
fn the_switch_to_a_domain_changes_the_address_of_the_site_only() -> Result<()> {
    let functions = [
        "AuthorizerFunction",
        "HomeFunction",
        "LoginFunction",
        "LogoutFunction",
        "TokenFunction",
        "VisitorAuthorizerFunction",
    ];
    let change = from_to("attach", "switch")?;
    // Functions of an owner have the address, too.
    assert!(functions.iter().all(|name| change.changed.contains_key(*name)), "{change:?}");
    assert!(change.changed.values().all(|properties| *properties == ["Environment.Variables.BASE_URL"]), "{change:?}");
    assert_eq!(ChangeSet { changed: change.changed.clone(), ..ChangeSet::default() }, change);
    Ok(())
}

#[test]
fn closing_the_api_changes_nothing_else() -> Result<()> {
    let property = "Body.servers.0.x-amazon-apigateway-endpoint-configuration.disableExecuteApiEndpoint";
    let changed = changed(&["HttpApi"], property);
    assert_eq!(from_to("switch", "close")?, ChangeSet { changed, ..ChangeSet::default() });
    Ok(())
}

#[test]
fn each_step_to_a_domain_can_be_taken_back() -> Result<()> {
    for (before, after) in [("attach", "switch"), ("switch", "close")] {
        assert_eq!(from_to(before, after)?, from_to(after, before)?);
    }
    Ok(())
}

/// The redirect URL is registered, and the DNS records are made, before the site needs them.
#[test]
fn the_operator_learns_the_target_of_the_domain_before_the_functions_have_its_address() -> Result<()> {
    for (step, site) in
        [("attach", EXECUTE_API), ("switch", "https://gateway.example.org"), ("close", "https://gateway.example.org")]
    {
        let Stack { functions, outputs, .. } = Stack::with(&at(step), "sessions")?;
        let base_url = if step == "attach" { "" } else { site };
        assert!(functions.values().all(|function| function.variables["BASE_URL"] == base_url), "{functions:?}");
        assert_eq!((outputs["SiteUrl"].as_str(), outputs["RedirectUrl"].as_str()), (site, &*format!("{site}/login")));
        assert_eq!(outputs["DomainNameTarget"], "physical-CustomDomain.RegionalDomainName");
        assert_eq!(outputs["RegionalHostedZoneId"], "physical-CustomDomain.RegionalHostedZoneId");
    }
    Ok(())
}

/// A proxy can use the domain as its origin: its own address stays that of the site.
#[test]
fn before_the_switch_the_address_of_a_proxy_stays_that_of_the_site() -> Result<()> {
    let proxy = ("BaseUrl", "https://example.org/gateway");
    let stack = Stack::with(&[&at("attach")[..], &[proxy]].concat(), "sessions")?;
    assert_eq!(stack.outputs["SiteUrl"], "https://example.org/gateway");
    assert!(stack.functions.values().all(|function| function.variables["BASE_URL"] == "https://example.org/gateway"));
    Ok(())
}

#[test]
fn a_hosted_zone_gets_the_records_and_a_certificate_if_none_is_given() -> Result<()> {
    let domain = [("DomainName", "gateway.example.org"), ("DomainStep", "attach")];
    let zone = ("HostedZoneId", "Z0123456789ABCDEFGHIJ");
    let added = |more: &[(&'static str, &'static str)]| -> Result<_> {
        let changes = ChangeSet::between((TEMPLATE, &[]), (TEMPLATE, &[&domain, more].concat()))?;
        assert_eq!(changes, ChangeSet { added: changes.added.clone(), ..ChangeSet::default() });
        Ok(changes.added)
    };
    let all = ["Certificate", "CustomDomain", "CustomDomainMapping", "DomainRecords"];
    assert_eq!(added(&[zone])?, names(&all));
    assert_eq!(added(&[zone, ("CertificateArn", super::CERTIFICATE)])?, names(&all[1..]));
    Ok(())
}
