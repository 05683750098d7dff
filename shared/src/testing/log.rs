//! The log of a test, for assertions.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::Once,
};

use tracing_subscriber::{fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::log::targets;

thread_local! {
    /// Each test runs on a thread of its own.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is logged on this thread from now on, as with `LOG_LEVEL=trace`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Log;

impl Log {
    /// Starts to collect.
    pub fn listen() -> Self {
        // One subscriber for the whole process: `tracing` remembers for each call whether a subscriber wants it.
        static START: Once = Once::new();
        START.call_once(|| {
            let lines = fmt::layer().with_ansi(false).with_writer(|| Lines);
            let registry = tracing_subscriber::registry().with(targets(tracing::Level::TRACE));
            registry.with(lines).init();
        });
        LINES.with_borrow_mut(Vec::clear);
        Self
    }

    /// What was logged so far.
    pub fn text(&self) -> String {
        LINES.with_borrow(|lines| String::from_utf8_lossy(lines).into_owned())
    }

    /// Asserts that the log contains none of these secrets.
    #[track_caller]
    pub fn assert_lacks<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) {
        let text = self.text();
        for secret in secrets {
            assert!(!secret.is_empty() && !text.contains(secret), "{secret:?} in the log:\n{text}");
        }
    }

    /// Asserts that the log names `reason` exactly once.
    #[track_caller]
    pub fn assert_reason(&self, reason: &str) {
        let text = self.text();
        let named = text.matches(&format!("reason=\"{reason}\"")).count();
        assert_eq!(named, 1, "{reason:?} in the log:\n{text}");
    }
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
