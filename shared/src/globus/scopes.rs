//! Which tokens the configured scopes give.

use std::time::Duration;

use crate::{
    Secret, Timestamp,
    session::{DisplayText, GLOBUS_AUTH, Identity, Session, Token},
};

/// How long tokens of Globus are, in characters. They are opaque and may become longer.
const ACCESS_TOKEN: usize = 91;
const REFRESH_TOKEN: usize = 93;

/// How long each text about a user is, in characters. Five times this is much for most users.
const NAME: usize = 25;

/// The session that a sign-in with these scopes usually gives, for its size.
pub(super) fn usual_session<'a>(scopes: impl Iterator<Item = &'a str>) -> Session {
    let text = |length| "x".repeat(length);
    let name = || DisplayText::new(&text(NAME));
    let begun = Timestamp::from_seconds(2_000_000_000);
    let token = |(service, scopes): (&str, Vec<&str>)| Token {
        resource_server: service.to_owned(),
        scope: scopes.join(" "),
        access_token: Secret::new(text(ACCESS_TOKEN)),
        refresh_token: Some(Secret::new(text(REFRESH_TOKEN))),
        received: begun,
        lifetime: Duration::from_hours(48),
    };
    let identity = Identity {
        sub: text("8c8b2a0e-0000-4000-8000-000000000001".len()),
        name: name(),
        username: name(),
        email: name(),
        organization: name(),
        provider: name(),
    };
    Session::new(text(12), identity, by_service(scopes).into_iter().map(token).collect(), begun)
}

/// The services of these scopes, each with its scopes. Their names tell it well enough to count tokens: Globus alone knows
/// that two names, such as a UUID and a host name, are those of one service.
///
/// Scopes in brackets are for services that the requested one calls: they give no token.
fn by_service<'a>(scopes: impl Iterator<Item = &'a str>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut services: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut open_brackets = 0;
    for text in scopes {
        let is_requested = open_brackets == 0;
        open_brackets = (open_brackets + text.matches('[').count()).saturating_sub(text.matches(']').count());
        let scope = text.split('[').next().unwrap_or(text);
        let service = service(scope);
        match services.iter_mut().find(|(name, _)| *name == service) {
            _ if !is_requested => {}
            Some((_, scopes)) => scopes.push(scope),
            None => services.push((service, vec![scope])),
        }
    }
    services
}

/// The service in the name of a scope: `urn:globus:auth:scope:SERVICE:NAME` or `https://auth.globus.org/scopes/SERVICE/NAME`.
/// All others, such as `openid`, are those of Globus Auth.
fn service(scope: &str) -> &str {
    let urn = scope.strip_prefix("urn:globus:auth:scope:").and_then(|rest| rest.split_once(':'));
    let url = || scope.split_once("/scopes/").and_then(|(_, rest)| rest.split_once('/'));
    urn.or_else(url).map_or(GLOBUS_AUTH, |(service, _)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_belongs_to_the_service_in_its_name() {
        let scopes = "openid urn:globus:auth:scope:auth.globus.org:view_identities \
            urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/c1/data_access[urn:x:y] \
            *https://auth.globus.org/scopes/c2/data_access] https://auth.globus.org/scopes/c1/https \
            email urn:globus:auth:scope:odd https://auth.globus.org/scopes/c1/data_access";

        let expected: [(&str, &[&str]); 3] = [
            (
                "auth.globus.org",
                &[
                    "openid",
                    "urn:globus:auth:scope:auth.globus.org:view_identities",
                    "email",
                    "urn:globus:auth:scope:odd",
                ],
            ),
            ("transfer.api.globus.org", &["urn:globus:auth:scope:transfer.api.globus.org:all"]),
            ("c1", &["https://auth.globus.org/scopes/c1/https", "https://auth.globus.org/scopes/c1/data_access"]),
        ];
        let found = by_service(scopes.split_whitespace());
        assert_eq!(found, expected.map(|(service, scopes)| (service, scopes.to_vec())));
    }
}
