//! The log: one line for each thing worth knowing, as JSON where Lambda collects it and as text on a terminal.

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::LogConfig;

/// The crates that may write more than `info`. Below it the Lambda runtime and the HTTP client write out requests and
/// answers, and with them tokens and cookies.
const OURS: [&str; 7] = ["home", "home_cookie", "login", "login_cookie", "logout", "logout_cookie", "shared"];

/// Starts the log. Without a configuration it is text from `info` up.
pub(crate) fn init(config: Option<LogConfig>) {
    let LogConfig { level, json } = config.unwrap_or(LogConfig { level: Level::INFO, json: false });
    let lines = fmt::layer().with_writer(std::io::stdout);
    let registry = tracing_subscriber::registry().with(targets(level));
    let started = if json {
        registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init()
    } else {
        registry.with(lines.with_ansi(false).compact()).try_init()
    };
    // A test may have started a log of its own.
    drop(started);
}

/// What is logged at `level`.
pub(crate) fn targets(level: Level) -> Targets {
    let others = LevelFilter::from_level(level).min(LevelFilter::INFO);
    let ours = OURS.map(|target| (target, level));
    // The runtime's span would say once more which request a line belongs to.
    Targets::new().with_default(others).with_target("lambda_runtime", LevelFilter::ERROR).with_targets(ours)
}
