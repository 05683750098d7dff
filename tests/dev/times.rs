//! The parts of a check, and how long each took.

use std::time::{Duration, Instant};

use kit::{Result, tools::println_step};

/// The parts that are done, in order.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<(&'static str, Duration)>);

impl Times {
    /// Does a check, and says at its end how long each part took, however it ends.
    pub(crate) fn of(check: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut times = Self::default();
        let outcome = check(&mut times);
        println_step(&times.table());
        if outcome.is_ok() {
            println_step("\nAll is well.");
        }
        outcome
    }

    /// Does a part under its headline.
    pub(crate) fn part(&mut self, name: &'static str, part: impl FnOnce() -> Result<()>) -> Result<()> {
        println_step(&format!("\n== {name}"));
        let start = Instant::now();
        let outcome = part();
        self.0.push((name, start.elapsed()));
        outcome
    }

    fn table(&self) -> String {
        let total = ("All together", self.0.iter().map(|(_, took)| *took).sum());
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max(total.0.len());
        let lines = self.0.iter().chain([&total]).map(|(name, took)| {
            let seconds = took.as_secs();
            format!("\n   {name:<width$}  {:>2} min {:>2} s", seconds / 60, seconds % 60)
        });
        format!("\n== How long each part took{}", lines.collect::<String>())
    }
}
