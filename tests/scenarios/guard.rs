//! What stands in front of functions in other languages, as `sam build` makes it and as Lambda would run it: the
//! authorizers with events as API Gateway sends them, and the function that gives tokens.

use kit::{Result, local::Storage, packages::Package};
use serde_json::{Value, json};
use shared::testing::Event;

use crate::{deployment::Deployment, visitor::Visitor, warm::signed_in_a_minute_ago};

on_each_package! {
    the_guard_knows_who_is_logged_in_until_the_logout
    a_session_to_be_renewed_is_sent_to_the_renewal
    an_order_for_a_token_gets_one_and_never_a_refresh_token
    with_a_broken_configuration_the_guard_lets_no_request_through
}

const SIGNED_IN: &str = "AuthorizerFunction";
const FOR_PAGES: &str = "VisitorAuthorizerFunction";
const TOKEN: &str = "TokenFunction";

/// All of them.
pub(crate) const FUNCTIONS: [&str; 3] = [SIGNED_IN, FOR_PAGES, TOKEN];

/// Sends a function what it is for, from a visitor who is logged in.
pub(crate) fn asks(deployment: &Deployment, function: &str, visitor: &Visitor) -> Result<()> {
    let event = if function == TOKEN { order(visitor) } else { event("authorizer-program", visitor) };
    let result = deployment.invoke(function, &event)?;
    assert!(result["isAuthorized"] == true || result["access_token"].is_string(), "{function}: {result}");
    Ok(())
}

/// A sample event of an authorizer, from this visitor.
fn event(name: &str, visitor: &Visitor) -> Value {
    let mut event: Value = serde_json::from_str(&Event::sample(name).json()).unwrap_or_default();
    let cookies: Vec<_> = visitor.browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    event["cookies"] = json!(cookies);
    event["headers"]["cookie"] = json!(cookies.join("; "));
    event["identitySource"] = json!([cookies.join("; ")]);
    event
}

/// What both authorizers say: of a program, and of a user who opens a page.
fn verdicts(deployment: &Deployment, visitor: &Visitor) -> Result<(Value, Value)> {
    let program = deployment.invoke(SIGNED_IN, &event("authorizer-program", visitor))?;
    let navigation = deployment.invoke(FOR_PAGES, &event("authorizer-navigation", visitor))?;
    Ok((program, navigation))
}

fn denied() -> Value {
    json!({ "isAuthorized": false, "context": {} })
}

fn login_only() -> Value {
    json!({ "isAuthorized": true, "context": { "login": "/login?refresh&next=%2Fexamples%2Freport" } })
}

async fn the_guard_knows_who_is_logged_in_until_the_logout(package: Package) -> Result<()> {
    let deployment = Deployment::start(package).await?;
    let mut visitor = Visitor::default();
    assert_eq!(verdicts(&deployment, &visitor)?, (denied(), login_only()));

    visitor.sign_in(&deployment, &deployment.stand_in, "ada").await?;
    let (program, navigation) = verdicts(&deployment, &visitor)?;
    assert_eq!(program, navigation);
    assert_eq!(program["isAuthorized"], true);
    let context = program["context"].as_object().cloned().unwrap_or_default();
    let keys: Vec<_> = context.keys().map(String::as_str).collect();
    assert_eq!(keys, ["email", "expires", "name", "organization", "session", "sub", "username"]);
    assert!(context.values().all(Value::is_string), "{context:?}");
    assert_eq!((&context["name"], &context["username"]), (&json!("Ada Lovelace"), &json!("ada@uchicago.example")));
    let said = program.to_string();
    assert!(!deployment.stand_in.issued_tokens().iter().any(|token| said.contains(token)), "{said}");

    // A copy of the cookies is worth nothing after the logout only if the session is in a table.
    let copy = visitor.clone();
    visitor.post(&deployment, "/logout", "").await?;
    assert_eq!(verdicts(&deployment, &visitor)?, (denied(), login_only()));
    if package.storage == Storage::Table {
        assert_eq!(verdicts(&deployment, &copy)?, (denied(), login_only()));
    }
    Ok(())
}

async fn a_session_to_be_renewed_is_sent_to_the_renewal(package: Package) -> Result<()> {
    let deployment = Deployment::start(package).await?;
    let variables = deployment.variables();
    let visitor = signed_in_a_minute_ago(crate::deployment::SITE, &variables, &deployment.stand_in).await?;
    assert_eq!(verdicts(&deployment, &visitor)?, (denied(), login_only()));
    let order = order(&visitor);
    let login = json!({ "login": "/login?refresh&next=%2Fexamples%2Ftransfers" });
    assert_eq!(deployment.invoke(TOKEN, &order)?, login);

    let mut visitor = visitor;
    visitor.get(&deployment, "/login?refresh&next=%2Fexamples%2Freport").await?;

    assert_eq!(verdicts(&deployment, &visitor)?.0["isAuthorized"], true);
    Ok(())
}

fn order(visitor: &Visitor) -> Value {
    let cookies = &event("authorizer-program", visitor)["cookies"];
    json!({ "cookies": cookies, "resource_server": "transfer.api.globus.org", "next": "/examples/transfers" })
}

