//! The log: one line for each event, JSON where Lambda collects it, text on a terminal.
//!
//! Every line has an [`Event`] and an [`Outcome`], and never a token, code, cookie, or key.

mod words;

use std::panic::{self, Location, PanicHookInfo};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{Error, Kind, config::LogConfig, cookies::MAX_COOKIE, session::Session};

pub use words::{Event, Outcome, Reason};

/// What a line says beside event and outcome.
#[derive(Clone, Copy, Debug, Default)]
pub struct Details<'a> {
    /// Why it failed or was refused.
    pub reason: Option<Reason>,
    /// The session: its log id and the user's UUID are logged.
    pub session: Option<&'a Session>,
    /// The user's UUID, if there is no session or it could not be read.
    pub sub: Option<&'a str>,
    /// The status of the response.
    pub status: Option<u16>,
    /// Whether all sessions of the user were ended.
    pub everywhere: Option<bool>,
    /// Anything else, in fixed words and numbers.
    pub detail: Option<&'a str>,
}

impl From<Reason> for Details<'_> {
    fn from(reason: Reason) -> Self {
        Self { reason: Some(reason), ..Self::default() }
    }
}

/// Writes one line: at `error` for a failure that the visitor sees, at `warn` for one that the visitor does not see, and
/// at `info` otherwise.
pub fn write(event: Event, outcome: Outcome, details: Details<'_>) {
    let Details { reason, session, sub, status, everywhere, detail } = details;
    let (event, reason) = (event.as_str(), reason.map(Reason::as_str));
    let (id, sub) = (session.map(Session::log_id), session.map(|session| session.identity.sub.as_str()).or(sub));
    macro_rules! line {
        ($level:ident) => {
            tracing::event!(
                target: "sign_in", Level::$level,
                event, outcome = outcome.as_str(), reason, session = id, sub, status, everywhere, detail
            )
        };
    }
    match (outcome, status) {
        (Outcome::Failure, Some(_)) => line!(ERROR),
        (Outcome::Failure | Outcome::Partial, None) => line!(WARN),
        _ => line!(INFO),
    }
}

/// Writes the line of an error. Its response, or the result of the function, is made from it elsewhere.
pub fn write_error(error: &Error) {
    let row = error.row();
    let (detail, sub) = match error.kind() {
        Kind::Config(problems) => (Some(problems.to_string()), None),
        Kind::SessionTooLarge(size) => (Some(format!("{size} bytes, at most {MAX_COOKIE}")), None),
        Kind::NotAdmitted(denial) => (None, Some(denial.sub.as_str())),
        _ => (None, None),
    };
    let status = Some(row.status.as_u16());
    write(row.event, row.outcome(), Details { status, sub, detail: detail.as_deref(), ..row.reason.into() });
}

/// Starts the log of this process.
pub(crate) fn init(LogConfig { level, json }: LogConfig) {
    let lines = fmt::layer().with_writer(std::io::stdout);
    let registry = tracing_subscriber::registry().with(targets(level));
    let started = if json {
        registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
    } else {
        registry.with(lines.with_ansi(false).compact()).try_init()
    };
    // A test may have started a log of its own.
    drop(started);
    panic::set_hook(Box::new(log_panic));
}

/// Logs a panic by its place in the code: its message may repeat what a request said. Plain text on stderr would be
/// dropped where Lambda's log level is WARN or higher.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(Location::to_string);
    let (event, outcome) = (Event::Panic.as_str(), Outcome::Failure.as_str());
    tracing::event!(target: "sign_in", Level::ERROR, event, outcome, place);
}

/// The lines that are written at `level`. Other crates write from `info` up: below it, the Lambda runtime and the HTTP
/// client write whole requests and responses, and with them tokens and cookies.
pub(crate) fn targets(level: Level) -> Targets {
    let others = LevelFilter::from_level(level).min(LevelFilter::INFO);
    Targets::new()
        .with_default(others)
        // Its span would repeat the id of the request.
        .with_target("lambda_runtime", LevelFilter::ERROR)
        // It repeats the error of a function, and a panic, which have lines of ours.
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF)
        .with_target("sign_in", level)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::{config::process_environment, testing::Log};

    const NAME: &str = "log::tests::a_process_writes_no_message_of_a_panic_and_no_detail_of_other_crates";

    /// In a process of its own: tests share the hook for panics and the log.
    #[test]
    fn a_process_writes_no_message_of_a_panic_and_no_detail_of_other_crates() {
        if process_environment("STARTS_A_LOG").is_none() {
            let mut again = Command::new(std::env::current_exe().unwrap());
            let output = again.args(["--exact", NAME, "--nocapture"]).env("STARTS_A_LOG", "yes").output().unwrap();
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
            assert!(text.contains("shown") && text.contains("\"event\":\"panic\""), "{text}");
            assert!(!text.contains("canary"), "{text}");
            return;
        }
        init(LogConfig { level: Level::TRACE, json: true });
        tracing::event!(target: "hyper::proto", Level::INFO, "shown");
        tracing::event!(target: "hyper::proto", Level::DEBUG, "canary");
        tracing::event!(target: "hyper::proto", Level::TRACE, "canary");
        assert!(panic::catch_unwind(|| panic!("canary")).is_err());
    }

    #[test]
    fn a_panic_is_one_line_without_its_message() {
        let log = Log::listen();
        let before = panic::take_hook();
        panic::set_hook(Box::new(log_panic));

        let ended = panic::catch_unwind(|| panic!("canary"));

        panic::set_hook(before);
        let text = log.text();
        assert!(ended.is_err());
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("ERROR") && text.contains("event=\"panic\" outcome=\"failure\""), "{text}");
        assert!(text.contains("log.rs:") && !text.contains("canary"), "{text}");
    }

    /// Below `info` they write what was sent and received.
    #[test]
    fn other_crates_write_no_line_below_info_and_the_runtime_none_about_our_errors() {
        for level in [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE] {
            let targets = targets(level);
            assert!(targets.would_enable("sign_in", &level), "{level}");
            for other in ["hyper::proto", "reqwest::connect", "aws_smithy_runtime", "lambda_runtime::layers::trace"] {
                assert!(!targets.would_enable(other, &Level::DEBUG), "{other} at {level}");
                assert!(!targets.would_enable(other, &Level::TRACE), "{other} at {level}");
            }
            assert!(targets.would_enable("lambda_runtime", &Level::ERROR), "{level}");
            assert!(!targets.would_enable("lambda_runtime", &Level::WARN), "{level}");
            assert!(!targets.would_enable("lambda_runtime::layers::panic", &Level::ERROR), "{level}");
        }
    }

    #[test]
    fn a_line_is_at_the_level_that_its_outcome_deserves() {
        let level = |outcome, status| {
            let log = Log::listen();
            write(Event::Request, outcome, Details { status, ..Details::default() });
            log.text().split_whitespace().nth(1).unwrap_or_default().to_owned()
        };

        assert_eq!(level(Outcome::Failure, Some(503)), "ERROR");
        assert_eq!(level(Outcome::Failure, None), "WARN");
        assert_eq!(level(Outcome::Partial, None), "WARN");
        assert_eq!(level(Outcome::Refused, Some(404)), "INFO");
        assert_eq!(level(Outcome::Success, None), "INFO");
    }
}
