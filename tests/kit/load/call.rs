//! One call of a function, and all that is known of it afterwards.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use super::{
    fault::{Fault, Service, chance, word},
    locked,
};

/// In how many calls something goes wrong, in percent.
const DISTURBED: u32 = 15;

/// How many requests to a service are disturbed in such a call, in percent. The rest of it goes on undisturbed.
const FAULTS: u32 = 50;

/// In how many calls the process is killed at some moment, whatever it does, of thousand.
const KILLED: u32 = 3;

/// The shortest time limit of a request: that of one try at DynamoDB.
const SHORTEST_LIMIT: Duration = Duration::from_millis(1500);

/// A call of a function.
#[derive(Debug)]
pub(super) struct Call {
    /// The id that Lambda gives it: the user and the number of the call.
    pub(super) id: String,
    /// The function.
    pub(super) function: &'static str,
    /// Which instance of the function it goes to.
    pub(super) instance: usize,
    /// After what time its process is killed, if it is.
    pub(super) killed_after: Option<Duration>,
    words: [u64; 3],
    is_disturbed: bool,
    requests: Mutex<BTreeMap<String, u64>>,
    faults: Mutex<Vec<(Service, String, Fault)>>,
    lines: Mutex<Vec<Line>>,
    died: AtomicBool,
    took: Mutex<Duration>,
}

/// A line of the log, as far as it is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// What happened.
    pub(super) event: String,
    /// What came of it.
    pub(super) outcome: String,
    /// Why.
    pub(super) reason: String,
    /// In numbers.
    pub(super) detail: String,
}

impl Call {
    /// The call with this number of a user, of that instance of so many. The first instance of a function is never killed:
    /// its memory is looked at.
    pub(super) fn new(
        words: [u64; 3],
        function: &'static str,
        (instance, instances): (Option<usize>, usize),
        faults: bool,
    ) -> Self {
        let mut rng = chance(&words);
        let any = rng.usize(0..instances);
        let instance = instance.unwrap_or(any);
        let is_disturbed = faults && rng.u32(0..100) < DISTURBED;
        let is_killed = faults && instance > 0 && rng.u32(0..1000) < KILLED;
        let [_, user, number] = words;
        Self {
            id: format!("user-{user}-call-{number}"),
            function,
            instance,
            killed_after: is_killed.then(|| Duration::from_micros(rng.u64(0..3000))),
            words,
            is_disturbed,
            requests: Mutex::default(),
            faults: Mutex::default(),
            lines: Mutex::default(),
            died: AtomicBool::new(false),
            took: Mutex::default(),
        }
    }

    /// What goes wrong with the next request of this call to that endpoint of a service. It is the same in each run, in
    /// whichever order requests arrive that are sent at once.
    pub(super) fn fault(&self, service: Service, endpoint: &str) -> Option<Fault> {
        let mut requests = locked(&self.requests);
        let number = requests.entry(endpoint.to_owned()).or_default();
        *number += 1;
        let mut rng = chance(&[&self.words[..], &[word(endpoint), *number]].concat());
        if !self.is_disturbed || rng.u32(0..100) >= FAULTS {
            return None;
        }
        let fault = Fault::draw(&mut rng, self.instance > 0);
        locked(&self.faults).push((service, endpoint.to_owned(), fault));
        Some(fault)
    }

    /// Whether requests to a service went wrong.
    pub(super) fn has_fault(&self, service: Service) -> bool {
        locked(&self.faults).iter().any(|(other, ..)| *other == service)
    }

    /// Whether anything went wrong on purpose.
    pub(super) fn has_any_fault(&self) -> bool {
        self.was_killed() || !locked(&self.faults).is_empty()
    }

    /// Whether its process was killed on purpose.
    pub(super) fn was_killed(&self) -> bool {
        let kills = |fault: &Fault| matches!(fault, Fault::KillBefore | Fault::KillAfter);
        self.killed_after.is_some() || locked(&self.faults).iter().any(|(.., fault)| kills(fault))
    }

    /// Whether it has no response because its process has ended.
    pub(super) fn died(&self) -> bool {
        self.died.load(Ordering::Relaxed)
    }

    pub(super) fn set_died(&self) {
        self.died.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_took(&self, took: Duration) {
        *locked(&self.took) = took;
    }

    /// Whether it took so long that a time limit may have ended a request: what was not delayed on purpose, the machine itself
    /// has delayed.
    pub(super) fn is_slow(&self) -> bool {
        *locked(&self.took) > SHORTEST_LIMIT
    }

    /// The lines that it has logged.
    pub(super) fn lines(&self) -> Vec<Line> {
        locked(&self.lines).clone()
    }

    /// Whether it has logged this reason.
    pub(super) fn logged(&self, reason: &str) -> bool {
        locked(&self.lines).iter().any(|line| line.reason == reason)
    }

    /// How many tokens were not revoked, as it has logged.
    pub(super) fn not_revoked(&self) -> usize {
        let lines = self.lines();
        let numbers = lines.iter().filter(|line| line.reason == "tokens_not_revoked");
        numbers.filter_map(|line| line.detail.split(' ').next()?.parse::<usize>().ok()).sum()
    }

    /// Notes what was logged during the call; gives the lines that belong to another one.
    pub(super) fn note_log(&self, text: &str) -> Vec<String> {
        let mut foreign = Vec::new();
        for line in text.lines() {
            let said: Value = serde_json::from_str(line).unwrap_or_default();
            let text = |field: &str| said[field].as_str().unwrap_or_default().to_owned();
            if said["span"]["request_id"] == self.id.as_str() {
                locked(&self.lines).push(Line {
                    event: text("event"),
                    outcome: text("outcome"),
                    reason: text("reason"),
                    detail: text("detail"),
                });
            } else {
                foreign.push(line.to_owned());
            }
        }
        foreign
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} (instance {})", self.id, self.function, self.instance)?;
        write!(f, ", {:?}, faults {:?}", locked(&self.took), locked(&self.faults))?;
        if let Some(after) = self.killed_after {
            write!(f, ", killed after {after:?}")?;
        }
        let lines = self.lines();
        let lines = lines.iter().map(|line| format!("{} {} {}", line.event, line.outcome, line.reason));
        write!(f, ", log {:?}", lines.collect::<Vec<_>>())
    }
}
