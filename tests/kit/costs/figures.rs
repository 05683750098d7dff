//! The committed figures: the tables in `docs/performance.md`, and how what is measured may differ from them.

use std::{fs, path::PathBuf};

use crate::{Result, processor::Processor, tools};

/// How far a figure may be from the committed one, in percent.
const TOLERANCE: u64 = 3;

/// How far above the committed one a ratio to the bare function may be where other tools measure, in percent.
const ELSEWHERE: u64 = 20;

/// The lines before and behind the tables.
const BEGIN: &str = "<!-- `cargo dev bench --write` writes from here -->\n";
const END: &str = "<!-- to here -->\n";

/// The program that the others are compared with.
const BARE: &str = "bare";

const OF_A_PROGRAM: [&str; 3] = ["bytes", "instructions up to the first event", "instructions for a warm event"];
const OF_A_SIGN_IN: [&str; 2] = ["requests to Globus", "one after the other"];

/// What was measured of one program, or of one kind of sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name, such as `home-cookie`.
    pub name: String,
    /// The figures, in the order of the columns.
    pub figures: Vec<u64>,
}

/// Everything that was measured, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The versions of the tools, and the processor.
    pub tools: String,
    /// What each program costs.
    pub programs: Vec<Row>,
    /// What each kind of sign-in waits for.
    pub sign_ins: Vec<Row>,
}

/// One figure.
struct Entry<'a> {
    row: &'a str,
    column: &'static str,
    figure: u64,
    /// The same of the bare function, if this is of a program.
    bare: Option<u64>,
}

