//! Whether the client of Globus Groups gets along with fauxbus, an imitation of Globus that others have made: so the access
//! rules do not merely agree with our own stand-in.

use std::{fs, net::TcpStream, time::Duration};

use kit::{
    Result,
    local::free_port,
    process::{Output, Process, wait_for},
    tools,
};
use serde_json::{Value, json};
use shared::{
    Secret,
    config::{Config, GlobusConfig},
    globus::Globus,
    rules::judge,
    session::Token,
    testing::{configure, noon},
};

const GROUP: &str = "69070000-0001-4ba1-8f4e-2ea86a5b4c01";

/// The statuses of a membership.
const STATUSES: [&str; 7] = ["active", "invited", "pending", "rejected", "removed", "left", "declined"];

/// The identity whose membership has this status.
fn identity(number: usize) -> String {
    format!("9e0b0000-000{number}-4a0a-8b0a-0a1b2c3d4e0a")
}

/// A group with a membership of each status. The bearer token of each identity is the status.
fn world() -> Value {
    let each = || STATUSES.iter().enumerate();
    let tokens = each().map(|(number, status)| ((*status).to_owned(), json!({ "identity_id": identity(number) })));
    let members = each().map(|(number, status)| (identity(number), json!({ "status": status })));
    let members: serde_json::Map<_, _> = members.collect();
    json!({
        "identities": tokens.collect::<serde_json::Map<_, _>>(),
        "groups": { GROUP: { "name": "Beamline 7", "memberships": members } },
    })
}

#[tokio::test]
async fn another_imitation_of_globus_groups_lets_in_active_members_alone() -> Result<()> {
    let seed = tools::artifact("fauxbus.json")?;
    fs::write(&seed, world().to_string()).map_err(|error| error.to_string())?;
    let port = free_port()?.to_string();
    let arguments =
        ["-m", "fauxbus.cli", "serve", "--host", "127.0.0.1", "--port", &port, "--seed", &seed.display().to_string()];
    let mut fauxbus =
        Process::start(&tools::python_with_globus_sdk()?, &arguments, &[], Output::File(tools::log("fauxbus.log")?))?;
    let responds = || TcpStream::connect(format!("127.0.0.1:{port}")).ok();
    assert!(wait_for(Duration::from_secs(20), responds).is_some(), "{:?}", fauxbus.ended());

    let url = format!("http://127.0.0.1:{port}");
    let settings = [("ALLOWED_GROUPS", GROUP), ("GLOBUS_AUTH_URL", url.as_str()), ("GROUPS_URL", &url)];
    let (config, globus) = configure(&settings, |env| Ok((Config::read(env)?, GlobusConfig::read(env)?))).unwrap();
    let globus = Globus::new(&config, globus).unwrap();
    let rules = config.rules.unwrap();
    for (number, status) in STATUSES.iter().enumerate() {
        let facts = globus.facts(&rules, &identity(number), &[token(status)]).await.unwrap().unwrap();
        assert_eq!(judge(&rules, &facts, noon()).is_ok(), *status == "active", "{status}");
    }
    let stranger = globus.facts(&rules, &identity(9), &[token("of-no-member")]).await.unwrap().unwrap();
    assert!(judge(&rules, &stranger, noon()).is_err());
    Ok(())
}

fn token(access_token: &str) -> Token {
    Token {
        resource_server: "groups.api.globus.org".to_owned(),
        scope: String::new(),
        access_token: Secret::new(access_token),
        refresh_token: None,
        received: noon(),
        lifetime: Duration::from_hours(48),
    }
}
