//! What a call costs beside one of a function that only says hello: measured in turns, so that all have the same share of
//! whatever else the machine does.

use std::time::{Duration, Instant};

use globus_stand_in::people::PEOPLE;
use serde_json::Value;

use crate::{Result, local::Storage, packages::Package, tools};

use super::{
    action::{Action, Cookies},
    all_at_once,
    fleet::Fleet,
    instance::{Answer, Instance},
    user::User,
};

/// How many turns each function has.
const TURNS: usize = 50;

/// How long tokens live: longer than it takes.
const TOKENS_LIVE_FOR: u64 = 48 * 3600;

/// What the calls of one function cost, once it is warm.
#[derive(Debug)]
pub struct Cost {
    /// What was called.
    pub name: &'static str,
    /// How many calls of one processor there are in a second.
    pub each_second: f64,
    /// How long calls took, the quickest first.
    pub times: Vec<Duration>,
    /// How many kilobytes of memory the process occupied after a tenth of the calls and at the end.
    pub memory: (u64, u64),
}

impl Cost {
    /// The time within which so many of a hundred calls had their response.
    pub fn percentile(&self, percent: usize) -> Duration {
        let place = (self.times.len() * percent).div_ceil(100).saturating_sub(1);
        self.times.get(place).copied().unwrap_or_default()
    }
}

/// A function that is measured.
struct Measured {
    name: &'static str,
    instance: Instance,
    event: String,
    expected: String,
    times: Vec<Duration>,
    spent: Duration,
    early_memory: u64,
}

impl Measured {
    /// Calls it so often in a row.
    fn turn(&mut self, calls: usize) -> Result<()> {
        let before = self.instance.processor_time();
        for _ in 0..calls {
            let (event, begun) = (self.event.clone(), Instant::now());
            let answer = self.instance.invoke("measured", event, None);
            self.times.push(begun.elapsed());
            match answer {
                Answer::Response(text) if text.contains(&self.expected) => {}
                other => return Err(format!("{} does not respond as it should: {other:?}.", self.name)),
            }
        }
        self.spent += self.instance.processor_time().saturating_sub(before);
        Ok(())
    }

    fn cost(mut self) -> Cost {
        let calls = u32::try_from(self.times.len()).unwrap_or(u32::MAX);
        self.times.sort_unstable();
        let memory = (self.early_memory, self.instance.memory());
        Cost { name: self.name, each_second: f64::from(calls) / self.spent.as_secs_f64(), times: self.times, memory }
    }
}

/// Measures so many calls of each: the bare function first.
pub(super) async fn measure(storage: Storage, calls: usize) -> Result<Vec<Cost>> {
    let fleet = Fleet::start(storage, 0, TOKENS_LIVE_FOR).await?;
    let mut users = [User::new(&fleet, (0, &PEOPLE[0]), 0, Duration::ZERO)];
    all_at_once(&mut users, |user| user.sign_in(0));
    let cookies = users[0].cookies();
    let (package, variables) = (Package::here(storage), fleet.direct_variables());
    let start = |name, program, event: Value, expected: &str| {
        let instance = Instance::start(program, &variables, &tools::log(&format!("load-measured-{name}.log"))?)?;
        let (event, expected) = (event.to_string(), expected.to_owned());
        let (times, spent, early_memory) = <(Vec<_>, Duration, u64)>::default();
        Ok::<_, String>(Measured { name, instance, event, expected, times, spent, early_memory })
    };
    let none = Cookies::new();
    let mut all = [
        start("a bare function", &package.bare()?, Action::Page.event(&none), "hello")?,
        start("a page of a signed-in user", &package.program("home")?, Action::Page.event(&cookies), PEOPLE[0].sub)?,
        start(
            "a verdict of the guard",
            &package.program("authorizer")?,
            Action::Guarded.event(&cookies),
            PEOPLE[0].sub,
        )?,
    ];
    // Until they are warm.
    for measured in &mut all {
        measured.turn(200)?;
        (measured.times, measured.spent) = Default::default();
    }
    for turn in 0..TURNS {
        for measured in &mut all {
            measured.turn(calls.div_ceil(TURNS))?;
            if turn == TURNS / 10 {
                measured.early_memory = measured.instance.memory();
            }
        }
    }
    all_at_once(&mut users, User::finish);
    Ok(all.into_iter().map(Measured::cost).collect())
}
