//! What has happened, in numbers.

use std::{collections::BTreeMap, fmt};

use super::{action::Action, call::Call, fleet::Outcome};

/// Numbers by names.
#[derive(Clone, Debug, Default)]
pub struct Totals(BTreeMap<String, u64>);

impl Totals {
    /// Counts a call.
    pub(super) fn count(&mut self, action: &Action, outcome: &Outcome, call: &Call) {
        let action = match action {
            Action::Page | Action::Who => "page views",
            Action::Guarded | Action::Visit => "verdicts of the guard",
            Action::Renew | Action::RenewByScript => "visits to the renewal",
            Action::Begin | Action::Callback(_) => "steps of a sign-in",
            Action::LogOut { .. } | Action::LoggedOut => "logouts",
        };
        self.add(action);
        self.add(CALLS);
        if call.has_any_fault() {
            self.add("calls with faults");
        }
        if call.is_slow() && !call.has_any_fault() {
            self.add("calls that the machine itself has delayed beyond a time limit");
        }
        for line in call.lines() {
            if line.outcome == "success" {
                self.add(&format!("{} success", line.event));
            }
        }
        let reason = || call.lines().into_iter().rfind(|line| line.outcome == "failure").map(|line| line.reason);
        match outcome {
            Outcome::Page(page) if page.status >= 500 => {
                self.add(&format!("{} {}", page.status, reason().unwrap_or_default()));
            }
            Outcome::Nothing(word) => self.add(&format!("no response: {word}")),
            _ => {}
        }
    }

    fn add(&mut self, name: &str) {
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    /// Adds those of another user.
    pub(super) fn extend(&mut self, other: &Self) {
        for (name, number) in &other.0 {
            *self.0.entry(name.clone()).or_default() += number;
        }
    }

    /// How many calls.
    pub fn calls(&self) -> u64 {
        self.of(CALLS)
    }

    /// The number of this name.
    pub fn of(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }
}

const CALLS: &str = "calls";

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, number)| writeln!(f, "  {number:>7} {name}"))
    }
}
