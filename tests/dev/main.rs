//! `cargo dev`: the app on this machine, with one command. `cargo dev test`: what is checked.

mod checks;
mod doctor;
mod ops;
mod run;
mod times;

use std::process::ExitCode;

use kit::tools::println_step;

const USAGE: &str = "\
cargo dev                 runs the app on this machine, with a stand-in for Globus Auth
cargo dev --dynamodb      the same with sessions in a table, of DynamoDB Local
cargo dev doctor          says what this machine and the settings in .env lack
cargo dev test            checks everything
cargo dev test NAME       runs the end-to-end tests whose name contains NAME
cargo dev test-packages   checks what is packaged for the other processor and for sessions in a table
cargo dev help            says this

cargo ops help            lists the commands for a deployment";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [] => run::run(false).await,
        ["--dynamodb"] => run::run(true).await,
        ["doctor"] => doctor::doctor(),
        ["ops", command @ ..] => ops::run(command),
        ["test"] => checks::everything(),
        ["test-packages"] => checks::packages(),
        ["test", name] => checks::end_to_end(name),
        ["help" | "--help" | "-h"] => {
            println_step(USAGE);
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            tell(&sentence);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "for the person at the terminal")]
fn tell(sentence: &str) {
    eprintln!("\n{sentence}");
}
