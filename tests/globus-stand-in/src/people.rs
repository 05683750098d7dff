//! The users who can log in. Each has a form of identity that Globus is known to send, or is a case for access rules.

mod cast;

use serde::Serialize;

pub use cast::{LAB, PEOPLE};

/// A user with an account. The fields of the primary identity are those of the user: logging in with a linked identity
/// does not change them. What is `None` is null or missing in Globus's claims.
#[derive(Debug, Serialize)]
pub struct Person {
    /// The id of the user on the sign-in page and in the tests, such as `ada`.
    pub id: &'static str,
    /// What makes the user a case for access rules; `None` for the usual users.
    pub case: Option<&'static str>,
    /// The Globus identity, a UUID that never changes.
    pub sub: &'static str,
    /// The name on the account; null when there is none.
    pub name: Option<&'static str>,
    /// `preferred_username`, which is not always an e-mail address.
    pub username: &'static str,
    /// The e-mail address; missing when there is none.
    pub email: Option<&'static str>,
    /// The organization; missing when there is none.
    pub organization: Option<&'static str>,
    /// Who issued the primary identity.
    #[serde(skip)]
    pub provider: IdentityProvider,
    /// Whether the primary identity logs in with a second factor.
    #[serde(skip)]
    pub mfa: Mfa,
    /// The linked identities that the user can log in with.
    #[serde(skip)]
    pub linked: &'static [Linked],
    /// How many more identities are linked that no user logs in with. They make an ID token large.
    #[serde(skip)]
    pub more_linked: u16,
}

/// An identity that is linked to the primary one of a user.
#[derive(Debug)]
pub struct Linked {
    /// The identity itself.
    pub identity: Identity,
    /// Whether the user logs in with this one unless the application requires another.
    pub usual: bool,
}

/// One identity, primary or linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The UUID.
    pub sub: &'static str,
    /// The username, with the domain at its end.
    pub username: &'static str,
    /// The name.
    pub name: Option<&'static str>,
    /// The e-mail address, which proves nothing.
    pub email: Option<&'static str>,
    /// The organization.
    pub organization: Option<&'static str>,
    /// Who issued it.
    pub provider: IdentityProvider,
    /// Whether it logs in with a second factor.
    pub mfa: Mfa,
}

/// Who issues identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentityProvider {
    /// The UUID.
    pub id: &'static str,
    /// The name that is shown.
    pub name: &'static str,
}

/// When an identity logs in with a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mfa {
    /// Its provider has none.
    Never,
    /// Only if the application requires it.
    WhenRequired,
    /// Always.
    Always,
}

/// The user with that id, if there is one.
pub fn find(id: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id)
}

/// The Globus identity of the user with that id, if there is one.
pub fn sub(id: &str) -> Option<&'static str> {
    find(id).map(|person| person.sub)
}

impl Person {
    /// The identity that has the fields of the user.
    pub const fn primary(&self) -> Identity {
        Identity {
            sub: self.sub,
            username: self.username,
            name: self.name,
            email: self.email,
            organization: self.organization,
            provider: self.provider,
            mfa: self.mfa,
        }
    }

    /// Every identity that the user can log in with, in the order of the identity set: the primary one first.
    pub fn identities(&self) -> impl Iterator<Item = Identity> {
        std::iter::once(self.primary()).chain(self.linked.iter().map(|linked| linked.identity))
    }

    /// The identity that the user logs in with if the application requires none.
    pub fn usual(&self) -> Identity {
        let usual = self.linked.iter().find(|linked| linked.usual);
        usual.map_or(self.primary(), |linked| linked.identity)
    }
}

impl Identity {
    /// The domain: what is after the last `@` of the username. `x@globus.org@accounts.google.com` is Google's.
    pub fn domain(&self) -> &'static str {
        self.username.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}
