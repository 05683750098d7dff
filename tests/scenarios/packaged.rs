//! What `sam build` makes, run as Lambda would run it.

use std::{collections::BTreeSet, fs};

use kit::{Result, local::Storage, packages::Package, programs::functions, tools};
use serde_json::json;
use shared::testing::Event;

use crate::{
    deployment::{Deployment, SITE},
    guard,
    visitor::{Site as _, Visitor},
    warm::signed_in_a_minute_ago,
};

/// The newest version of the C library that Lambda's `provided.al2023` has.
const NEWEST_GLIBC: (u32, u32) = (2, 34);

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "DELETE", "PUT", "TRACE", "PROPFIND"];

on_each_package! {
    no_function_needs_a_newer_c_library_than_lambda_has
    only_functions_with_a_table_have_what_asks_dynamodb
    every_route_leads_to_its_function
    a_whole_sign_in_goes_through_the_built_functions
    tokens_that_have_run_out_are_renewed_on_the_way_to_the_page
    with_no_parameter_each_page_says_what_to_do_next
}

/// The versions of the C library that a program asks for.
fn glibc_versions(program: &std::path::Path) -> BTreeSet<(u32, u32)> {
    let output = tools::command("readelf").args(["--version-info", "--wide"]).arg(program).output().unwrap();
    assert!(output.status.success(), "{}", program.display());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = |rest: &str| {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(rest.len());
        let mut numbers = rest[..end].split('.').map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap_or_default())
    };
    text.split("GLIBC_").skip(1).map(version).collect()
}

async fn no_function_needs_a_newer_c_library_than_lambda_has(package: Package) -> Result<()> {
    for function in functions() {
        let versions = glibc_versions(&package.program(function)?);
        let newest = versions.last().unwrap_or_else(|| panic!("{function} names no version"));
        assert!(*newest <= NEWEST_GLIBC, "{function} needs {versions:?}");
    }
    Ok(())
}

/// The storage decides which program of a function is packaged.
async fn only_functions_with_a_table_have_what_asks_dynamodb(package: Package) -> Result<()> {
    for function in functions() {
        let program = fs::read(package.program(function)?).unwrap();
        let name = b"DynamoDB_20120810";
        let found = program.windows(name.len()).any(|window| window == name);
        assert_eq!(found, package.storage == Storage::Table, "{function}");
    }
    Ok(())
}

async fn every_route_leads_to_its_function(package: Package) -> Result<()> {
    let deployment = Deployment::start(package).await?;
    let declared = deployment.stack.routes.iter().map(|route| route.path.as_str()).filter(|path| *path != "$default");
    for path in declared.chain(["/nothing/here"]) {
        let mut found = Vec::new();
        let mut refused = Vec::new();
        for method in METHODS {
            let event = Visitor::default().event(&deployment, Event::get(path).method(method));
            let response = deployment.send(&event, "").await?;
            assert!((200..500).contains(&response.status), "{method} {path}: {response:?}");
            assert!(response.headers["content-security-policy"].starts_with("default-src 'none'"), "{response:?}");
            assert_eq!(response.headers["x-content-type-options"], "nosniff", "{response:?}");
            match response.status {
                404 => {}
                405 => refused.push((method, response.headers["allow"].clone())),
                _ => found.push(method),
            }
        }
        if path == "/nothing/here" {
            assert_eq!((found.len(), refused.len()), (0, 0), "{found:?} {refused:?}");
            continue;
        }
        assert_eq!(found.len() + refused.len(), METHODS.len(), "{path} is a route to a function that has no such page");
        assert!(found.contains(&"GET"), "{path}: {refused:?}");
        assert!(refused.iter().any(|(method, _)| *method == "DELETE"), "{path}: {found:?}");
        assert!(refused.iter().all(|(_, allow)| *allow == found.join(", ")), "{path}: {found:?} {refused:?}");
    }
    Ok(())
}

async fn a_whole_sign_in_goes_through_the_built_functions(package: Package) -> Result<()> {
    let deployment = Deployment::start(package).await?;
    let mut visitor = Visitor::default();
    visitor.sign_in(&deployment, &deployment.stand_in, "ada").await?;
    visitor.is_greeted(&deployment).await?;
    visitor.get(&deployment, "/logout").await?.assert_page(200, "Ada Lovelace");

    visitor.post(&deployment, "/logout", "").await?.assert_redirect(303, &format!("{SITE}/logout"));

    let left: Vec<_> = visitor.browser.cookies.keys().collect();
    assert!(matches!(left.as_slice(), [one] if one.starts_with("__Host-logout-")), "{left:?}");
    visitor.get(&deployment, "/").await?.assert_page(200, "Log in with Globus");
    let tokens = deployment.stand_in.issued_tokens();
    assert!(!tokens.is_empty());
    assert!(tokens.iter().all(|token| deployment.stand_in.is_revoked(token)));
    Ok(())
}

