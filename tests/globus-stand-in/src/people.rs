//! The users who can log in. Each has a form of identity that Globus is known to send.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// A user with an account. What is `None` is null or missing in Globus's claims.
#[derive(Debug, Serialize)]
pub struct Person {
    /// The id of the user on the sign-in page and in the tests, such as `ada`.
    pub id: &'static str,
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
    /// How many identities are linked to this one. They make an ID token large.
    pub linked: u16,
}

/// All users, in the order of the sign-in page.
pub static PEOPLE: [Person; 6] = [
    Person {
        id: "ada",
        sub: "ada10ace-1815-4d60-8bdb-eeecaba85bd9",
        name: Some("Ada Lovelace"),
        username: "ada@uchicago.example",
        email: Some("ada@uchicago.example"),
        organization: Some("University of Chicago"),
        linked: 0,
    },
    Person {
        id: "sparse",
        sub: "5fa25e00-0001-4a7e-9c1d-1b7c2f1e0d01",
        name: None,
        username: "046f34a2@ucsd.example",
        email: None,
        organization: None,
        linked: 0,
    },
    Person {
        id: "twice",
        sub: "70000002-0002-4b8f-8d2e-2c8d3a2f1e02",
        name: Some("Grace Hopper"),
        username: "x@globus.org@accounts.google.com",
        email: Some("grace@navy.example"),
        organization: None,
        linked: 0,
    },
    Person {
        id: "linked",
        sub: "11a4ed00-0003-4c9a-ae3f-3d9e4b3a2f03",
        name: Some("Mary Somerville"),
        username: "mary@globusid.example",
        email: Some("mary@observatory.example"),
        organization: Some("Royal Astronomical Society"),
        linked: 20,
    },
    Person {
        id: "markup",
        sub: "3a26a900-0004-4dab-bf4a-4eaf5c4b3a04",
        name: Some(r#"<script>alert(1)</script> & "quotes" 'too'"#),
        username: "<b>bobby</b>@tables.example",
        email: Some("bobby&co@tables.example"),
        organization: Some("<i>Tables</i> & Sons"),
        linked: 0,
    },
    // The name turns the text after it round, and the username has 60 characters without a place to break.
    Person {
        id: "odd",
        sub: "0dd00000-0005-4ebc-8c5b-5fb06d5c4b05",
        name: Some("\u{202e}ecalevoL"),
        username: "a.username.of.sixty.characters.without.any.blank@odd.example",
        email: None,
        organization: Some("\u{202e}Observatory"),
        linked: 0,
    },
];

/// The identity provider of all users here: Globus ID, as in the real payload.
const IDENTITY_PROVIDER: &str = "41143743-f3c8-4d60-bbdb-eeecaba85bd9";
const IDENTITY_PROVIDER_NAME: &str = "Globus ID";

/// The scope for the linked identities.
const VIEW_IDENTITY_SET: &str = "urn:globus:auth:scope:auth.globus.org:view_identity_set";

/// The user with that id, if there is one.
pub fn find(id: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.id == id)
}

/// The Globus identity of the user with that id, if there is one.
pub fn sub(id: &str) -> Option<&'static str> {
    find(id).map(|person| person.sub)
}

impl Person {
    /// The claims about this user for an application with these scopes, both in an ID token and at the userinfo
    /// endpoint. `authenticated` is when the user last logged in, in seconds since the epoch.
    pub(crate) fn claims(&self, scopes: &[String], authenticated: u64) -> Map<String, Value> {
        let asked = |scope: &str| scopes.iter().any(|asked| asked == scope);
        let mut claims = Map::new();
        let mut say = |claim: &str, value: Value| {
            claims.insert(claim.to_owned(), value);
        };
        say("sub", self.sub.into());
        say("last_authentication", authenticated.into());
        if asked("profile") {
            say("name", self.name.into());
            say("preferred_username", self.username.into());
            say("identity_provider", IDENTITY_PROVIDER.into());
            say("identity_provider_display_name", IDENTITY_PROVIDER_NAME.into());
            if let Some(organization) = self.organization {
                say("organization", organization.into());
            }
        }
        if let Some(email) = self.email
            && asked("email")
        {
            say("email", email.into());
        }
        if self.linked > 0 || asked(VIEW_IDENTITY_SET) {
            say("identity_set", self.identity_set(authenticated));
        }
        claims
    }

    /// This identity and those linked to it. Here the username has another key than above.
    fn identity_set(&self, authenticated: u64) -> Value {
        let mut own = json!({
            "sub": self.sub,
            "name": self.name,
            "username": self.username,
            "identity_provider": IDENTITY_PROVIDER,
            "identity_provider_display_name": IDENTITY_PROVIDER_NAME,
            "email": self.email,
            "last_authentication": authenticated,
        });
        if let Some(organization) = self.organization {
            own["organization"] = organization.into();
        }
        let linked = (1..=self.linked).map(|number| {
            json!({
                "sub": format!("22b5fe00-{number:04x}-4c9a-ae3f-3d9e4b3a2f03"),
                "name": null,
                "username": format!("{}+{number}@globus.org", self.id),
                "identity_provider": IDENTITY_PROVIDER,
                "identity_provider_display_name": "Globus Staff",
                "email": format!("{}+{number}@observatory.example", self.id),
                "last_authentication": null,
            })
        });
        std::iter::once(own).chain(linked).collect()
    }
}