/// What the figures depend on beside the code, as it is here: compiler, valgrind, C library, processor.
pub fn tools_here() -> Result<String> {
    let versions = [
        first_line("rustc", &["--version"])?,
        first_line("valgrind", &["--version"])?,
        first_line("getconf", &["GNU_LIBC_VERSION"])?,
        processor(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
    ];
    Ok(versions.join(", "))
}

/// The architecture, and the model if the system says it: the C library chooses by the model how it copies and compares.
fn processor(cpuinfo: &str) -> String {
    let architecture = Processor::HERE.architecture();
    let value = |name: &str| {
        let mut lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    match (value("vendor_id"), value("cpu family"), value("model")) {
        (Some(vendor), Some(family), Some(model)) => format!("{architecture} {vendor} {family}/{model}"),
        _ => architecture.to_owned(),
    }
}

fn first_line(program: &str, arguments: &[&str]) -> Result<String> {
    let output = tools::command(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program} does not start: {error}."))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}

fn document() -> PathBuf {
    tools::root().join("docs/performance.md")
}

/// The text before the tables, the tables, and the text behind them.
fn parts(document: &str) -> Option<(&str, &str, &str)> {
    let (head, rest) = document.split_once(BEGIN)?;
    let (tables, tail) = rest.split_once(END)?;
    Some((head, tables, tail))
}

impl Figures {
    /// The committed ones.
    pub fn committed() -> Result<Self> {
        let text = fs::read_to_string(document()).map_err(|error| format!("The figures are not read: {error}."))?;
        let figures = parts(&text).and_then(|(_, tables, _)| Self::parse(tables));
        figures.ok_or_else(|| "docs/performance.md has no tables of figures.".to_owned())
    }

    /// Writes these in place of the committed ones.
    pub fn write(&self) -> Result<()> {
        let said = |error| format!("The figures are not written: {error}.");
        let text = fs::read_to_string(document()).map_err(said)?;
        let (head, _, tail) = parts(&text).ok_or("docs/performance.md has no place for the figures.")?;
        fs::write(document(), format!("{head}{BEGIN}{}{END}{tail}", self.text())).map_err(said)
    }

    fn text(&self) -> String {
        let programs = table("program", &OF_A_PROGRAM, &self.programs, &self.entries());
        let sign_ins = table("user", &OF_A_SIGN_IN, &self.sign_ins, &self.entries());
        format!("\nMeasured with {}.\n\n{programs}\n{sign_ins}\n", self.tools)
    }

    fn parse(tables: &str) -> Option<Self> {
        let (tools, rest) = tables.trim().strip_prefix("Measured with ")?.split_once(".\n\n")?;
        let (programs, sign_ins) = rest.split_once("\n\n")?;
        Some(Self { tools: tools.to_owned(), programs: rows(programs), sign_ins: rows(sign_ins) })
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        let bare = self.programs.iter().find(|row| row.name == BARE);
        let of_programs = self.programs.iter().flat_map(|row| entries(row, &OF_A_PROGRAM, bare));
        of_programs.chain(self.sign_ins.iter().flat_map(|row| entries(row, &OF_A_SIGN_IN, None))).collect()
    }

    /// A line for each figure: what is measured now, its ratio to the bare function, and what is committed.
    pub fn compared_with(&self, committed: &Self) -> String {
        let before = committed.entries();
        let line = |entry: &Entry<'_>| {
            let before = entry.among(&before).map_or_else(String::new, |before| grouped(before.figure));
            let Entry { row, column, figure, .. } = entry;
            format!("{row:<27} {column:<34} {:>11} {:>6} {before:>11}\n", grouped(*figure), entry.ratio())
        };
        let head = format!("{:<62} {:>11} {:>6} {:>11}\n", "", "now", "ratio", "committed");
        head + &self.entries().iter().map(line).collect::<String>()
    }

    /// Checks that no figure is further from the committed one than it may be. A smaller one must be committed, too: later
    /// ones are compared with it. Where other tools measure than those of the committed figures, only ratios to the bare
    /// function are compared, loosely, and this says so.
    pub fn check(&self, committed: &Self) -> Result<()> {
        let same_tools = self.tools == committed.tools;
        if !same_tools {
            tools::println_step(&format!(
                "NOT COMPARED with the committed figures, which were measured with {}. Here is {}. Compared are only ratios \
                to the bare function, which may be {ELSEWHERE} % above the committed ones.",
                committed.tools, self.tools
            ));
        }
        let before = committed.entries();
        let complaint = |entry: Entry<'_>| match entry.among(&before) {
            Some(before) if entry.is_within(before, same_tools) => None,
            Some(before) => Some(format!(
                "{}, {}: {}, committed: {}",
                entry.row,
                entry.column,
                grouped(entry.figure),
                grouped(before.figure)
            )),
            None => Some(format!("{}, {}: nothing is committed", entry.row, entry.column)),
        };
        // The bare function is none of ours, and gets smaller events where sessions are in a table.
        let ours = self.entries().into_iter().filter(|entry| entry.row != BARE);
        let complaints: Vec<_> = ours.filter_map(complaint).collect();
        if complaints.is_empty() {
            return Ok(());
        }
        Err(format!(
            "These figures differ by more than {TOLERANCE} % from docs/performance.md. If that is right, write them there \
            with `cargo dev bench --write`, and say why in the commit.\n{}",
            complaints.join("\n")
        ))
    }
}

fn entries<'a>(row: &'a Row, columns: &[&'static str], bare: Option<&Row>) -> Vec<Entry<'a>> {
    let cells = columns.iter().zip(&row.figures).enumerate();
    let entry = |(number, (column, figure)): (usize, (&&'static str, &u64))| Entry {
        row: &row.name,
        column,
        figure: *figure,
        bare: bare.and_then(|bare| bare.figures.get(number)).copied(),
    };
    cells.map(entry).collect()
}

impl Entry<'_> {
    /// The entry for the same among others.
    fn among<'b, 'c>(&self, others: &'b [Entry<'c>]) -> Option<&'b Entry<'c>> {
        others.iter().find(|other| (other.row, other.column) == (self.row, self.column))
    }

    fn is_within(&self, committed: &Entry<'_>, same_tools: bool) -> bool {
        match (self.bare, committed.bare) {
            (Some(bare), Some(bare_before)) if !same_tools => {
                100 * self.figure * bare_before <= (100 + ELSEWHERE) * committed.figure * bare
            }
            _ => 100 * self.figure.abs_diff(committed.figure) <= TOLERANCE * committed.figure,
        }
    }

    /// How many times the bare function's, such as `1.83`.
    fn ratio(&self) -> String {
        let Some(bare) = self.bare.filter(|bare| *bare > 0) else { return String::new() };
        let percent = (100 * self.figure + bare / 2) / bare;
        format!("{}.{:02}", percent / 100, percent % 100)
    }
}

fn table(first: &str, columns: &[&str], rows: &[Row], entries: &[Entry<'_>]) -> String {
    let head = format!("| {first} | {} |\n| --- |{}\n", columns.join(" | "), " ---: |".repeat(columns.len()));
    let cell = |entry: &Entry<'_>| match entry.ratio() {
        ratio if ratio.is_empty() => format!(" {} |", grouped(entry.figure)),
        ratio => format!(" {} ({ratio}) |", grouped(entry.figure)),
    };
    let line = |row: &Row| {
        let cells: String = entries.iter().filter(|entry| entry.row == row.name).map(cell).collect();
        format!("| {} |{cells}\n", row.name)
    };
    head + &rows.iter().map(line).collect::<String>()
}

/// The rows of a table, behind its two lines of head.
fn rows(table: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let name = cells.next()?.to_owned();
        let figure = |cell: &str| cell.split(' ').next()?.replace(',', "").parse().ok();
        Some(Row { name, figures: cells.map(figure).collect::<Option<_>>()? })
    };
    table.lines().skip(2).filter_map(row).collect()
}

/// A number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
