//! A user with two browsers, from sign-in to logout, again and again; what must be true of every response; and what the
//! user does next, which the seed decides.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use fastrand::Rng;
use globus_stand_in::people::Person;
use tokio::runtime;

use super::{
    action::{Action, Cookies},
    browser::Browser,
    call::Call,
    fault::chance,
    fleet::{Fleet, Outcome, SITE},
    ledger::Fate,
    sight::{Sight, unexplained},
    totals::Totals,
};

/// How long what went wrong can show in another request: a lease that is not given back, and the skew of clocks.
const TROUBLE_SECONDS: u64 = 60;

/// How often a page may send a browser to the renewal and get it back. Tokens here live so short that an instance whose clock
/// is behind can take them for just renewed.
const MOST_ROUNDS: u32 = 4;

/// The browser in which the user logs in and out often, and the one in which the user stays logged in for so long that the
/// tokens are to be renewed.
const OFTEN: usize = 0;
const SELDOM: usize = 1;

/// What came of an action.
struct Answer {
    action: Action,
    call: Arc<Call>,
    outcome: Outcome,
}

/// A user.
pub(super) struct User<'a> {
    fleet: &'a Fleet,
    person: &'static Person,
    number: usize,
    rng: Rng,
    calls: u64,
    pause: Duration,
    browsers: [Browser; 2],
    /// Cookies from before a logout. In a table, they open nothing any more.
    copies: Vec<Cookies>,
    trouble: Option<Instant>,
    pub(super) totals: Totals,
}

