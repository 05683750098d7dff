//! The requirements in `docs/security.md`: rows of tables, each of which names the tests that show it.
//!
//! A row is `| R01 | the requirement | how it is met | tests |`. A test is in backticks, as `shared: cookies::tests::…`: the
//! package or program, and the name that cargo prints. A row without a test says why none is needed, after the word *No*.

use std::{collections::BTreeSet, fs};

use crate::{Result, tools};

/// Where the requirements are, as seen from the project's directory.
const DOCUMENT: &str = "docs/security.md";

/// The sections that have them.
const SECTIONS: [&str; 2] = ["Requirements", "Advisories"];

/// What the app must fulfil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Its number, such as `R01`.
    pub id: String,
    /// The tests that show it.
    pub tests: Vec<String>,
    /// What is said in the place of tests.
    pub reason: String,
}

/// All requirements, in their order.
pub fn all() -> Result<Vec<Requirement>> {
    let text = fs::read_to_string(tools::root().join(DOCUMENT));
    text.map(|text| parse(&text)).map_err(|error| format!("{DOCUMENT} is not read: {error}."))
}

/// The tests that any of them names.
pub fn tests() -> Result<BTreeSet<String>> {
    Ok(all()?.into_iter().flat_map(|requirement| requirement.tests).collect())
}

fn parse(document: &str) -> Vec<Requirement> {
    let is_ours = |section: &&str| SECTIONS.iter().any(|title| section.lines().next() == Some(*title));
    document.split("\n## ").filter(is_ours).flat_map(str::lines).filter_map(Requirement::parse).collect()
}

impl Requirement {
    fn parse(line: &str) -> Option<Self> {
        let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [id, .., shown] = cells[..] else { return None };
        let is_id =
            id.len() == 3 && id.starts_with(|first: char| first.is_ascii_uppercase()) && id[1..].parse::<u8>().is_ok();
        let (mut tests, mut reason) = (Vec::new(), String::new());
        for (number, part) in shown.split('`').enumerate() {
            if number % 2 == 1 && part.contains(": ") { tests.push(part.to_owned()) } else { reason.push_str(part) }
        }
        is_id.then(|| Self { id: id.to_owned(), tests, reason })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// All Rust code of the project.
    fn sources() -> String {
        let mut left: Vec<PathBuf> = ["shared/src", "functions", "tests"].map(|part| tools::root().join(part)).into();
        let mut text = String::new();
        while let Some(path) = left.pop() {
            if let Ok(entries) = fs::read_dir(&path) {
                left.extend(entries.flatten().map(|entry| entry.path()));
            } else if path.extension().is_some_and(|end| end == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
        text
    }

    #[test]
    fn every_requirement_is_there_and_names_a_test_or_a_reason() {
        let all = all().unwrap();
        for (letter, last) in [('R', 18), ('C', 9), ('S', 29), ('A', 49)] {
            let ids = all.iter().map(|requirement| requirement.id.as_str()).filter(|id| id.starts_with(letter));
            let expected: Vec<_> = (1..=last).map(|number| format!("{letter}{number:02}")).collect();
            assert_eq!(ids.collect::<Vec<_>>(), expected);
        }
        for Requirement { id, tests, reason } in &all {
            assert!(!tests.is_empty() || reason.starts_with("No"), "{id} is shown by no test: {reason}");
        }
    }

    /// That they run is checked when all tests have run.
    #[test]
    fn every_test_that_a_requirement_names_is_in_the_code() {
        let sources = sources();
        for test in tests().unwrap() {
            let name = test.rsplit("::").next().unwrap_or_default();
            assert!(sources.contains(&format!("fn {name}(")), "there is no test {test}");
        }
    }

    #[test]
    fn a_row_is_read_as_it_is_written() {
        let document = "# A\n\n## Other\n| R01 | a | b | `x: y` |\n\n## Requirements\n| id | requirement | how | shown by |\n\
            | --- | --- | --- | --- |\n| R02 | `state` | it is so | `login: tests::a`, `shared: b::tests::c` |\n\
            | S29 | a | b | No test: it is text. |\n";
        let row = |id: &str, tests: &[&str], reason: &str| Requirement {
            id: id.to_owned(),
            tests: tests.iter().map(|test| (*test).to_owned()).collect(),
            reason: reason.to_owned(),
        };
        let expected =
            [row("R02", &["login: tests::a", "shared: b::tests::c"], ", "), row("S29", &[], "No test: it is text.")];
        assert_eq!(parse(document), expected);
    }
}
