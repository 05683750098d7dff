//! The mutants in `tests/mutants/`: each is a change that breaks one thing, and that a test must notice.
//!
//! A mutant is a section of a Markdown file there: its name, what it breaks in a sentence, a list, and the change as a
//! diff. In the diff, a line that begins with `-` is of the code before, one with `+` of the code after, and one with a
//! blank of both. The code before must be found exactly once in the file. It may begin and end within a line.

use std::fs;

use crate::{Result, tools};

/// Where the lists are, as seen from the project's directory.
const LISTS: &str = "tests/mutants";

/// The functions, those first whose tests notice most of what is broken in `shared`.
const FUNCTIONS: [&str; 6] = ["login", "home", "logout", "authorizer", "token", "tasks"];

/// A change that a test must notice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mutant {
    /// The name of its list, which is that of the file there.
    pub list: String,
    /// Its own name, which no other has.
    pub name: String,
    /// What it breaks.
    pub breaks: String,
    /// The file, as seen from the project's directory.
    pub file: String,
    /// A text that the file has exactly once.
    pub before: String,
    /// What takes its place.
    pub after: String,
    /// Parts of lines in `docs/security.md`: what the changed code is there for.
    pub guards: Vec<String>,
    /// The tests to run, in this order.
    pub tests: Vec<Tests>,
    /// Why no test can notice it, if that is so.
    pub equivalent: Option<String>,
}

/// Some of the tests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tests {
    /// Those beside the code of this package.
    Of(String),
    /// The scenarios in this module.
    Scenarios(String),
}

impl Tests {
    fn named(name: &str) -> Result<Self> {
        match name {
            "stack" | "table" => Ok(Self::Scenarios(name.to_owned())),
            name if name == "shared" || FUNCTIONS.contains(&name) => Ok(Self::Of(name.to_owned())),
            other => Err(format!("there are no tests {other:?} for mutants.")),
        }
    }

    /// Those that may notice a change of a file, if the mutant names none.
    fn for_file(file: &str) -> Result<Vec<Self>> {
        match file.split('/').collect::<Vec<_>>()[..] {
            ["shared", ..] => {
                Ok(["shared"].iter().chain(&FUNCTIONS).map(|name| Self::Of((*name).to_owned())).collect())
            }
            ["functions", function, ..] => Ok(vec![Self::named(function)?]),
            ["template.yaml"] => Ok(vec![Self::named("stack")?]),
            _ => Err("its list must name the tests.".to_owned()),
        }
    }
}

/// All mutants. A list that cannot be right is an error.
pub fn all() -> Result<Vec<Mutant>> {
    let directory = tools::root().join(LISTS);
    let entries = fs::read_dir(&directory).map_err(|error| format!("{LISTS} is not read: {error}."))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.sort_unstable();
    let mut mutants = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| format!("{} is not read: {error}.", file.display()))?;
        let list = file.file_stem().unwrap_or_default().to_string_lossy();
        mutants.extend(parse(&list, &text).map_err(|problem| format!("{}: {problem}", file.display()))?);
    }
    Ok(mutants)
}

/// The mutants of a list.
fn parse(list: &str, text: &str) -> Result<Vec<Mutant>> {
    text.split("\n## ").skip(1).map(|section| Mutant::parse(list, section)).collect()
}

impl Mutant {
    fn parse(list: &str, section: &str) -> Result<Self> {
        let (name, rest) = section.split_once('\n').unwrap_or((section, ""));
        let wrong = |problem: &str| format!("the mutant {name}: {problem}");
        let (text, rest) = rest.split_once("\n```diff\n").ok_or_else(|| wrong("there is no diff."))?;
        let (diff, _) = rest.split_once("\n```").ok_or_else(|| wrong("its diff has no end."))?;
        let (items, sentences): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("- "));
        let items: Option<Vec<_>> = items.iter().map(|line| line.trim_start_matches("- ").split_once(": ")).collect();
        let items = items.ok_or_else(|| wrong("an entry of its list has no colon."))?;
        if let Some((key, _)) = items.iter().find(|(key, _)| !["file", "guards", "tests", "equivalent"].contains(key)) {
            return Err(wrong(&format!("its list has an entry {key:?}.")));
        }
        let values = |name: &str| -> Vec<String> {
            items.iter().filter(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()).collect()
        };
        let file = values("file").pop().ok_or_else(|| wrong("it names no file."))?;
        let tests = match values("tests").pop() {
            Some(names) => names.split(", ").map(Tests::named).collect(),
            None => Tests::for_file(&file),
        };
        Ok(Self {
            list: list.to_owned(),
            name: name.to_owned(),
            breaks: sentences.join(" ").trim().to_owned(),
            tests: tests.map_err(|problem| wrong(&problem))?,
            file,
            before: side(diff, '-'),
            after: side(diff, '+'),
            guards: values("guards"),
            equivalent: values("equivalent").pop(),
        })
    }

    /// The text of the file with this change. `text` is that of the file.
    pub fn applied_to(&self, text: &str) -> Result<String> {
        match text.matches(&self.before).count() {
            _ if self.before.is_empty() => Err("says no text to be changed".to_owned()),
            1 => Ok(text.replacen(&self.before, &self.after, 1)),
            times => Err(format!("is to change a text that is {times} times in {}", self.file)),
        }
    }
}

/// One side of a diff.
fn side(diff: &str, mark: char) -> String {
    let of_it = diff.lines().filter_map(|line| line.strip_prefix(mark).or_else(|| line.strip_prefix(' ')));
    of_it.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
