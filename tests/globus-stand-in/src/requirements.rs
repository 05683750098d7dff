//! What an application requires of the user's session: the parameters `session_required_…` of an authorization request
//! (<https://docs.globus.org/api/auth/sessions/>).

use crate::{
    params::Params,
    people::{Identity, Mfa, Person},
    policies,
    session::{Authentication, Session},
};

/// What must all hold, each by one authentication of the session.
#[derive(Default)]
pub(crate) struct Requirements {
    demands: Vec<Demand>,
    /// What the application tells the user.
    pub(crate) message: Option<String>,
}

/// What one authentication must fulfil. What is empty demands nothing.
#[derive(Clone, Default)]
pub(crate) struct Demand {
    /// The UUID or the username of the identity.
    pub(crate) identity: Option<String>,
    /// The identity is of one of these domains.
    pub(crate) domains: Vec<String>,
    pub(crate) mfa: bool,
    /// The greatest age, in seconds.
    pub(crate) timeout: Option<u64>,
}

impl Requirements {
    /// Reads the parameters; `None` if a policy does not exist.
    pub(crate) fn parse(params: &Params) -> Option<Self> {
        let list = |name| split(params.get(name).unwrap_or_default());
        // Globus's SDK for Python sends `True`, the one for JavaScript `true`. Alone it demands nothing.
        let mfa = params.get("session_required_mfa").is_some_and(|mfa| mfa.eq_ignore_ascii_case("true"));
        let mut demands: Vec<Demand> = list("session_required_identities")
            .map(|identity| Demand { identity: Some(identity), mfa, ..Demand::default() })
            .collect();
        let domains: Vec<String> = list("session_required_single_domain").collect();
        if !domains.is_empty() {
            demands.push(Demand { domains, mfa, ..Demand::default() });
        }
        for policy in list("session_required_policies") {
            demands.push(policies::find(&policy)?.demand());
        }
        Some(Self { demands, message: params.get("session_message").map(str::to_owned) })
    }

    /// Whether the application requires anything.
    pub(crate) const fn any(&self) -> bool {
        !self.demands.is_empty()
    }

    /// Whether the session fulfils all of it.
    pub(crate) fn met_by(&self, session: &Session, now: u64) -> bool {
        self.demands.iter().all(|demand| demand.met_by(&session.authentications, now))
    }

    /// How the user logs in so that all of it is fulfilled; `None` if the user has no such identity.
    pub(crate) fn log_in(&self, person: &'static Person, at: u64) -> Option<Session> {
        let mut chosen: Vec<Authentication> = Vec::new();
        for demand in &self.demands {
            if let Some(chosen) = chosen.iter_mut().find(|chosen| demand.allows(chosen.identity)) {
                chosen.mfa |= demand.mfa;
                continue;
            }
            let usual = std::iter::once(person.usual());
            let identity = usual.chain(person.identities()).find(|identity| demand.allows(*identity))?;
            chosen.push(Authentication { identity, at, mfa: demand.mfa || identity.mfa == Mfa::Always });
        }
        if chosen.is_empty() {
            let identity = person.usual();
            chosen.push(Authentication { identity, at, mfa: identity.mfa == Mfa::Always });
        }
        Some(Session::new(person, chosen))
    }
}

impl Demand {
    /// Whether one of these authentications fulfils it.
    pub(crate) fn met_by(&self, authentications: &[Authentication], now: u64) -> bool {
        authentications.iter().any(|authentication| {
            self.allows(authentication.identity)
                && (authentication.mfa || !self.mfa)
                && self.timeout.is_none_or(|timeout| now < authentication.at + timeout)
        })
    }

    /// Whether the identity can fulfil it by logging in.
    fn allows(&self, identity: Identity) -> bool {
        let is_named = |name: &String| name == identity.sub || name.eq_ignore_ascii_case(identity.username);
        let is_of = |domain: &String| domain.eq_ignore_ascii_case(identity.domain());
        self.identity.as_ref().is_none_or(is_named)
            && (self.domains.is_empty() || self.domains.iter().any(is_of))
            && (identity.mfa != Mfa::Never || !self.mfa)
    }
}

/// The entries of a list with commas.
pub(crate) fn split(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned)
}
