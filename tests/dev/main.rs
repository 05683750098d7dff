//! `cargo dev`: the app on this machine, with one command. `cargo dev test`: what is checked.

mod bench;
mod checks;
mod doctor;
mod fuzz;
mod load;
mod mutants;
mod ops;
mod plan;
mod record;
mod run;
mod session_key;
mod times;

use std::{env, process::ExitCode};

use kit::{
    Result,
    load::Load,
    sample_event,
    tools::{eprintln_step, println_step},
};

use crate::plan::{Options, Plan};

const USAGE: &str = "\
cargo dev                 runs the app on this machine, with a stand-in for Globus Auth
cargo dev --dynamodb      the same with sessions in a table, of DynamoDB Local
cargo dev --port N        the same at http://localhost:N instead of port 9000; the stand-in is at port N + 10
cargo dev event           logs a user in at the running app, and prints a sample event with the session cookie
cargo dev doctor          says what this machine and the settings in .env lack
cargo dev test            checks everything
cargo dev test NAME       runs the end-to-end tests whose name contains NAME
cargo dev test-packages   checks what is packaged for the other processor and for sessions in a table
cargo dev bench           measures what the functions cost, and compares it with docs/performance.md; --write writes it there
cargo dev load            many users at once while Globus fails at random; --dynamodb, --seed N, --requests N (100,000)
cargo dev mutants         says whether the tests notice what tests/mutants breaks; takes hours
cargo dev mutants NAME    the same for the list of that name, or those whose name contains it; --part 2/8 is the second of 8 parts
cargo dev fuzz            sends changed inputs for 10 minutes, and says whether one breaks a rule; --minutes 60, --seed N
cargo dev fuzz NAME       the same for the targets whose name contains NAME
cargo dev help            says this

cargo ops help            lists the commands for a deployment

The tests need programs of the system. They are installed only if you agree, or if CI is set.";

/// What the user has asked for.
enum Task<'a> {
    Help,
    Run(Options),
    Event(Options),
    Doctor,
    Everything,
    EndToEnd(&'a str),
    Packages,
    Bench { write: bool },
    Mutants(mutants::Choice<'a>),
    Fuzz(fuzz::Choice<'a>),
    Load(Load),
    Ops(&'a [String]),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let outcome = match task(&arguments) {
        Ok(Task::Help) => {
            println_step(USAGE);
            Ok(())
        }
        Ok(Task::Run(options)) => run::run(options).await,
        Ok(Task::Event(options)) => event(options),
        Ok(Task::Doctor) => doctor::doctor(),
        Ok(Task::Everything) => checks::everything(),
        Ok(Task::EndToEnd(name)) => checks::end_to_end(name),
        Ok(Task::Packages) => checks::packages(),
        Ok(Task::Bench { write }) => bench::bench(write).await,
        Ok(Task::Mutants(choice)) => mutants::mutants(&choice),
        Ok(Task::Fuzz(choice)) => fuzz::fuzz(&choice),
        Ok(Task::Load(load)) => load::load(load).await,
        Ok(Task::Ops(command)) => ops::run(command),
        Err(sentence) => Err(sentence),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln_step(&format!("\n{sentence}"));
            ExitCode::FAILURE
        }
    }
}

/// What these arguments ask for. Each must be known: one that is not could be a wrong word for anything.
fn task(arguments: &[String]) -> Result<Task<'_>> {
    if let [ops, command @ ..] = arguments
        && ops == "ops"
    {
        return Ok(Task::Ops(command));
    }
    // `--port=9001` is `--port 9001`.
    let words =
        arguments.iter().flat_map(|argument| argument.splitn(if argument.starts_with("--") { 2 } else { 1 }, '='));
    let words: Vec<_> = words.collect();
    if words.iter().any(|word| matches!(*word, "help" | "--help" | "-h")) {
        return Ok(Task::Help);
    }
    let (task, rest) = match words.as_slice() {
        ["doctor", rest @ ..] => (Task::Doctor, rest),
        ["test-packages", rest @ ..] => (Task::Packages, rest),
        ["test", name, rest @ ..] if !name.starts_with('-') => (Task::EndToEnd(name), rest),
        ["test", rest @ ..] => (Task::Everything, rest),
        ["bench", "--write", rest @ ..] => (Task::Bench { write: true }, rest),
        ["bench", rest @ ..] => (Task::Bench { write: false }, rest),
        ["mutants", rest @ ..] => (Task::Mutants(mutants::Choice::read(rest)?), &[][..]),
        ["fuzz", rest @ ..] => (Task::Fuzz(fuzz::Choice::read(rest)?), &[][..]),
        ["load", rest @ ..] => (Task::Load(load::read(rest)?), &[][..]),
        ["event", rest @ ..] => Options::read(rest).map(|(options, rest)| (Task::Event(options), rest))?,
        rest => Options::read(rest).map(|(options, rest)| (Task::Run(options), rest))?,
    };
    match rest {
        [] => Ok(task),
        [unknown, ..] => {
            Err(format!("`cargo dev` does not know {unknown:?} here. `cargo dev help` says what it knows."))
        }
    }
}

fn event(options: Options) -> Result<()> {
    let event = sample_event::signed_in(Plan::make(options)?.port)?;
    println_step(&format!("{event:#}"));
    Ok(())
}
