//! The session of a user at the stand-in: which identities have authenticated, when, and how
//! (<https://docs.globus.org/api/auth/sessions/>).

use crate::{
    people::{Identity, Person},
    random,
};

/// A session. A token keeps the session as it was when the user agreed.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// A UUID.
    pub(crate) id: String,
    pub(crate) person: &'static Person,
    /// One for each identity that has authenticated: its latest.
    pub(crate) authentications: Vec<Authentication>,
}

/// That an identity has authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Authentication {
    pub(crate) identity: Identity,
    /// Seconds since the epoch.
    pub(crate) at: u64,
    /// Whether there was a second factor.
    pub(crate) mfa: bool,
}

impl Session {
    /// A session that begins with these authentications.
    pub(crate) fn new(person: &'static Person, authentications: Vec<Authentication>) -> Self {
        Self { id: random::uuid(), person, authentications }
    }

    /// The session in which the user has authenticated once more. Another user begins a new one.
    pub(crate) fn after(before: Option<Self>, now: Self) -> Self {
        let Some(mut session) = before.filter(|before| before.person.id == now.person.id) else { return now };
        let again = |sub| now.authentications.iter().any(|authentication| authentication.identity.sub == sub);
        session.authentications.retain(|authentication| !again(authentication.identity.sub));
        session.authentications.extend(now.authentications);
        session
    }

    /// When this identity has last authenticated in the session, if it has.
    pub(crate) fn last_authentication(&self, sub: &str) -> Option<u64> {
        let of = self.authentications.iter().find(|authentication| authentication.identity.sub == sub);
        of.map(|authentication| authentication.at)
    }
}
