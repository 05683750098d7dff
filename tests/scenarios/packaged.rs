//! What `sam build` makes, run as Lambda would run it.

use std::{collections::BTreeSet, fs, time::Duration};

use kit::{Result, local::Storage, sam, tools};
use serde_json::json;

use crate::deployment::{Browser, Deployment, SITE};

/// The newest version of the C library that Lambda's `provided.al2023` has.
const NEWEST_GLIBC: (u32, u32) = (2, 34);

const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "DELETE"];

/// How long the tokens live that are to be renewed: longer than the ten seconds before Globus is asked again.
const SHORT: Duration = Duration::from_secs(12);

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

#[test]
fn no_built_function_needs_a_newer_c_library_than_lambda_has() -> Result<()> {
    for storage in [Storage::Cookies, Storage::Table] {
        for function in ["HomeFunction", "LoginFunction", "LogoutFunction"] {
            let versions = glibc_versions(&sam::build(storage)?.join(function).join("bootstrap"));
            let newest = versions.last().unwrap_or_else(|| panic!("{function} names no version"));
            assert!(*newest <= NEWEST_GLIBC, "{function} needs {versions:?}");
        }
    }
    Ok(())
}

/// The storage decides which home is built, and both files that say so must agree.
#[test]
fn only_the_home_with_a_table_has_what_asks_dynamodb() -> Result<()> {
    for (storage, expected) in [(Storage::Cookies, false), (Storage::Table, true)] {
        let home = fs::read(sam::build(storage)?.join("HomeFunction/bootstrap")).unwrap();
        let name = b"DynamoDB_20120810";
        assert_eq!(home.windows(name.len()).any(|window| window == name), expected, "{storage:?}");
    }
    Ok(())
}

async fn every_route_is_answered_by_its_function(storage: Storage) -> Result<()> {
    let deployment = Deployment::start(storage).await?;
    let declared = deployment.stack.routes.iter().map(|route| route.path.as_str()).filter(|path| *path != "$default");
    for path in declared.chain(["/nothing/here"]) {
        let mut found = Vec::new();
        let mut refused = Vec::new();
        for method in METHODS {
            let answer = deployment.send(method, path, &[], None)?;
            assert!((200..500).contains(&answer.status()), "{method} {path}: {answer:?}");
            assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{answer:?}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{answer:?}");
            match answer.status() {
                404 => {}
                405 => refused.push((method, answer.header("allow").to_owned())),
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

async fn a_whole_sign_in_goes_through_the_built_functions(storage: Storage) -> Result<()> {
    let deployment = Deployment::start(storage).await?;
    let mut browser = Browser::default();
    browser.sign_in(&deployment).await?;
    let asks = browser.get(&deployment, "/logout")?;
    assert!(asks.body().contains("Ada Lovelace"), "{asks:?}");

    let logged_out = browser.send(&deployment, "POST", "/logout", Some(""))?;

    assert_eq!((logged_out.status(), logged_out.header("location")), (303, &*format!("{SITE}/logout")));
    assert_eq!(browser.cookies(), Vec::<String>::new());
    assert!(browser.get(&deployment, "/")?.body().contains("Log in with Globus"));
    let tokens = deployment.stand_in.issued_tokens();
    assert!(!tokens.is_empty());
    assert!(tokens.iter().all(|token| deployment.stand_in.is_revoked(token)));
    Ok(())
}

/// As a stack is whose owner has pressed Enter at every question.
async fn with_no_parameter_each_page_says_what_to_do_next(storage: Storage) -> Result<()> {
    let deployment = Deployment::with(storage, &[]).await?;
    for path in ["/", "/login", "/logout"] {
        let answer = deployment.send("GET", path, &[], None)?;
        assert_eq!(answer.status(), 503, "{path}: {answer:?}");
        // The page escapes slashes.
        let shown = answer.body().replace("&#x2f;", "/");
        assert!(shown.contains(&format!("{SITE}/login")), "{path}: {shown}");
    }
    Ok(())
}

on_each_storage! {
    every_route_is_answered_by_its_function
    a_whole_sign_in_goes_through_the_built_functions
    with_no_parameter_each_page_says_what_to_do_next
}

/// Makes every session look as if nobody had opened a page for hours, though not for so many that it ends.
fn age(deployment: &Deployment) -> Result<()> {
    let table = deployment.table.as_ref().ok_or("There is no table.")?;
    for mut item in table.scan()? {
        let used: u64 = item["last_used_at"]["N"].as_str().and_then(|number| number.parse().ok()).unwrap();
        item["last_used_at"] = json!({ "N": (used - 12 * 3600).to_string() });
        table.put(&item)?;
    }
    Ok(())
}

/// Tokens that have run out are renewed on the way to the page.
async fn renews(deployment: &Deployment) -> Result<()> {
    let mut browser = Browser::default();
    deployment.stand_in.expire_tokens_in(SHORT.as_secs());
    browser.sign_in(deployment).await?;
    deployment.stand_in.expire_tokens_in(3600);
    tokio::time::sleep(SHORT).await;
    let home = browser.get(deployment, "/")?;
    assert_eq!(home.header("location"), "/login?refresh&next=%2F", "{home:?}");
    let renewed = browser.get(deployment, "/login?refresh&next=%2F")?;
    assert_eq!(renewed.header("location"), format!("{SITE}/"), "{renewed:?}");
    browser.is_signed_in(deployment)
}

/// Whatever one page or form does with a session, in an order in which each does what it is there for.
async fn does_everything(deployment: &Deployment) -> Result<()> {
    let mut browser = Browser::default();
    browser.sign_in(deployment).await?;
    // A sign-in in a browser that has a session takes that session's place.
    browser.sign_in(deployment).await?;
    age(deployment)?;
    browser.is_signed_in(deployment)?;
    age(deployment)?;
    assert_eq!(browser.get(deployment, "/logout")?.status(), 200);
    assert_eq!(browser.send(deployment, "POST", "/logout", Some("everywhere=yes"))?.status(), 303);

    browser.sign_in(deployment).await?;
    assert_eq!(browser.send(deployment, "POST", "/logout", Some(""))?.status(), 303);
    Ok(())
}

#[tokio::test]
async fn each_role_permits_what_its_function_does_and_nothing_else() -> Result<()> {
    let deployment = Deployment::start(Storage::Table).await?;
    renews(&deployment).await?;
    does_everything(&deployment).await?;
    for (function, used, granted) in deployment.permissions() {
        assert_eq!(used, granted, "what {function} asked for, and what its role permits");
    }
    Ok(())
}

#[tokio::test]
async fn a_form_that_arrives_in_base64_is_read() -> Result<()> {
    let deployment = Deployment::start(Storage::Table).await?;
    let (mut here, mut elsewhere) = (Browser::default(), Browser::default());
    here.sign_in(&deployment).await?;
    elsewhere.sign_in(&deployment).await?;

    here.send(&deployment, "POST", "/logout", Some("everywhere=yes"))?;

    assert!(elsewhere.get(&deployment, "/")?.body().contains("Log in with Globus"));
    assert_eq!(deployment.table.as_ref().unwrap().scan()?.len(), 0);
    Ok(())
}
