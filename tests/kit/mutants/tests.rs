use std::collections::BTreeSet;

use super::*;

const SECURITY: &str = "docs/security.md";

/// The sections that say what is protected and what is not, what is not code, or what was tested.
const OTHER_SECTIONS: [&str; 4] =
    ["Threat model", "What it cannot do", "Supply chain", "What was tested, and what was not"];

/// Lines that promise nothing that code could break, by their beginning: they explain, or say what is not protected.
const EXPLAIN: [&str; 12] = [
    "`functions/authorizer` decides for API Gateway",
    "So a value cannot be read",
    "**In cookies**, the session itself",
    "So a copy of the table opens nothing",
    "The table does show the UUIDs",
    "Logging out here does not log out of Globus",
    "The end-to-end tests search the whole log",
    "Every principal that may read a function's configuration",
    "What [RFC 9700]",
    "A test is given as the package",
    "Flaws of comparable software",
    "| | ",
];

fn read(file: &str) -> String {
    fs::read_to_string(tools::root().join(file)).unwrap()
}

/// What `docs/security.md` promises: each row of a table of attacks, requirements or advisories, and each line of its sections'
/// text. What an authorizer
/// does not do is no promise.
fn promises() -> Vec<String> {
    let text = read(SECURITY);
    let sections = text.split("\n## ").skip(1).filter(|section| {
        let title = section.lines().next().unwrap_or_default();
        !OTHER_SECTIONS.contains(&title)
    });
    let lines = sections.flat_map(|section| {
        let promised = section.split("\nWhat it does not do:").next().unwrap_or_default();
        promised.lines().skip(1).map(str::trim).filter(|line| !line.is_empty())
    });
    let is_promise = |line: &&str| {
        let is_frame = line.starts_with("| attack |") || line.starts_with("| ---") || line.ends_with(':');
        !is_frame && !EXPLAIN.iter().any(|begin| line.starts_with(begin))
    };
    lines.filter(is_promise).map(ToOwned::to_owned).collect()
}

#[test]
fn each_mutant_changes_a_text_that_its_file_has_once() {
    for mutant in all().unwrap() {
        let applied = mutant.applied_to(&read(&mutant.file));
        assert!(applied.is_ok(), "{} {}", mutant.name, applied.unwrap_err());
        assert_ne!(mutant.before, mutant.after, "{}", mutant.name);
    }
}

#[test]
fn each_mutant_has_a_name_of_its_own_and_says_what_it_breaks() {
    let mut names = BTreeSet::new();
    for mutant in all().unwrap() {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(mutant.name.bytes().all(plain), "{}", mutant.name);
        assert!(mutant.breaks.ends_with('.'), "{}: {:?}", mutant.name, mutant.breaks);
        assert!(names.insert(mutant.name.clone()), "{} is there twice", mutant.name);
    }
    assert!(names.len() >= 6, "{}", names.len());
}

#[test]
fn each_promise_of_the_security_document_is_broken_by_a_mutant() {
    let promises = promises();
    assert!(promises.len() > 40, "{promises:#?}");
    let mutants = all().unwrap();
    for mutant in &mutants {
        for part in &mutant.guards {
            let found = promises.iter().filter(|promise| promise.contains(part)).count();
            assert_eq!(found, 1, "{}: {part:?} must be in one line of {SECURITY}", mutant.name);
        }
    }
    let parts: Vec<_> = mutants.iter().flat_map(|mutant| &mutant.guards).collect();
    let unbroken: Vec<_> =
        promises.iter().filter(|promise| !parts.iter().any(|part| promise.contains(*part))).collect();
    assert!(unbroken.is_empty(), "no mutant breaks {unbroken:#?}");
}

#[test]
fn a_mutant_is_read_as_it_is_written() {
    let list = "# Words\n\n## of-two-lines\nA sentence,\nand more.\n\n- file: shared/src/log.rs\n- guards: one\n- guards: two\n\
        - tests: table, login\n\n```diff\n-before {\n     kept\n-}\n+after\n+\n```\n";
    let [mutant] = &parse("words", list).unwrap()[..] else { panic!("not one") };
    assert_eq!(mutant.breaks, "A sentence, and more.");
    assert_eq!(mutant.guards, ["one", "two"]);
    assert_eq!(mutant.tests, [Tests::Scenarios("table".to_owned()), Tests::Of("login".to_owned())]);
    assert_eq!(mutant.applied_to("x before {\n    kept\n} y").unwrap(), "x     kept\nafter\n y");
    assert!(mutant.applied_to("nothing").unwrap_err().contains("0 times"));
    assert!(mutant.applied_to("before {\n    kept\n}before {\n    kept\n}").unwrap_err().contains("2 times"));
}

#[test]
fn a_list_with_a_mistake_is_refused() {
    let with = |lines: &str, diff: &str| {
        parse("list", &format!("# List\n\n## name\nBreaks it.\n\n{lines}\n\n{diff}")).map(drop)
    };
    let diff = "```diff\n-a\n+b\n```\n";
    assert_eq!(with("- file: template.yaml", diff), Ok(()));
    for (lines, diff) in [
        ("- file: template.yaml", ""),
        ("- file: template.yaml", "```diff\n-a"),
        ("", diff),
        ("- file: README.md", diff),
        ("- file: template.yaml\n- test: stack", diff),
        ("- file: template.yaml\n- tests: stock", diff),
        ("- file", diff),
    ] {
        assert!(with(lines, diff).is_err(), "{lines} {diff}");
    }
}
