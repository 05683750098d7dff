//! Many users at once against several processes of the packaged functions, while Globus and the table fail at random.
//!
//! Every user does what the seed says, and what goes wrong in a call, with which request, follows from the seed too: the
//! numbers are those of the user and the call. So a run can be repeated. What cannot is the order in which the calls of
//! different users, or those that one sends at once, arrive, and how long each takes.
//!
//! Where to look first:
//! - `user`: what a user does, and what must be true of each response; `sight`: what a response shows
//! - `fault`, `path`: what goes wrong, and where; `call`: which call it goes wrong in
//! - `fleet`, `instance`: the processes, each of which handles one event at a time
//! - `ledger`: what became of every token

mod action;
mod browser;
mod call;
mod fault;
mod fleet;
mod instance;
mod ledger;
mod measure;
mod path;
mod sight;
mod totals;
mod user;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use globus_stand_in::people::PEOPLE;

use crate::{Result, local::Storage};

pub use ledger::Left;
pub use measure::Cost;
pub use totals::Totals;

use fleet::Fleet;
use user::User;

/// How long the tokens of a sign-in live, in seconds: so short that users see renewals, and so long that new tokens are good
/// for ten seconds by the clock of every instance.
const TOKENS_LIVE_FOR: u64 = 45;

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Where sessions are.
    pub storage: Storage,
    /// What all random numbers follow from.
    pub seed: u64,
    /// How many requests, about.
    pub requests: u64,
    /// How long each user waits between two actions, on average.
    pub pause: Duration,
}

/// What a run has shown.
#[derive(Debug)]
pub struct Report {
    /// What has happened.
    pub totals: Totals,
    /// How many processes were killed and replaced.
    pub killed: usize,
    /// How many tokens were given.
    pub tokens: usize,
    /// How many of them are still alive although every user has logged out, and why.
    pub left: Left,
    /// For each function, how many kilobytes of memory a process that was not killed occupied after a tenth of the
    /// requests and at the end.
    pub memory: Vec<(&'static str, u64, u64)>,
    /// How long it took.
    pub took: Duration,
    /// What must not be, one sentence each.
    pub problems: Vec<String>,
}

impl Load {
    /// Runs it: a tenth of the requests, then the rest, then, without faults, each user's last look and logout.
    pub async fn run(self) -> Result<Report> {
        let begun = Instant::now();
        let fleet = Fleet::start(self.storage, self.seed, TOKENS_LIVE_FOR).await?;
        let of_each = self.requests / u64::try_from(PEOPLE.len()).unwrap_or(1);
        let new = |person| User::new(&fleet, person, self.seed, self.pause);
        let mut users: Vec<_> = PEOPLE.iter().enumerate().map(new).collect();

        fleet.set_faults(true);
        all_at_once(&mut users, |user| user.live(of_each / 10));
        let early = fleet.memory();
        all_at_once(&mut users, |user| user.live(of_each));
        fleet.set_faults(false);
        all_at_once(&mut users, User::finish);

        let late = fleet.memory();
        let memory = early.iter().zip(&late).map(|((function, early), (_, late))| (*function, *early, *late));
        let (left, unexplained) = fleet.ledger.left(&fleet.globus);
        let mut totals = Totals::default();
        for user in &users {
            totals.extend(&user.totals);
        }
        Ok(Report {
            totals,
            killed: fleet.killed(),
            tokens: fleet.ledger.given(),
            left,
            memory: memory.collect(),
            took: begun.elapsed(),
            problems: [fleet.problems(), unexplained].concat(),
        })
    }
}

/// What a page view and a verdict of the guard cost beside a call of a bare function, without faults: of so many calls each.
pub async fn measure(storage: Storage, calls: usize) -> Result<Vec<Cost>> {
    measure::measure(storage, calls).await
}

fn all_at_once<'a>(users: &mut [User<'a>], act: impl Fn(&mut User<'a>) + Sync) {
    thread::scope(|scope| {
        for user in users {
            scope.spawn(|| act(user));
        }
    });
}

/// What the lock holds, also if a thread has ended that had it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
