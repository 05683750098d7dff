//! What the packaged functions cost: their size, and the instructions that they run, which valgrind counts. So the figures
//! do not depend on how busy the machine is.

pub mod figures;
pub mod program;
pub mod sign_in;

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, StandIn};
use serde_json::{Value, json};

use crate::{
    Result,
    dynamodb::{DynamoDb, Table},
    gateway,
    http::Request,
    local::Storage,
    programs::functions,
};

use figures::Row;
use program::Program;

/// The address of the site.
const SITE: &str = "https://gateway.example";

/// The packaged functions, with all that they send requests to on this machine.
#[derive(Debug)]
pub struct Bench {
    storage: Storage,
    stand_in: StandIn,
    table: Option<Table<'static>>,
}

impl Bench {
    /// With sessions kept there.
    pub async fn start(storage: Storage) -> Result<Self> {
        let stand_in = StandIn::start(0, &[&format!("{SITE}/login")]).await;
        let stand_in = stand_in.map_err(|error| format!("The stand-in for Globus Auth does not start: {error}."))?;
        let table = if storage == Storage::Table { Some(DynamoDb::shared()?.table()?) } else { None };
        Ok(Self { storage, stand_in, table })
    }

    /// The bare function, then every other: what each costs.
    pub async fn programs(&self) -> Result<Vec<Row>> {
        let cookies = self.sign_in(&mut self.program("login")?.start(&[])?).await?;
        let home = event("/", &cookies);
        let mut rows = vec![self.with_settings(Program::bare(self.storage)?).row(&home)?];
        for function in functions() {
            let event = match function {
                "home" | "authorizer" => home.clone(),
                // A visitor who is signed in need not log in.
                "login" => event("/login", &[]),
                "token" => json!({ "cookies": cookies, "resource_server": "transfer.api.globus.org" }).to_string(),
                page => event(&format!("/{page}"), &cookies),
            };
            rows.push(self.program(function)?.row(&event)?);
        }
        Ok(rows)
    }

    fn program(&self, function: &str) -> Result<Program> {
        Ok(self.with_settings(Program::packaged(self.storage, function)?))
    }

    fn with_settings(&self, program: Program) -> Program {
        let globus = ["GLOBUS_AUTH_URL", "TRANSFER_URL", "GROUPS_URL"].map(|name| (name, self.stand_in.url()));
        let own = [("BASE_URL", SITE), ("GLOBUS_CLIENT_ID", CLIENT_ID), ("GLOBUS_CLIENT_SECRET", CLIENT_SECRET)];
        let settings = globus.iter().chain(&own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        program.with(settings).with(self.table.iter().flat_map(Table::variables))
    }
}

/// The event of a browser with these cookies that opens a page.
fn event(target: &str, cookies: &[String]) -> String {
    let headers = [
        ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
        ("host", "gateway.example"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "none"),
        ("cookie", &cookies.join("; ")),
    ];
    let sent = headers.iter().filter(|(_, value)| !value.is_empty());
    let headers = sent.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = Request { method: "GET".to_owned(), target: target.to_owned(), headers, body: String::new() };
    gateway::event(&request).to_string()
}

/// A part of a function's result.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
