//! `cargo dev fuzz`: the fuzzing in `tests/fuzz`, with other inputs than in the tests, and for as long as you say.

use kit::{
    Result,
    tools::{cargo, println_step, run},
};

use crate::checks::has_any;

/// How many targets run at once: all of them, each for the whole time.
const AT_ONCE: &str = "32";

/// What to fuzz, and for how long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice<'a> {
    minutes: u32,
    seed: Option<u32>,
    /// What the names of the targets' tests contain.
    name: &'a str,
}

impl<'a> Choice<'a> {
    /// The choice that these arguments make.
    pub(crate) fn read(mut arguments: &[&'a str]) -> Result<Self> {
        let mut choice = Self { minutes: 10, seed: None, name: "" };
        while let [argument, rest @ ..] = arguments {
            arguments = match (*argument, rest) {
                ("--minutes", [minutes, rest @ ..]) => {
                    choice.minutes = number(minutes).ok_or("--minutes needs a number.")?;
                    rest
                }
                ("--seed", [seed, rest @ ..]) => {
                    choice.seed = Some(number(seed).ok_or("--seed needs a number.")?);
                    rest
                }
                (name, rest) if !name.starts_with('-') && choice.name.is_empty() => {
                    choice.name = name;
                    rest
                }
                (unknown, _) => return Err(format!("`cargo dev fuzz` does not know {unknown:?} here.")),
            };
        }
        Ok(choice)
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// Fuzzes the chosen targets.
pub(crate) fn fuzz(choice: &Choice<'_>) -> Result<()> {
    // A target is named as its corpus is.
    let name = choice.name.replace('-', "_");
    let tests = || cargo(&["test", "--workspace", "--test", "fuzz", "--locked", "--", &name]);
    if !has_any(tests())? {
        return Err(format!("There is no target {:?}: tests/fuzz/corpus has a directory for each.", choice.name));
    }
    let random = || getrandom::u32().map_err(|error| format!("There are no random numbers: {error}."));
    let seed = choice.seed.map_or_else(random, Ok)?;
    println_step(&format!("For {} minutes, with --seed {seed}.", choice.minutes));
    let mut fuzz = tests();
    fuzz.args(["--test-threads", AT_ONCE]);
    fuzz.env("FUZZ_MINUTES", choice.minutes.to_string()).env("FUZZ_SEED", seed.to_string());
    run(&mut fuzz, "An input breaks a rule; it is kept in tests/fuzz/corpus")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_the_seed_and_a_name_are_read_in_any_order() {
        let expected = Ok(Choice { minutes: 60, seed: Some(7), name: "cookie" });
        assert_eq!(Choice::read(&["--minutes", "60", "cookie", "--seed", "7"]), expected);
        assert_eq!(Choice::read(&["cookie", "--seed", "7", "--minutes", "60"]), expected);
        assert_eq!(Choice::read(&[]), Ok(Choice { minutes: 10, seed: None, name: "" }));
        for wrong in [&["--minutes"][..], &["--minutes", "x"], &["--seed", "-1"], &["a", "b"], &["--all"]] {
            assert!(Choice::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
