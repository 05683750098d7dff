//! A target of fuzzing, and how it runs.
//!
//! Without settings, each target gets the same number of the same inputs in each run, so that a test that fails fails
//! because of a change. `cargo dev fuzz` sets the two variables: other inputs, for as long as it says.

use std::{
    cell::Cell,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use kit::tools::println_step;
use proptest::{
    prelude::{Strategy, any},
    sample::Index,
    test_runner::{Config, RngSeed, TestError, TestRunner},
};
use shared::config::process_environment;

use crate::change::{Change, changes};

/// How many inputs are made before the time is looked at.
const ROUND: u32 = 100;

/// What is done to an input that has failed, to find a smaller one that fails.
const SHRINKING: u32 = 4_000;

/// What is fuzzed.
pub(crate) struct Target {
    name: &'static str,
    /// What stands in the files of the corpus for values that are made anew in each run, and these values.
    made: Vec<(&'static str, String)>,
    corpus: Vec<Vec<u8>>,
}

impl Target {
    /// With the corpus of this name, in which each of these placeholders stands for a value.
    pub(crate) fn new(name: &'static str, made: &[(&'static str, &str)]) -> Self {
        let made = made.iter().map(|(placeholder, value)| (*placeholder, (*value).to_owned())).collect();
        Self { name, made, corpus: Vec::new() }.with(&corpus().join(name), "")
    }

    /// With the files of another directory too whose names begin like this.
    pub(crate) fn with(mut self, directory: &Path, begin: &str) -> Self {
        let files = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let files = files.map(Result::unwrap).filter(|file| file.file_name().to_string_lossy().starts_with(begin));
        let mut files: Vec<_> = files.map(|file| file.path()).collect();
        files.sort();
        for file in files {
            let text = fs::read(&file).unwrap();
            // In a list, each line is an input.
            let is_list = file.extension().is_some_and(|extension| extension == "list");
            let inputs = if is_list { text.split(|byte| *byte == b'\n').collect() } else { vec![&text[..]] };
            let inputs = inputs.into_iter().filter(|input| !input.is_empty());
            let filled = |input: &[u8]| {
                self.made.iter().fold(input.to_vec(), |text, (placeholder, value)| swap(&text, placeholder, value))
            };
            self.corpus.extend(inputs.map(filled).collect::<Vec<_>>());
        }
        self
    }

    /// Runs `check` with the corpus as it is, then with changed inputs: so many, or for as long as `FUZZ_MINUTES` says. It
    /// panics if a rule is broken, and returns whether the input was accepted, such as a cookie that is a session. Some must
    /// be: noise that never comes near the code behind the first check would prove nothing.
    pub(crate) fn run(&self, executions: u32, check: impl Fn(&[u8]) -> bool) {
        let (begun, seed) = (Instant::now(), number("FUZZ_SEED").unwrap_or_default());
        let minutes = number("FUZZ_MINUTES").map(Duration::from_mins);
        let (done, accepted) = (Cell::new(0), Cell::new(0));
        let check = |input: &[u8]| {
            done.set(done.get() + 1);
            accepted.set(accepted.get() + u64::from(check(input)));
        };
        for input in &self.corpus {
            let passes = catch_unwind(AssertUnwindSafe(|| check(input))).is_ok();
            assert!(passes, "{}: an input of the corpus fails: {}", self.name, String::from_utf8_lossy(input));
        }
        let mut round = 0;
        while minutes.map_or(done.get() < u64::from(executions), |minutes| begun.elapsed() < minutes) {
            self.round((seed << 32) + round, &check);
            round += 1;
        }
        let (done, accepted, seconds) = (done.get(), accepted.get(), begun.elapsed().as_secs());
        println_step(&format!(
            "fuzz {:<14} {done:>9} executions, {accepted:>8} accepted, {seconds:>5} s, seed {seed}",
            self.name
        ));
        assert!(accepted > 0, "{}: nothing was accepted", self.name);
    }

    fn round(&self, seed: u64, check: &impl Fn(&[u8])) {
        let config = Config {
            cases: ROUND,
            rng_seed: RngSeed::Fixed(seed),
            // The input itself is kept, in the corpus: a seed means something else after a change of this code.
            failure_persistence: None,
            max_shrink_iters: SHRINKING,
            ..Config::default()
        };
        let inputs = (any::<Index>(), changes());
        let input = |(index, changes): &(Index, Vec<Change>)| {
            changes.iter().fold(index.get(&self.corpus).clone(), |input, change| change.apply(&input, &self.corpus))
        };
        let outcome = TestRunner::new(config).run(&inputs.prop_map(|made| Made(input(&made))), |Made(input)| {
            check(&input);
            Ok(())
        });
        if let Err(TestError::Fail(reason, Made(input))) = outcome {
            let file = self.keep(&input);
            println_step(&format!("fuzz {}: {reason}\nThe smallest input found is in {}", self.name, file.display()));
            check(&input);
            panic!("{}: an input failed, and does not fail again: {reason}", self.name);
        }
    }

    /// Keeps an input in the corpus, with the placeholders.
    fn keep(&self, input: &[u8]) -> PathBuf {
        let text = self.made.iter().fold(input.to_vec(), |text, (placeholder, value)| swap(&text, value, placeholder));
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let file = corpus().join(self.name).join(format!("found-{:016x}", hasher.finish()));
        fs::write(&file, text).unwrap();
        file
    }
}

/// An input. It is shown by [`Target::keep`], not as a list of numbers.
struct Made(Vec<u8>);

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The directory with a corpus for each target.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn number(variable: &str) -> Option<u64> {
    let text = process_environment(variable)?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text:?}")))
}

/// The bytes with one text in place of another.
fn swap(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (mut swapped, mut rest) = (Vec::new(), bytes);
    while let Some(at) = rest.windows(from.len()).position(|window| window == from.as_bytes()) {
        swapped.extend_from_slice(&rest[..at]);
        swapped.extend_from_slice(to.as_bytes());
        rest = &rest[at + from.len()..];
    }
    [&swapped, rest].concat()
}

/// Whether a text occurs in an input.
pub(crate) fn has(input: &[u8], text: &str) -> bool {
    input.windows(text.len()).any(|window| window == text.as_bytes())
}
