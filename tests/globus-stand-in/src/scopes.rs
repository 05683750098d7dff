//! Scopes, and the services (resource servers) that they belong to.

/// The name of Globus Auth itself as a service.
pub(crate) const GLOBUS_AUTH: &str = "auth.globus.org";

/// A service, and the scopes of it that were requested.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// Its name as a resource server.
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
}

/// The service that a scope belongs to; `None` if Globus has no such scope.
fn resource_server(scope: &str) -> Option<&str> {
    if matches!(scope, "openid" | "profile" | "email") {
        return Some(GLOBUS_AUTH);
    }
    let (service, name) = if let Some(rest) = scope.strip_prefix("urn:globus:auth:scope:") {
        rest.split_once(':')?
    } else {
        scope.strip_prefix("https://auth.globus.org/scopes/")?.split_once('/')?
    };
    (!service.is_empty() && !name.is_empty()).then_some(service)
}

/// Splits the scopes of an authorization request; `None` if Globus has no such scope.
pub(crate) fn parse(scopes: &str) -> Option<Vec<String>> {
    let known = |scope: &str| resource_server(scope).map(|_| scope.to_owned());
    scopes.split_ascii_whitespace().map(known).collect()
}

/// The scopes by service, in the order of a token response: Globus Auth comes first with `openid`, and the service that
/// was requested first otherwise. The scopes of one service are not in the order of the request.
pub(crate) fn by_service(scopes: &[String]) -> Vec<Service> {
    let mut services: Vec<Service> = Vec::new();
    for scope in scopes {
        let Some(name) = resource_server(scope) else {
            continue;
        };
        match services.iter_mut().find(|service| service.name == name) {
            Some(service) => service.scopes.insert(0, scope.clone()),
            None => services.push(Service { name: name.to_owned(), scopes: vec![scope.clone()] }),
        }
    }
    if scopes.iter().any(|scope| scope == "openid") {
        // Stable: the others keep their order.
        services.sort_by_key(|service| service.name != GLOBUS_AUTH);
    }
    services
}
