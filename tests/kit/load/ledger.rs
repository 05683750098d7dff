//! What became of every token that Globus has given: read from what goes by on the path to it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use globus_stand_in::StandIn;
use serde_json::Value;
use url::form_urlencoded;

use crate::http::{Request, Response};

use super::{call::Call, locked};

/// The tokens for one service in one token response.
#[derive(Debug)]
struct Issued {
    access: String,
    refresh: String,
    call: Arc<Call>,
    /// Whether the response has reached the function.
    arrived: bool,
}

/// What became of a session, as far as its browser can tell.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// Logged out, by this call.
    LoggedOut(Arc<Call>),
    /// Logged out while the table did not respond: the page said that its tokens are not revoked.
    TableDown,
    /// Another sign-in of the same user in the same browser has taken its place, which revokes nothing.
    Replaced,
    /// Ended from another browser, which does not have its tokens.
    EndedElsewhere,
    /// The process that was to end it was killed.
    Killed,
}

/// Why tokens may be left alive, with their number.
pub type Left = BTreeMap<&'static str, usize>;

/// All tokens, and all that was asked about them.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    issued: Mutex<Vec<Issued>>,
    revocations: Mutex<HashMap<String, Vec<Arc<Call>>>>,
    fates: Mutex<HashMap<String, Fate>>,
}

impl Ledger {
    /// Notes a request of a call to Globus, and the response where the request was passed on.
    pub(super) fn note(&self, call: Option<&Arc<Call>>, request: &Request, response: Option<&Response>, arrives: bool) {
        let Some(call) = call else { return };
        let form = || form_urlencoded::parse(request.body.as_bytes());
        if request.target.ends_with("/revoke") {
            let token = form().find(|(name, _)| name == "token").map(|(_, token)| token.into_owned());
            locked(&self.revocations).entry(token.unwrap_or_default()).or_default().push(Arc::clone(call));
        } else if let Some(response) = response.filter(|_| request.target.ends_with("/token")) {
            let said: Value = serde_json::from_str(&response.body).unwrap_or_default();
            let others = said["other_tokens"].as_array().into_iter().flatten();
            let text = |token: &Value, name: &str| token[name].as_str().unwrap_or_default().to_owned();
            let tokens = std::iter::once(&said).chain(others).filter(|token| token["access_token"].is_string());
            locked(&self.issued).extend(tokens.map(|token| Issued {
                access: text(token, "access_token"),
                refresh: text(token, "refresh_token"),
                call: Arc::clone(call),
                arrived: arrives,
            }));
        }
    }

    /// Notes what became of the session that this call has begun.
    pub(super) fn ended(&self, sign_in: String, fate: Fate) {
        locked(&self.fates).insert(sign_in, fate);
    }

    /// How many tokens were given.
    pub(super) fn given(&self) -> usize {
        locked(&self.issued).len()
    }

    /// The tokens that are still alive although every session has ended: how many for each reason, and a sentence for each
    /// that has none.
    pub(super) fn left(&self, globus: &StandIn) -> (Left, Vec<String>) {
        let issued = locked(&self.issued);
        // The tokens of one service in one session have the same refresh token, in the order in which they were given.
        let mut families: BTreeMap<&str, Vec<&Issued>> = BTreeMap::new();
        for tokens in issued.iter() {
            families.entry(&tokens.refresh).or_default().push(tokens);
        }
        let (mut left, mut unexplained, mut named) = (Left::new(), Vec::new(), HashMap::new());
        let mut alive = Vec::new();
        for (refresh, family) in &families {
            let Some(first) = family.first() else { continue };
            let accesses = family.iter().map(|tokens| (*tokens, tokens.access.as_str()));
            let tokens = accesses.chain([(*first, *refresh)]).filter(|(_, token)| !globus.is_revoked(token));
            alive.extend(tokens.map(|(tokens, token)| (tokens, token, first, family)));
        }
        // First those that Globus was asked about: what the log says of a call is of them.
        alive.retain(|(tokens, token, first, _)| {
            let Some(asked) = locked(&self.revocations).get(*token).cloned() else { return true };
            let reason = self.reason(tokens, &first.call.id, &asked, &mut named);
            reason.inspect(|reason| *left.entry(*reason).or_default() += 1).is_none()
        });
        // The session had one access token of a service at a time. The others of a renewed session are left to expire.
        let mut settled: BTreeSet<_> =
            families.iter().filter(|(_, family)| self.was_asked_about(family)).map(|(refresh, _)| *refresh).collect();
        for (tokens, token, first, family) in alive {
            let is_replaced = family.len() > 1 && token == tokens.access && settled.contains(tokens.refresh.as_str());
            let replaced = is_replaced.then_some("a renewal gave another one, and it expires soon");
            match replaced.or_else(|| self.reason(tokens, &first.call.id, &[], &mut named)) {
                Some(reason) => {
                    *left.entry(reason).or_default() += 1;
                    if token == tokens.access {
                        settled.insert(&tokens.refresh);
                    }
                }
                None => unexplained.push(format!(
                    "A token is left alive. It was given to {}; its session began with {}, and became {:?}",
                    tokens.call,
                    first.call,
                    locked(&self.fates).get(&first.call.id)
                )),
            }
        }
        (left, unexplained)
    }

    /// Whether an access token of these was to be revoked.
    fn was_asked_about(&self, family: &[&Issued]) -> bool {
        family.iter().any(|tokens| locked(&self.revocations).contains_key(&tokens.access))
    }

    /// Why a token may be left that these calls were to revoke. `named` counts how many each call has left: no more than its
    /// line in the log says.
    fn reason(
        &self,
        tokens: &Issued,
        sign_in: &str,
        asked: &[Arc<Call>],
        named: &mut HashMap<String, usize>,
    ) -> Option<&'static str> {
        if !tokens.arrived {
            return Some("the response with it was lost");
        }
        let fate = locked(&self.fates).get(sign_in).cloned();
        let logout = if let Some(Fate::LoggedOut(call)) = &fate { Some(call) } else { None };
        let calls: Vec<_> = asked.iter().chain(logout).chain([&tokens.call]).collect();
        for call in &calls {
            let named = named.entry(call.id.clone()).or_default();
            if *named < call.not_revoked() {
                *named += 1;
                return Some("Globus did not revoke it, and the log says so");
            }
        }
        if calls.iter().any(|call| call.died()) {
            return Some(KILLED);
        }
        match fate? {
            Fate::LoggedOut(_) => None,
            Fate::Killed => Some(KILLED),
            Fate::TableDown => Some("the table was down, and the page says so"),
            Fate::Replaced => Some("another sign-in in the same browser took the place of its session"),
            Fate::EndedElsewhere => Some("its session was ended from another browser"),
        }
    }
}

const KILLED: &str = "the process that was to revoke it was killed";
