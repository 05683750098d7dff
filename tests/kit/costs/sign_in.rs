//! A sign-in at the packaged login function: which requests to Globus it waits for, one after the other.

use std::time::{Duration, Instant};

use globus_stand_in::{Endpoint, Exchange, Fault, groups::BEAMLINE};
use serde_json::Value;

use crate::{
    Result,
    costs::{Bench, SITE, event, figures::Row, program::Running, text},
};

/// How long Globus takes for each response: longer than a function takes to send the next request.
const DELAY: Duration = Duration::from_millis(500);

/// What a function may send a request to during a sign-in.
const ENDPOINTS: [Endpoint; 6] =
    [Endpoint::Token, Endpoint::Jwks, Endpoint::Introspect, Endpoint::MyGroups, Endpoint::Userinfo, Endpoint::Revoke];

/// A user whom these rules let in, and the rules.
const WITH_RULES: (&str, &[(&str, &str)]) =
    ("member", &[("ALLOWED_GROUPS", BEAMLINE), ("MAX_AUTHENTICATION_MINUTES", "60")]);

/// What a sign-in did.
#[derive(Debug)]
pub struct Trace {
    /// What kind of sign-in it was.
    pub name: &'static str,
    begun: Instant,
    took: Duration,
    exchanges: Vec<Exchange>,
}

impl Bench {
    /// A sign-in of a first visitor, without access rules and with them.
    pub async fn traces(&self) -> Result<Vec<Trace>> {
        let (member, rules) = WITH_RULES;
        Ok(vec![
            self.trace("a sign-in", "ada", &[]).await?,
            self.trace("a sign-in with access rules", member, rules).await?,
        ])
    }

    async fn trace(&self, name: &'static str, person: &str, rules: &[(&str, &str)]) -> Result<Trace> {
        let rules = rules.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut login = self.program("login")?.with(rules).start(&[])?;
        let callback = self.begin(&mut login, person).await?;
        for endpoint in ENDPOINTS {
            self.stand_in.fault(endpoint, Fault::Delay(DELAY));
        }
        let before = self.stand_in.exchanges().len();
        let begun = Instant::now();
        let completed = login.response_to(&callback);
        let took = begun.elapsed();
        self.stand_in.clear_faults();
        session(&completed?)?;
        Ok(Trace { name, begun, took, exchanges: self.stand_in.exchanges().split_off(before) })
    }

    /// Signs a user in; gives the session cookie.
    pub(super) async fn sign_in(&self, login: &mut Running) -> Result<Vec<String>> {
        let callback = self.begin(login, "ada").await?;
        session(&login.response_to(&callback)?)
    }

    /// How many instructions it takes to complete the first sign-in of a process.
    pub async fn instructions_to_complete(&self) -> Result<u64> {
        let login = self.program("login")?;
        let (mut begun, mut completed) = (login.start_to_count()?, login.start_to_count()?);
        self.begin(&mut begun, "ada").await?;
        self.sign_in(&mut completed).await?;
        Ok(completed.instructions()?.saturating_sub(begun.instructions()?))
    }

    /// Begins a sign-in, and logs a user in at Globus; gives the event of the browser that comes back.
    async fn begin(&self, login: &mut Running, person: &str) -> Result<String> {
        let response = login.response_to(&event("/login", &[]))?;
        let begun: Value = serde_json::from_str(&response).map_err(|error| format!("{error}: {response}"))?;
        let callback = self.stand_in.sign_in(text(&begun["headers"]["location"]), person).await?;
        let path = callback.strip_prefix(SITE).ok_or_else(|| format!("{callback} is not at {SITE}."))?;
        Ok(event(path, &cookies(&begun)))
    }
}

/// The session cookie that a response sets.
fn session(response: &str) -> Result<Vec<String>> {
    let completed: Value = serde_json::from_str(response).map_err(|error| format!("{error}: {response}"))?;
    let cookies = cookies(&completed);
    if cookies.is_empty() { Err(format!("The sign-in fails: {completed}")) } else { Ok(cookies) }
}

/// The cookies that a response sets, without those that it removes.
fn cookies(response: &Value) -> Vec<String> {
    let set = response["cookies"].as_array().into_iter().flatten();
    let pairs = set.filter_map(|cookie| text(cookie).split(';').next()?.split_once('='));
    pairs.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}")).collect()
}

impl Trace {
    /// The requests to Globus, and how many of them were waited for one after the other.
    pub fn row(&self) -> Row {
        let figures = [self.exchanges.len(), in_sequence(&self.exchanges)];
        Row { name: self.name.to_owned(), figures: figures.map(|count| count as u64).into() }
    }

    /// A line for each request.
    pub fn text(&self) -> String {
        let since = |time: Instant| time.saturating_duration_since(self.begun).as_millis();
        let lines = self.exchanges.iter().map(|exchange| {
            let responded = exchange.responded.map_or_else(|| "never".to_owned(), |time| since(time).to_string());
            format!("\n   {:>6} ms to {responded:>5} ms  {:?}", since(exchange.arrived), exchange.endpoint)
        });
        let (name, delay, took) = (self.name, DELAY.as_millis(), self.took.as_millis());
        let head = format!("{name}, where Globus takes {delay} ms for each response: {took} ms from the callback on");
        format!("{head}{}", lines.collect::<String>())
    }
}

/// How many exchanges have come one after the other: the most of which each has begun after the one before had ended.
fn in_sequence(exchanges: &[Exchange]) -> usize {
    let mut ended: Vec<_> = exchanges.iter().filter_map(|one| Some((one.responded?, one.arrived))).collect();
    ended.sort();
    let mut last = None;
    let mut count = 0;
    for (responded, arrived) in ended {
        if last.is_none_or(|last| arrived >= last) {
            last = Some(responded);
            count += 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waits_for_another_response_is_in_sequence() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let of = |times: &[(u64, u64)]| {
            let exchange = |(arrived, responded): &(u64, u64)| Exchange {
                endpoint: Endpoint::Token,
                arrived: at(*arrived),
                responded: Some(at(*responded)),
            };
            in_sequence(&times.iter().map(exchange).collect::<Vec<_>>())
        };

        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[(0, 500)]), 1);
        assert_eq!(of(&[(0, 500), (1, 501)]), 1, "side by side");
        assert_eq!(of(&[(0, 500), (501, 1001)]), 2, "one after the other");
        assert_eq!(of(&[(0, 500), (1, 501), (502, 1002), (503, 1003)]), 2);
        assert_eq!(of(&[(0, 1600), (1, 501), (502, 1002), (1003, 1503)]), 3, "three beside a long one");
    }
}