impl<'a> User<'a> {
    /// A user who waits for so long between two actions, on average.
    pub(super) fn new(
        fleet: &'a Fleet,
        (number, person): (usize, &'static Person),
        seed: u64,
        pause: Duration,
    ) -> Self {
        let rng = chance(&[seed, u64::MAX, u64::try_from(number).unwrap_or_default()]);
        let (browsers, copies) = Default::default();
        let totals = Totals::default();
        Self { fleet, person, number, rng, calls: 0, pause, browsers, copies, trouble: None, totals }
    }

    /// Lives until so many calls are done.
    pub(super) fn live(&mut self, calls: u64) {
        while self.calls < calls {
            self.sign_in_if_need_be(OFTEN);
            for _ in 0..self.rng.u32(3..16) {
                self.act(OFTEN);
            }
            self.log_out(OFTEN);

            self.sign_in_if_need_be(SELDOM);
            for _ in 0..self.rng.u32(2..8) {
                self.act(SELDOM);
            }
            if self.rng.u32(0..100) == 0 {
                self.log_out(SELDOM);
            }
        }
    }

    /// The cookies of the first browser.
    pub(super) fn cookies(&self) -> Cookies {
        self.browsers[OFTEN].cookies.clone()
    }

    /// Without faults, looks whether every session lives that should, and logs out.
    pub(super) fn finish(&mut self) {
        for browser in 0..2 {
            self.page(browser);
            let answer = self.ask(browser, Action::LogOut { everywhere: false });
            if self.sight(&answer) != (Sight::Done { session_left: false, others_left: false }) {
                self.problem("a logout without faults is not complete", &answer);
            }
            self.page(browser);
        }
    }

    /// Begins another life, in which the user is logged in. At most one logout of before is marked in the cookies: marks are
    /// ahead of the clock, and no user logs in and out many times in a second.
    fn sign_in_if_need_be(&mut self, browser: usize) {
        if !self.browsers[browser].is_out() {
            return;
        }
        if self.browsers[browser].lives > 1 || self.rng.bool() {
            self.browsers[browser] = Browser::default();
        }
        self.browsers[browser].lives += 1;
        self.sign_in(browser);
    }

    /// Signs in, at times in two tabs at once.
    pub(super) fn sign_in(&mut self, browser: usize) {
        let tabs = if self.rng.u32(0..8) == 0 { 2 } else { 1 };
        let begun = self.at_once(browser, vec![Action::Begin; tabs]);
        let mut callbacks = Vec::new();
        for answer in begun {
            self.learn(browser, &answer);
            if let Outcome::Page(page) = &answer.outcome
                && page.status == 302
            {
                let url = page.header("location").replace(&self.fleet.globus_url, self.fleet.globus.url());
                match self.choose(&url) {
                    Ok(callback) => callbacks.push(callback.strip_prefix(SITE).unwrap_or(&callback).to_owned()),
                    Err(text) => self.problem(&format!("Globus does not accept it: {text}"), &answer),
                }
            }
        }
        let completed = self.at_once(browser, callbacks.into_iter().map(Action::Callback).collect());
        for answer in completed {
            self.learn(browser, &answer);
        }
    }

    /// What the user does at Globus.
    fn choose(&self, url: &str) -> Result<String, String> {
        let runtime = runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
        runtime.block_on(self.fleet.globus.sign_in(url, self.person.id))
    }

    /// Does anything that a user does who is logged in.
    fn act(&mut self, browser: usize) {
        thread::sleep(self.pause.mul_f64(2.0 * self.rng.f64()));
        match self.rng.u32(0..100) {
            0..50 => self.page(browser),
            50..62 => drop(self.ask(browser, Action::Guarded)),
            62..70 => drop(self.ask(browser, Action::Visit)),
            70..76 => drop(self.ask(browser, Action::Who)),
            76..82 => drop(self.ask(browser, Action::Renew)),
            82..86 => drop(self.ask(browser, Action::RenewByScript)),
            86..94 => {
                let all =
                    [Action::Page, Action::Renew, Action::Guarded, Action::RenewByScript, Action::Visit, Action::Who];
                let tabs = self.rng.usize(2..5);
                let actions = (0..tabs).map(|_| all[self.rng.usize(0..all.len())].clone()).collect();
                for answer in self.at_once(browser, actions) {
                    self.learn(browser, &answer);
                }
            }
            94..95 => self.sign_in(browser),
            _ => self.look_with_a_copy(),
        }
    }

    /// Opens the home page, and follows where it leads.
    fn page(&mut self, browser: usize) {
        let answer = self.ask(browser, Action::Page);
        match self.sight(&answer) {
            Sight::Due => self.renew(browser, &answer),
            Sight::Late => {
                // What brought the session back has tokens, and they are revoked here.
                let done = |user: &mut Self| {
                    let answer = user.ask(browser, Action::LoggedOut);
                    user.sight(&answer) == Sight::LoggedOut
                };
                if !(0..10).any(|_| done(self)) {
                    self.problem("a logout is never completed", &answer);
                }
            }
            _ => {}
        }
    }

    /// Goes to the renewal, and back to the instance that has sent the browser there. It must not do so again and again.
    fn renew(&mut self, browser: usize, sent: &Answer) {
        for _ in 0..MOST_ROUNDS {
            let renewed = self.ask(browser, Action::Renew);
            let call = self.call_of(&Action::Page, Some(sent.call.instance));
            let again = send(self.fleet, call, Action::Page, &self.browsers[browser].cookies);
            self.learn(browser, &again);
            let is_good = self.sight(&renewed) == Sight::OnTheWay && !self.had_trouble();
            if !is_good || self.sight(&again) != Sight::Due {
                return;
            }
        }
        self.problem("the page and the renewal send the browser round in a circle", sent);
    }

    fn look_with_a_copy(&mut self) {
        if self.copies.is_empty() || !self.fleet.has_table() {
            return;
        }
        let copy = self.copies.swap_remove(self.rng.usize(0..self.copies.len()));
        self.opens_nothing(&copy, "a copy of the cookies from before a logout opens the session");
    }

    fn log_out(&mut self, browser: usize) {
        let before = self.browsers[browser].cookies.clone();
        let everywhere = self.fleet.has_table() && self.rng.u32(0..30) == 0;
        let logout = Action::LogOut { everywhere };
        if self.rng.u32(0..4) == 0 {
            // The other tabs' responses come last, whatever they bring.
            let all = self.at_once(browser, vec![logout, Action::Renew, Action::Guarded]);
            for (number, answer) in all.iter().enumerate() {
                self.check(answer);
                if number == 0 {
                    self.learn_of_session(browser, answer);
                } else if let Outcome::Page(page) = &answer.outcome {
                    self.browsers[browser].receive(page);
                }
            }
        } else {
            self.ask(browser, logout);
            let late = self.browsers[browser].with_session_of(&before);
            // Where the table did not respond, the session is not ended, as the page says.
            let has_ended = self.copies.last() == Some(&before);
            if has_ended && !before.is_empty() {
                self.opens_nothing(&late, "a late response brings a session back");
            }
        }
        self.page(browser);
    }

    /// Opens the home page with cookies that must not open a session any more.
    fn opens_nothing(&mut self, cookies: &Cookies, otherwise: &str) {
        let call = self.call(&Action::Page);
        let answer = send(self.fleet, call, Action::Page, cookies);
        self.check(&answer);
        if matches!(self.sight(&answer), Sight::LoggedIn | Sight::Due | Sight::Expired) {
            self.problem(otherwise, &answer);
        }
    }

    /// Does one thing after the other.
    fn ask(&mut self, browser: usize, action: Action) -> Answer {
        let call = self.call(&action);
        let answer = send(self.fleet, call, action, &self.browsers[browser].cookies);
        self.learn(browser, &answer);
        answer
    }

    /// Does several things at once, each with the cookies of before.
    fn at_once(&mut self, browser: usize, actions: Vec<Action>) -> Vec<Answer> {
        let calls: Vec<_> = actions.into_iter().map(|action| (self.call(&action), action)).collect();
        let (fleet, cookies) = (self.fleet, &self.browsers[browser].cookies);
        thread::scope(|scope| {
            let tab = |(call, action)| scope.spawn(move || send(fleet, call, action, cookies));
            let tabs: Vec<_> = calls.into_iter().map(tab).collect();
            tabs.into_iter().filter_map(|tab| tab.join().ok()).collect()
        })
    }

    fn call(&mut self, action: &Action) -> Arc<Call> {
        self.call_of(action, None)
    }

    /// The next call, of this instance or of any.
    fn call_of(&mut self, action: &Action, instance: Option<usize>) -> Arc<Call> {
        self.calls += 1;
        Arc::new(self.fleet.call(self.number, self.calls, action.function(), instance))
    }

    fn learn(&mut self, browser: usize, answer: &Answer) {
        self.check(answer);
        self.learn_of_session(browser, answer);
    }

    /// What must be true of every response.
    fn check(&mut self, answer: &Answer) {
        if answer.call.has_any_fault() || answer.call.is_slow() {
            self.trouble = Some(Instant::now());
        }
        self.totals.count(&answer.action, &answer.outcome, &answer.call);
        if let Some(why) = unexplained(&answer.outcome, &answer.call, self.had_trouble()) {
            self.problem(&why, answer);
        }
        match Sight::of(&answer.action, &answer.outcome, &answer.call, self.person) {
            Ok(Sight::Odd) => self.problem("the response is none that belongs here", answer),
            Ok(_) => {}
            Err(why) => self.problem(&why, answer),
        }
    }

    fn sight(&self, answer: &Answer) -> Sight {
        Sight::of(&answer.action, &answer.outcome, &answer.call, self.person).unwrap_or(Sight::Odd)
    }

    fn had_trouble(&self) -> bool {
        self.trouble.is_some_and(|since| since.elapsed().as_secs() < TROUBLE_SECONDS)
    }

    fn learn_of_session(&mut self, browser: usize, answer: &Answer) {
        let (ledger, sight) = (&self.fleet.ledger, self.sight(answer));
        let before = self.browsers[browser].cookies.clone();
        let begins = match &answer.outcome {
            Outcome::Page(page) => self.browsers[browser].receive(page),
            _ => false,
        };
        match (&answer.action, sight) {
            (Action::Callback(_), _) if begins => self.browsers[browser].logged_in(&answer.call, ledger),
            (Action::Callback(_) | Action::LogOut { everywhere: false }, Sight::Failed) if answer.call.died() => {
                self.browsers[browser].may_have_ended(Fate::Killed);
            }
            (Action::LogOut { everywhere: true }, Sight::Failed) if answer.call.died() => {
                for browser in &mut self.browsers {
                    browser.may_have_ended(Fate::Killed);
                }
            }
            (Action::LogOut { everywhere }, Sight::Done { session_left, others_left }) => {
                self.browsers[browser].logged_out(&answer.call, session_left, ledger);
                match (everywhere, session_left || others_left) {
                    (true, true) => self.browsers[1 - browser].may_have_ended(Fate::EndedElsewhere),
                    (true, false) => self.browsers[1 - browser].end(Fate::EndedElsewhere, ledger),
                    (false, _) => {}
                }
                if !session_left {
                    self.copies.push(before);
                }
            }
            _ => {
                let learned = self.browsers[browser].learn(sight);
                learned.unwrap_or_else(|what| self.problem(what, answer));
            }
        }
    }

    fn problem(&self, what: &str, answer: &Answer) {
        let shown = match &answer.outcome {
            Outcome::Page(page) => format!("{} {}", page.status, page.header("location")),
            Outcome::Verdict(verdict) => verdict.to_string(),
            Outcome::Nothing(why) => why.clone(),
        };
        self.fleet.problem(format!("{what}: {:?} gives {shown}; {}", answer.action, answer.call));
    }
}

fn send(fleet: &Fleet, call: Arc<Call>, action: Action, cookies: &Cookies) -> Answer {
    let outcome = fleet.carry_out(&call, &action.event(cookies));
    Answer { action, call, outcome }
}
