//! `cargo dev mutants`: whether the tests notice what they are there for.
//!
//! Each mutant is applied to a copy of the project, never to the project itself. The copy has a target directory of its
//! own, so that only what a mutant changes is compiled again. What came of a mutant is kept beside the copy, under a hash
//! of the mutant and of the sources: a run that was stopped goes on where it was.

mod bench;
mod copy;

use std::{collections::BTreeSet, time::Instant};

use kit::{
    Result,
    mutants::{self, Mutant},
    tools::println_step,
};

use bench::{Bench, Outcome};

/// Which mutants to try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice<'a> {
    /// The part of this number, of so many parts.
    part: (usize, usize),
    /// The name of their list, or what their own names contain.
    name: &'a str,
}

impl<'a> Choice<'a> {
    /// The choice that these arguments make.
    pub(crate) fn read(mut arguments: &[&'a str]) -> Result<Self> {
        let mut choice = Self { part: (1, 1), name: "" };
        while let [argument, rest @ ..] = arguments {
            arguments = match (*argument, rest) {
                ("--part", [part, rest @ ..]) => {
                    choice.part = read_part(part).ok_or("--part needs a part such as 2/8.")?;
                    rest
                }
                (name, rest) if !name.starts_with('-') && choice.name.is_empty() => {
                    choice.name = name;
                    rest
                }
                (unknown, _) => return Err(format!("`cargo dev mutants` does not know {unknown:?} here.")),
            };
        }
        Ok(choice)
    }

    /// Every so many, and not so many in a row, since those of one list take as long as each other.
    fn among(&self, all: Vec<Mutant>) -> Vec<Mutant> {
        let named = all.into_iter().filter(|mutant| mutant.list == self.name || mutant.name.contains(self.name));
        named.skip(self.part.0 - 1).step_by(self.part.1).collect()
    }
}

fn read_part(text: &str) -> Option<(usize, usize)> {
    let (part, parts) = text.split_once('/')?;
    let (part, parts) = (part.parse().ok()?, parts.parse().ok()?);
    (1..=parts).contains(&part).then_some((part, parts))
}

/// Tries the chosen mutants. An error names those that live and those whose trial is worth nothing.
pub(crate) fn mutants(choice: &Choice<'_>) -> Result<()> {
    let chosen = choice.among(mutants::all()?);
    if chosen.is_empty() {
        return Err(format!(
            "There is no list {:?}, and no mutant whose name contains that, in this part.",
            choice.name
        ));
    }
    let bench = Bench::prepare()?;
    let untried: BTreeSet<_> =
        chosen.iter().filter(|mutant| bench.known(*mutant).is_none()).flat_map(|mutant| &mutant.tests).collect();
    for tests in untried {
        bench.check_without_mutant(tests)?;
    }
    let mut wrong = Vec::new();
    for (number, mutant) in chosen.iter().enumerate() {
        let begun = Instant::now();
        let outcome = bench.outcome(mutant)?;
        let (is_right, said) = verdict(mutant, &outcome);
        let mark = if is_right { "ok" } else { "--" };
        let seconds = begun.elapsed().as_secs();
        println_step(&format!("{mark} {}/{} {}: {said} ({seconds} s)", number + 1, chosen.len(), mutant.name));
        if !is_right {
            wrong.push(format!("{}: {said}. {}", mutant.name, mutant.breaks));
        }
    }
    let equivalent = chosen.iter().filter(|mutant| mutant.equivalent.is_some()).count();
    let right = chosen.len() - wrong.len();
    println_step(&format!(
        "\n{right} of {} mutants are as they should be, {equivalent} of them equivalent.",
        chosen.len()
    ));
    if wrong.is_empty() { Ok(()) } else { Err(format!("These are not:\n{}", wrong.join("\n"))) }
}

/// Whether a mutant came out as it should, and what to say of it.
fn verdict(mutant: &Mutant, outcome: &Outcome) -> (bool, String) {
    match (outcome, &mutant.equivalent) {
        (Outcome::Caught(test), None) => (true, format!("caught by {test}")),
        (Outcome::Lived, Some(reason)) => (true, format!("equivalent: {reason}")),
        (Outcome::Caught(test), Some(_)) => (false, format!("is said to be equivalent, and is caught by {test}")),
        (Outcome::Lived, None) => (false, "lives".to_owned()),
        (Outcome::Worthless(problem), _) => (false, format!("is worth nothing: {problem}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_and_a_name_are_read_in_any_order() {
        let expected = Ok(Choice { part: (2, 8), name: "cookie" });
        assert_eq!(Choice::read(&["--part", "2/8", "cookie"]), expected);
        assert_eq!(Choice::read(&["cookie", "--part", "2/8"]), expected);
        assert_eq!(Choice::read(&[]), Ok(Choice { part: (1, 1), name: "" }));
        for wrong in
            [&["--part"][..], &["--part", "0/8"], &["--part", "9/8"], &["--part", "2"], &["a", "b"], &["--all"]]
        {
            assert!(Choice::read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_parts_together_are_all_mutants() {
        let all = mutants::all().unwrap();
        let parts = (1..=3).flat_map(|part| Choice { part: (part, 3), name: "" }.among(all.clone()));
        let names: BTreeSet<_> = parts.map(|mutant| mutant.name).collect();
        assert_eq!(names.len(), all.len());
    }
}
