//! The environment variables, and the problems that were found in them.

use std::{cell::RefCell, fmt, time::Duration};

use super::{Address, Origin, Secret, Site};

/// A setting, or the proof that the problem with it was noted.
pub type Reading<T> = Result<T, Noted>;

/// Proof that a problem was noted. Only [`Environment::note`] makes one: a setting that is missing without a noted
/// problem does not compile.
#[derive(Debug)]
#[must_use]
pub struct Noted(());

/// The variables that a function may read, and the problems found so far.
pub struct Environment<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
    site: Site,
}

/// What [`Environment::note`] has noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Problem {
    variable: &'static str,
    expected: &'static str,
}

/// The problem of a variable that is required and not set.
const MISSING: &str = "is missing";

/// All problems of a function's configuration, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<Problem>);

impl ConfigError {
    /// Whether only the application at Globus is missing: the state of a new deployment.
    pub fn lacks_only_the_application(&self) -> bool {
        let of_application = |problem: &Problem| {
            problem.expected == MISSING && matches!(problem.variable, "GLOBUS_CLIENT_ID" | "GLOBUS_CLIENT_SECRET")
        };
        !self.0.is_empty() && self.0.iter().all(of_application)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems = self.0.iter().map(|Problem { variable, expected }| format!("{variable} {expected}"));
        f.write_str(&problems.collect::<Vec<_>>().join("; "))
    }
}

/// The value of a variable of this process; `None` if it is not set. What is not UTF-8 is replaced, so that it is found to
/// be wrong: an access rule must not be taken for absent.
pub fn process_environment(variable: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    std::env::var_os(variable).map(|value| value.to_string_lossy().into_owned())
}

impl<'a> Environment<'a> {
    /// The variables that `lookup` finds by name.
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let mut environment = Self { lookup, problems: RefCell::default(), site: Site::default() };
        environment.site = Site::read(&environment).unwrap_or_default();
        environment
    }

    /// Where the site is. Read before everything else, since the page that reports a problem needs it.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The settings that were read, unless there was a problem, be it with these settings or with others.
    pub fn finish<T>(self, settings: Reading<T>) -> Result<T, ConfigError> {
        match (settings, self.problems.into_inner()) {
            (Ok(settings), problems) if problems.is_empty() => Ok(settings),
            (_, problems) => Err(ConfigError(problems)),
        }
    }

    /// Notes what is wrong with `variable`, as the end of a sentence that begins with its name. Never shows its value.
    pub fn note(&self, variable: &'static str, expected: &'static str) -> Noted {
        self.problems.borrow_mut().push(Problem { variable, expected });
        Noted(())
    }

    /// The value, trimmed. An empty value counts as absent, since a template cannot leave a variable out.
    pub fn optional(&self, variable: &'static str) -> Option<String> {
        (self.lookup)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The value, trimmed; noted as missing if there is none.
    pub fn required(&self, variable: &'static str) -> Reading<String> {
        self.optional(variable).ok_or_else(|| self.note(variable, MISSING))
    }

    /// The value as `parse` reads it; noted as not what is `expected` if it cannot.
    pub fn parsed<T>(
        &self,
        variable: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Reading<Option<T>> {
        let parsed = self.optional(variable).map(|value| parse(&value).ok_or_else(|| self.note(variable, expected)));
        parsed.transpose()
    }

    /// An address that the site trusts. One of plain http is of this machine. In Lambda nothing else runs there: it is a
    /// setting of a local run that was deployed.
    pub(super) fn address(&self, variable: &'static str) -> Reading<Option<Address>> {
        self.parsed(variable, "must be an https address (http for localhost only, and not in Lambda)", |text| {
            Address::parse(text).filter(|address| address.origin().is_https() || !self.is_lambda())
        })
    }

    /// Such an address without a path.
    pub(super) fn origin(&self, variable: &'static str) -> Reading<Option<Origin>> {
        let origin = |address: Address| address.only_origin().ok_or_else(|| self.note(variable, "must have no path"));
        self.address(variable)?.map(origin).transpose()
    }

    /// Whether this is Lambda itself, which says how it initialized the function. `cargo lambda watch` and AWS's Runtime
    /// Interface Emulator do not; `sam local` does, and says that it is local.
    ///
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
    fn is_lambda(&self) -> bool {
        self.optional("AWS_LAMBDA_INITIALIZATION_TYPE").is_some() && self.optional("AWS_SAM_LOCAL").is_none()
    }

    /// Secrets, separated by commas; none if the variable is not set.
    pub(super) fn secrets(&self, variable: &'static str) -> Reading<Vec<Secret>> {
        let expected = "must be secrets of at least 32 characters each, separated by commas";
        let secrets = self.parsed(variable, expected, |text| {
            let secrets = text.split(',').map(str::trim);
            secrets.map(|secret| (secret.len() >= 32).then(|| Secret::new(secret))).collect()
        });
        Ok(secrets?.unwrap_or_default())
    }

    /// The entries of a list with commas; none if the variable is not set or empty. An entry without text, such as that of
    /// a blank, is a problem: a rule that its owner believes to be set must not count as absent.
    pub(super) fn list<T>(
        &self,
        variable: &'static str,
        expected: &'static str,
        entry: impl Fn(&str) -> Option<T>,
    ) -> Reading<Vec<T>> {
        let Some(text) = self.as_it_is(variable) else { return Ok(Vec::new()) };
        let entries: Option<Vec<_>> = text.split(',').map(|text| entry(text.trim())).collect();
        entries.ok_or_else(|| self.note(variable, expected))
    }

    /// A number of minutes from 1 to 525,600, which is a year; none if the variable is not set or empty.
    pub(super) fn minutes(&self, variable: &'static str) -> Reading<Option<Duration>> {
        let Some(text) = self.as_it_is(variable) else { return Ok(None) };
        let minutes = text.trim().parse().ok().filter(|minutes| (1..=525_600).contains(minutes));
        let expected = "must be a whole number from 1 to 525600";
        minutes.map(|minutes| Some(Duration::from_mins(minutes))).ok_or_else(|| self.note(variable, expected))
    }

    /// The value of a rule, unless it is empty.
    fn as_it_is(&self, variable: &str) -> Option<String> {
        (self.lookup)(variable).filter(|value| !value.is_empty())
    }

    /// A number of hours from 1 to 8,760, which is a year.
    pub(super) fn hours(&self, variable: &'static str, default: u64) -> Reading<Duration> {
        let hours = self.parsed(variable, "must be a whole number from 1 to 8760", |text| {
            text.parse().ok().filter(|hours| (1..=8760).contains(hours))
        });
        hours.map(|hours| Duration::from_hours(hours.unwrap_or(default)))
    }
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("problems", &self.problems).finish_non_exhaustive()
    }
}
