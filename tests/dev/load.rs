//! `cargo dev load`: many users at once while Globus and the table fail at random, and what a call costs without that.

use std::time::Duration;

use kit::{
    Result,
    load::{self, Cost, Load, Report},
    local::Storage,
    tools::println_step,
};

/// How many calls of each function are measured.
const MEASURED: usize = 20_000;

/// The run that these arguments ask for.
pub(crate) fn read(mut arguments: &[&str]) -> Result<Load> {
    let mut load = Load { storage: Storage::Cookies, seed: 1, requests: 100_000, pause: Duration::ZERO };
    while let [argument, rest @ ..] = arguments {
        let number =
            || rest.first().and_then(|number| number.parse().ok()).ok_or(format!("{argument} needs a number."));
        arguments = match *argument {
            "--dynamodb" => {
                load.storage = Storage::Table;
                rest
            }
            "--seed" => {
                load.seed = number()?;
                &rest[1..]
            }
            "--requests" => {
                load.requests = number()?;
                &rest[1..]
            }
            unknown => return Err(format!("`cargo dev load` does not know {unknown:?} here.")),
        };
    }
    Ok(load)
}

/// Runs it, and shows what came of it.
pub(crate) async fn load(load: Load) -> Result<()> {
    println_step(&format!("== Without faults, {MEASURED} calls of each"));
    costs(&load::measure(load.storage, MEASURED).await?);
    println_step(&format!("\n== With faults, about {} requests, seed {}", load.requests, load.seed));
    let report = load.run().await?;
    show(&report);
    if report.problems.is_empty() {
        println_step("\nAll is well.");
        return Ok(());
    }
    Err(format!("{} things must not be:\n{}", report.problems.len(), report.problems.join("\n")))
}

fn costs(all: &[Cost]) {
    let bare = all.first().map_or(1.0, |bare| bare.each_second);
    for Cost { name, each_second, memory: (early, late), .. } in all {
        println_step(&format!(
            "  {name}: {each_second:.0} calls a second of one processor ({:.2} of the bare function's); \
            {early} kB of memory after a tenth of the calls, {late} kB at the end",
            each_second / bare
        ));
    }
    for cost in all {
        let percentile = |percent| cost.percentile(percent).as_micros();
        let [half, most, nearly_all] = [50, 95, 99].map(percentile);
        println_step(&format!("  {}: p50 {half}, p95 {most}, p99 {nearly_all} microseconds", cost.name));
    }
}

fn show(report: &Report) {
    let Report { totals, killed, tokens, left, memory, took, .. } = report;
    println_step(&format!(
        "{totals}  {killed:>7} processes killed and replaced\n  {tokens:>7} tokens given for a service"
    ));
    for (reason, number) in left {
        println_step(&format!("  {number:>7} tokens left alive: {reason}"));
    }
    for (function, early, late) in memory {
        println_step(&format!(
            "  {function}: {early} kB of memory after a tenth of the requests, {late} kB at the end"
        ));
    }
    println_step(&format!("  It took {} s.", took.as_secs()));
}
