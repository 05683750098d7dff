//! What the terminal shows of each request: one line, with the reasons that the functions have logged.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, PipeReader},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::http::{Method, StatusCode};
use serde_json::Value;
use tokio::net::unix::pipe;

/// Where the lines go.
type Show = Box<dyn Fn(&str) + Send + Sync>;

/// The requests that have no response yet, and the log of the functions.
pub(crate) struct Requests {
    log: pipe::Receiver,
    show: Show,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last line of the log, as far as it has been written.
    unfinished: Vec<u8>,
    log_is_closed: bool,
    /// What was logged during each request without a response, by its number.
    pending: BTreeMap<u64, Vec<String>>,
    begun: u64,
}

/// A request that was received. Its line is shown at the end, also if the client did not wait for the response.
pub(crate) struct Pending {
    requests: Arc<Requests>,
    number: u64,
    method: Method,
    path: String,
    /// The status of the response.
    pub(crate) status: Option<StatusCode>,
}

impl Requests {
    /// Reads the log from a pipe. Must be called in a runtime.
    pub(crate) fn new(log: PipeReader, show: Show) -> io::Result<Self> {
        Ok(Self { log: pipe::Receiver::from_owned_fd(log.into())?, show, state: Mutex::default() })
    }

    /// A request has arrived.
    pub(crate) fn begin(self: &Arc<Self>, method: &Method, path: &str) -> Pending {
        let number = self.with_the_log(|state| {
            state.begun += 1;
            state.pending.insert(state.begun, Vec::new());
            state.begun
        });
        Pending { requests: Arc::clone(self), number, method: method.clone(), path: path.to_owned(), status: None }
    }

    /// Shows what is logged while no request comes or goes, until nothing can write to the log any more.
    pub(crate) async fn listen(&self) {
        while self.log.readable().await.is_ok() && !self.with_the_log(|state| state.log_is_closed) {}
    }

    /// Reads everything that was logged before now, and only then does what is to be done with the requests. A function
    /// logs before it responds: so when its response is here, all that it has logged is in the pipe.
    fn with_the_log<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 4096];
        while let Ok(length) = self.log.try_read(&mut buffer) {
            state.unfinished.extend_from_slice(buffer.get(..length).unwrap_or_default());
            if length == 0 {
                state.log_is_closed = true;
                break;
            }
        }
        while let Some(end) = state.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<_> = state.unfinished.drain(..=end).collect();
            self.logged(&mut state, String::from_utf8_lossy(&line).trim_end());
        }
        act(&mut state)
    }

    /// A line of the log belongs to the request that has no response yet. If there are none or several, it is shown by
    /// itself: nothing in it says which one it is about.
    fn logged(&self, state: &mut State, line: &str) {
        match (reason(line), state.pending.len()) {
            (None, _) => (self.show)(line),
            (Some(reason), 1) => state.pending.values_mut().for_each(|reasons| reasons.push(reason.clone())),
            (Some(reason), _) => (self.show)(&format!("{}  {reason}", now())),
        }
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut reasons = self.requests.with_the_log(|state| state.pending.remove(&self.number)).unwrap_or_default();
        if self.status.is_none() {
            reasons.push("the client did not wait".to_owned());
        }
        let status = self.status.as_ref().map_or("---", StatusCode::as_str);
        let line = format!("{}  {:<7} {:<23} {status}  {}", now(), self.method.as_str(), self.path, reasons.join(", "));
        (self.requests.show)(line.trim_end());
    }
}

/// Why a request was refused or failed, or what else came of it, if this is a line of the functions' own log.
fn reason(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |field: &str| line[field].as_str();
    let outcome = format!("{} {}", text("event")?, text("outcome")?);
    let reason = text("reason").unwrap_or(&outcome);
    // The settings that are wrong, or where a function panicked.
    let detail = text("detail").or_else(|| text("place")).map(|detail| format!(" ({detail})"));
    Some(format!("{reason}{}", detail.unwrap_or_default()))
}

/// The time of day, such as `14:03:07Z`: in UTC, as in the functions' log.
#[expect(clippy::disallowed_methods, reason = "for the user at the terminal")]
fn now() -> String {
    time_of_day(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

fn time_of_day(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}Z", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_log_says_why_a_request_was_refused_or_what_came_of_it() {
        let said = |fields: &str| reason(&format!("{{\"level\":\"INFO\",{fields}}}"));
        let refused = r#""event":"request","outcome":"refused","reason":"not_found","status":404"#;
        let failed =
            r#""event":"request","outcome":"failure","reason":"configuration","detail":"SESSION_KEYS is missing""#;
        let panicked = r#""event":"panic","outcome":"failure","place":"functions/home/src/lib.rs:9:5""#;

        assert_eq!(said(refused).as_deref(), Some("not_found"));
        assert_eq!(
            said(r#""event":"sign_in","outcome":"success","sub":"7fb58e00""#).as_deref(),
            Some("sign_in success")
        );
        assert_eq!(said(failed).as_deref(), Some("configuration (SESSION_KEYS is missing)"));
        assert_eq!(said(panicked).as_deref(), Some("panic failure (functions/home/src/lib.rs:9:5)"));
        for other in ["", "text", "1", "{}", r#"{"message":"a line of another library","level":"INFO"}"#] {
            assert_eq!(reason(other), None, "{other}");
        }
    }

    #[test]
    fn the_time_of_day_is_in_utc() {
        assert_eq!(time_of_day(0), "00:00:00Z");
        assert_eq!(time_of_day(1_754_143_387), "14:03:07Z");
    }
}