async fn an_order_for_a_token_gets_one_and_never_a_refresh_token(package: Package) -> Result<()> {
    let deployment = Deployment::start(package).await?;
    let mut visitor = Visitor::default();
    visitor.sign_in(&deployment, &deployment.stand_in, "ada").await?;

    let answer = deployment.invoke(TOKEN, &order(&visitor))?;

    let token = answer["access_token"].as_str().unwrap_or_default();
    assert!(deployment.stand_in.issued_tokens().iter().any(|issued| issued == token), "{answer}");
    assert!(answer["expires_at"].as_u64().is_some_and(|expires| expires > 1_700_000_000), "{answer}");
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(2), "{answer}");
    Ok(())
}

async fn with_a_broken_configuration_the_guard_lets_no_request_through(package: Package) -> Result<()> {
    let deployment = Deployment::with(package, &[]).await?;
    let visitor = Visitor::default();
    for function in [SIGNED_IN, FOR_PAGES] {
        let result = deployment.invoke(function, &event("authorizer-navigation", &visitor))?;
        assert_eq!(result["errorType"], "configuration", "{result}");
        assert!(result.get("isAuthorized").is_none(), "{result}");
    }
    assert_eq!(deployment.invoke(TOKEN, &order(&visitor))?["error"], "configuration");
    Ok(())
}

/// The authorizers and the token function in this process, with a table of DynamoDB Local.
mod with_a_table {
    use std::time::Duration;

    use authorizer::Verdict;
    use kit::dynamodb::{DynamoDb, Table};
    use shared::{
        App, Function, Timestamp,
        config::AuthorizerMode,
        testing::{REQUEST_ID, function, noon, session},
    };

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    struct Guard {
        table: Table<'static>,
        variables: Vec<(String, String)>,
        authorizers: [Function<(App, AuthorizerMode)>; 2],
        cookie: String,
    }

    impl Guard {
        fn pairs(&self) -> Vec<(&str, &str)> {
            self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
        }

        /// Beside a user who has logged in at noon.
        async fn start() -> Result<Self> {
            let table = DynamoDb::shared()?.table()?;
            let variables = table.variables();
            let with = |mode| {
                let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let pairs: Vec<_> = variables.chain([("AUTHORIZER_MODE", mode)]).collect();
                function(&pairs, |env| authorizer::read(App::read(env), env))
            };
            let authorizers = ["signed-in", "visitor"].map(with);
            let (app, _) = authorizers[0].state().unwrap();
            let created = app.storage.create(&Event::get("/").request(), &session(noon()), noon()).await.unwrap();
            Ok(Self { table, variables, authorizers, cookie: created.cookie.stripped().to_string() })
        }

        /// What both say to the user who opens a page: denied, allowed with the login, or allowed.
        async fn say(&self, now: Timestamp) -> [&'static str; 2] {
            let event = Event::get("/report").cookie(&self.cookie).json();
            let mut said = Vec::new();
            for authorizer in &self.authorizers {
                said.push(match authorizer.result(&authorizer::handle, &event, REQUEST_ID, now).await {
                    Ok(Verdict::Denied) => "denied",
                    Ok(Verdict::Visitor { .. }) => "login",
                    Ok(Verdict::SignedIn { .. }) => "user",
                    Err(_) => "error",
                });
            }
            [said[0], said[1]]
        }
    }

    #[tokio::test]
    async fn a_session_that_was_logged_out_elsewhere_opens_no_route() -> Result<()> {
        let guard = Guard::start().await?;
        assert_eq!(guard.say(noon()).await, ["user", "user"]);
        guard.table.clear()?;
        assert_eq!(guard.say(noon()).await, ["denied", "login"]);
        Ok(())
    }

    /// Its user would be logged out although each of the requests was a use of the session.
    #[tokio::test]
    async fn a_user_of_guarded_pages_alone_is_not_idle() -> Result<()> {
        let guard = Guard::start().await?;
        // The limit is 24 hours.
        assert_eq!(guard.say(noon() + HOUR * 20).await, ["user", "user"]);
        assert_eq!(guard.say(noon() + HOUR * 40).await, ["user", "user"]);

        let unused = Guard::start().await?;
        assert_eq!(unused.say(noon() + HOUR * 24).await, ["denied", "login"]);
        Ok(())
    }

    /// A page whose script asks again and again would never be idle.
    #[tokio::test]
    async fn a_script_that_asks_who_is_logged_in_keeps_no_session_alive() -> Result<()> {
        let guard = Guard::start().await?;
        let home = function(&guard.pairs(), App::read);
        let asks = async |now| {
            let event = Event::get("/session").of_program().cookie(&guard.cookie);
            home.respond(&home::handle, &event.json(), REQUEST_ID, now).await.status_code
        };
        assert_eq!(asks(noon() + HOUR * 20).await, 200);
        assert_eq!(asks(noon() + HOUR * 24).await, 401);
        Ok(())
    }

    #[tokio::test]
    async fn a_token_for_a_function_is_a_use_of_the_session() -> Result<()> {
        let guard = Guard::start().await?;
        let token = function(&guard.pairs(), App::read);
        let order = json!({ "cookies": [guard.cookie], "resource_server": "transfer.api.globus.org" }).to_string();
        for hours in [20, 40] {
            let now = noon() + HOUR * hours;
            let answer = token.result(&token::handle, &order, REQUEST_ID, now).await;
            assert!(matches!(answer, Ok(token::Answer::Token { .. })), "{hours}: {answer:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn an_item_that_was_changed_opens_no_route() -> Result<()> {
        let guard = Guard::start().await?;
        let mut item = guard.table.scan()?.remove(0);
        item["sealed"] = json!({ "B": "AAAA" });
        guard.table.put(&item)?;
        assert_eq!(guard.say(noon()).await, ["denied", "login"]);
        Ok(())
    }
}
