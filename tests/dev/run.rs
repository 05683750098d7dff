//! The app on this machine, for a user in front of a browser.

use std::{
    io::{self, PipeWriter},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use globus_stand_in::StandIn;
use kit::{
    Result,
    dynamodb::DynamoDb,
    examples::{self, Examples},
    local::{Watch, free_port},
    process::{Output, Process},
    proxy::{Functions, Proxy},
    rebuild::{News, Rebuild},
    settings::RULES,
    tools::{self, println_step},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::plan::{Options, Plan};

/// Runs the app until Ctrl-C.
pub(crate) async fn run(options: Options) -> Result<()> {
    let plan = Plan::make(options)?;
    free(plan.port)?;
    if !plan.own_application {
        free(plan.stand_in_port())?;
    }
    if plan.dynamodb {
        tools::java()?;
    }
    tools::cargo_lambda()?;
    let rebuild = Rebuild::new(tools::root());
    tools::run(&mut tools::cargo(&["build"]), "The build fails; what the compiler says is above")?;

    let _stand_in = if plan.own_application { None } else { Some(stand_in(&plan).await?) };
    let database = if plan.dynamodb { Some(DynamoDb::start()?) } else { None };
    let mut variables: Vec<_> = plan.variables.clone().into_iter().collect();
    if let Some(database) = &database {
        variables.extend(database.table()?.variables());
    }
    let (log, writer) = io::pipe().map_err(|error| format!("The system has no pipe: {error}."))?;
    let watch = Watch::start(free_port()?, &variables, output(&writer)?)?;
    let examples = Examples::new(&variables, piped(&writer)?);
    let proxy = Proxy::start(plan.port, Functions::Running(watch.port()), examples, log, println_step)?;

    println_step(&greeting(&plan));
    Running { variables, writer, watch, proxy, rebuild }.until_stopped().await?;
    println_step("\nStopped.");
    Ok(())
}

/// Checks that a port is free on both addresses of localhost.
pub(crate) fn free(port: u16) -> Result<()> {
    let localhost: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    if TcpStream::connect(&localhost[..]).is_ok() {
        return Err(format!(
            "Port {port} is in use. Stop what uses it (perhaps another `cargo dev`), or choose another port: \
            `cargo dev --port 9100`."
        ));
    }
    Ok(())
}

async fn stand_in(plan: &Plan) -> Result<StandIn> {
    let started = StandIn::start(plan.stand_in_port(), &[&plan.redirect_url]).await;
    started.map_err(|error| format!("The stand-in for Globus Auth does not start: {error}."))
}

/// Where the functions write their log to.
fn output(log: &PipeWriter) -> Result<Output> {
    piped(log).map(Output::Pipe)
}

fn piped(log: &PipeWriter) -> Result<PipeWriter> {
    log.try_clone().map_err(|error| format!("The system has no pipe: {error}."))
}

fn greeting(plan: &Plan) -> String {
    let Plan { url, redirect_url, .. } = plan;
    let globus = if plan.own_application {
        format!(
            "Users log in at Globus, with the application in .env.
  It needs this redirect URL at https://app.globus.org/settings/developers:
  {redirect_url}"
        )
    } else {
        "Users log in at a local stand-in for Globus Auth: choose a user, there is no password.
  To use your own application at Globus, put its id and secret into .env (see .env.example)."
            .to_owned()
    };
    let storage = match plan.variables.get("TOKEN_TABLE") {
        _ if plan.dynamodb => "a table of DynamoDB Local, in memory".to_owned(),
        Some(table) => format!("the DynamoDB table {table}"),
        None => "cookies".to_owned(),
    };
    let rules: Vec<_> = RULES.into_iter().filter(|rule| plan.variables.contains_key(*rule)).collect();
    let access = match rules.as_slice() {
        [] => "Every user may come in. Rules for that are in docs/access.md.".to_owned(),
        rules => format!("Who may come in is limited by {} (docs/access.md).", rules.join(", ")),
    };
    let (base, path) = (examples::BASE_PATH, examples::ROUTES[0].path);
    format!(
        "
  The app is running:  {url}

  {globus}
  Sessions are in {storage}.
  {access}
  A page of your own could look like {url}/tasks, the sample in functions/tasks,
  or as {url}{base}{path} in another language, one of the samples in examples.
  When the code changes, the functions are built and started again. Ctrl-C stops everything.
"
    )
}

/// The app while it runs.
struct Running {
    variables: Vec<(String, String)>,
    writer: PipeWriter,
    watch: Watch,
    proxy: Proxy,
    rebuild: Rebuild,
}

impl Running {
    /// Waits for Ctrl-C, or for the functions to end by themselves. Until then, changes in the code are built.
    async fn until_stopped(mut self) -> Result<()> {
        let cannot = |error: io::Error| format!("Ctrl-C cannot be heard: {error}.");
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt()).map_err(cannot)?, signal(SignalKind::terminate()).map_err(cannot)?);
        let mut look = tokio::time::interval(Duration::from_millis(300));
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                _ = look.tick() => self.look()?,
            }
        }
    }

    fn look(&mut self) -> Result<()> {
        if let Some(sentence) = self.watch.ended() {
            return Err(sentence);
        }
        match self.rebuild.look(build)? {
            None => {}
            Some(News::Changed(file)) => {
                self.proxy.set(Functions::Building);
                println_step(&format!("\n{} has changed: building.", file.display()));
            }
            Some(News::Failed) => {
                self.proxy.set(Functions::Broken);
                println_step(
                    "The code does not build: the compiler's errors are above. Until it builds, every page says so.",
                );
            }
            Some(News::Built) => {
                let watch = Watch::launch(free_port()?, &self.variables, output(&self.writer)?)?;
                self.proxy.set(Functions::Running(watch.port()));
                self.watch = watch;
                println_step("Rebuilt: the functions run the new code.\n");
            }
        }
        Ok(())
    }
}

/// Begins a build that shows nothing but errors and warnings.
fn build() -> Result<Process> {
    Process::start("cargo".as_ref(), &["build", "--quiet"], &[], Output::Shown)
}
