//! The claims about a user, in an ID token and at the userinfo endpoint
//! (<https://docs.globus.org/api/auth/reference/#oidc_userinfo_endpoint>).

use serde_json::{Map, Value, json};

use crate::{
    people::{Identity, Person},
    provider::Settings,
    session::Session,
};

/// The scope for the linked identities.
const VIEW_IDENTITY_SET: &str = "urn:globus:auth:scope:auth.globus.org:view_identity_set";

/// The claims about the user of a session for an application with these scopes. They are those of the primary identity,
/// also if a linked one has authenticated.
pub(crate) fn of(session: &Session, scopes: &[String], settings: &Settings) -> Map<String, Value> {
    let asked = |scope: &str| scopes.iter().any(|asked| asked == scope);
    let person = session.person;
    let mut claims = Map::new();
    let mut say = |claim: &str, value: Value| {
        claims.insert(claim.to_owned(), value);
    };
    say("sub", person.sub.into());
    if asked("openid") {
        say("last_authentication", session.last_authentication(person.sub).into());
    }
    if asked("profile") {
        say("name", person.name.into());
        say("preferred_username", person.username.into());
        say("identity_provider", person.provider.id.into());
        say("identity_provider_display_name", person.provider.name.into());
        if let Some(organization) = person.organization {
            say("organization", organization.into());
        }
    }
    if let Some(email) = person.email
        && asked("email")
    {
        say("email", email.into());
    }
    if settings.identity_set && (asked("openid") || asked(VIEW_IDENTITY_SET)) {
        say("identity_set", identity_set(session));
    }
    claims
}

/// All identities of the user. Here the username has another key than above.
fn identity_set(session: &Session) -> Value {
    let entry = |identity: Identity| {
        let mut entry = described(identity);
        entry["last_authentication"] = session.last_authentication(identity.sub).into();
        entry
    };
    let more = more_linked(session.person).map(|mut entry| {
        entry["last_authentication"] = Value::Null;
        entry
    });
    session.person.identities().map(entry).chain(more).collect()
}

/// An identity, as in an identity set.
pub(crate) fn described(identity: Identity) -> Value {
    let mut entry = json!({
        "sub": identity.sub,
        "name": identity.name,
        "username": identity.username,
        "identity_provider": identity.provider.id,
        "identity_provider_display_name": identity.provider.name,
        "email": identity.email,
    });
    if let Some(organization) = identity.organization {
        entry["organization"] = organization.into();
    }
    entry
}

/// The linked identities that no user logs in with, in the same form.
pub(crate) fn more_linked(person: &'static Person) -> impl Iterator<Item = Value> {
    (1..=person.more_linked).map(|number| {
        json!({
            "sub": format!("22b5fe00-{number:04x}-4c9a-ae3f-3d9e4b3a2f03"),
            "name": null,
            "username": format!("{}+{number}@globus.org", person.id),
            "identity_provider": person.provider.id,
            "identity_provider_display_name": "Globus Staff",
            "email": format!("{}+{number}@observatory.example", person.id),
        })
    })
}