async fn tokens_that_have_run_out_are_renewed_on_the_way_to_the_page(package: Package) -> Result<()> {
    renews(&Deployment::start(package).await?).await
}

async fn renews(deployment: &Deployment) -> Result<()> {
    let variables = deployment.variables();
    let mut visitor = signed_in_a_minute_ago(SITE, &variables, &deployment.stand_in).await?;
    visitor.get(deployment, "/").await?.assert_redirect(302, "/login?refresh&next=%2F");
    let renewed = visitor.get(deployment, "/login?refresh&next=%2F").await?;
    renewed.assert_redirect(302, &format!("{SITE}/"));
    visitor.is_greeted(deployment).await
}

/// As a stack is whose owner has pressed Enter at every question.
async fn with_no_parameter_each_page_says_what_to_do_next(package: Package) -> Result<()> {
    let deployment = Deployment::with(package, &[]).await?;
    for path in ["/", "/login", "/logout"] {
        let response = Visitor::default().get(&deployment, path).await?;
        assert_eq!(response.status, 503, "{path}: {response:?}");
        // The page escapes slashes.
        let shown = response.body.replace("&#x2f;", "/");
        assert!(shown.contains(&format!("{SITE}/login")), "{path}: {shown}");
    }
    Ok(())
}

/// Makes every session look unused for hours, but not for so many that it ends.
fn age(deployment: &Deployment) -> Result<()> {
    let table = deployment.table.as_ref().ok_or("There is no table.")?;
    for mut item in table.scan()? {
        let used: u64 = item["last_used_at"]["N"].as_str().and_then(|number| number.parse().ok()).unwrap();
        item["last_used_at"] = json!({ "N": (used - 12 * 3600).to_string() });
        table.put(&item)?;
    }
    Ok(())
}

/// Each thing that a page or a form does with a session, in an order in which it has something to do.
async fn does_everything(deployment: &Deployment) -> Result<()> {
    let (globus, mut visitor) = (&deployment.stand_in, Visitor::default());
    visitor.sign_in(deployment, globus, "ada").await?;
    // A sign-in in a browser that has a session takes that session's place.
    visitor.sign_in(deployment, globus, "ada").await?;
    age(deployment)?;
    visitor.is_greeted(deployment).await?;
    for function in guard::FUNCTIONS {
        age(deployment)?;
        guard::asks(deployment, function, &visitor)?;
    }
    age(deployment)?;
    visitor.get(deployment, "/logout").await?.assert_page(200, "Ada Lovelace");
    visitor.post(deployment, "/logout", "everywhere=yes").await?.assert_redirect(303, &format!("{SITE}/logout"));

    visitor.sign_in(deployment, globus, "ada").await?;
    visitor.post(deployment, "/logout", "").await?.assert_redirect(303, &format!("{SITE}/logout"));
    Ok(())
}

async fn each_role_permits_what_its_function_does_and_nothing_else(package: Package) -> Result<()> {
    let deployment = Deployment::start(package).await?;
    renews(&deployment).await?;
    does_everything(&deployment).await?;
    for (function, used, granted) in deployment.permissions() {
        assert_eq!(used, granted, "what {function} asked for, and what its role permits");
    }
    Ok(())
}

async fn a_form_that_arrives_in_base64_is_read(package: Package) -> Result<()> {
    let deployment = Deployment::start(package).await?;
    let (mut here, mut elsewhere) = (Visitor::default(), Visitor::default());
    for visitor in [&mut here, &mut elsewhere] {
        visitor.sign_in(&deployment, &deployment.stand_in, "ada").await?;
    }

    here.post(&deployment, "/logout", "everywhere=yes").await?;

    elsewhere.get(&deployment, "/").await?.assert_page(200, "Log in with Globus");
    assert_eq!(deployment.table.as_ref().unwrap().scan()?.len(), 0);
    Ok(())
}

/// What only a table can do.
mod more_packages_with_a_table {
    use super::*;

    on_packages! { here, Package::here(Storage::Table), each_role_permits_what_its_function_does_and_nothing_else
    a_form_that_arrives_in_base64_is_read }
    on_packages! { elsewhere, Package::elsewhere(Storage::Table),
    each_role_permits_what_its_function_does_and_nothing_else a_form_that_arrives_in_base64_is_read }
}
