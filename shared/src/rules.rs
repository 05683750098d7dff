//! The access rules, applied to what Globus says about a user. Only the login function does so.
//!
//! What Globus says is compared as it was sent, and never as it is displayed. What is absent, is no text, or contradicts
//! itself fulfils no rule. An e-mail address counts nowhere: users can choose it.

use serde::Serialize;

use crate::{
    Timestamp,
    config::AccessRules,
    globus::{Facts, Introspection, Membership},
    log::Reason,
    session::Admission,
};

/// A rule that a user does not fulfil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// `ALLOWED_DOMAINS`
    Domains,
    /// `ALLOWED_GROUPS`
    Groups,
    /// `REQUIRED_POLICIES`
    Policies,
    /// `MAX_AUTHENTICATION_MINUTES`
    Age,
}

impl Unmet {
    /// The name of the rule, as the settings have it, and its word in the log.
    const fn words(self) -> (&'static str, Reason) {
        match self {
            Self::Domains => ("ALLOWED_DOMAINS", Reason::DomainNotAllowed),
            Self::Groups => ("ALLOWED_GROUPS", Reason::NotInGroup),
            Self::Policies => ("REQUIRED_POLICIES", Reason::PolicyNotMet),
            Self::Age => ("MAX_AUTHENTICATION_MINUTES", Reason::LoginTooOld),
        }
    }
}

/// Why a user may not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rules that the user does not fulfil, at least one.
    pub unmet: Vec<Unmet>,
    /// Whether Globus names no login at all, as after a single sign-on without a question.
    pub login_unknown: bool,
}

impl Refusal {
    /// What the log says.
    pub fn reason(&self) -> Option<Reason> {
        self.unmet.first().map(|unmet| unmet.words().1)
    }

    /// Whether the user may fulfil the rules with another login. It adds no member to a group.
    pub fn can_be_cured(&self) -> bool {
        !self.unmet.contains(&Unmet::Groups)
    }

    /// Whether only a login is missing, or a recent one: then Globus should ask the user to log in again. If it names a
    /// login that does not fulfil a rule, the user learns that first.
    pub fn needs_login(&self) -> bool {
        self.can_be_cured() && (self.login_unknown || self.unmet == [Unmet::Age])
    }
}

/// A user who may not come in, as the page tells them. All text is for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// What the log says.
    #[serde(skip)]
    pub reason: Reason,
    /// The UUID of the account.
    pub sub: String,
    /// The name of the account: its username, or its UUID.
    pub account: String,
    /// Where the user logged in, if Globus named it.
    pub provider: Option<String>,
    /// What is missing, at least one.
    pub missing: Vec<Missing>,
    /// The address of Globus's page where a user links an identity.
    pub link_identity: String,
}

/// A rule that the user does not fulfil, as the page tells them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The name of the rule.
    pub rule: &'static str,
    /// What it asks for.
    pub text: String,
    /// The pages at Globus that help: text and address.
    pub links: Vec<(String, String)>,
}

impl Missing {
    /// How `rules` says that a rule is unmet.
    pub fn new(unmet: Unmet, rules: &AccessRules) -> Self {
        let many = rules.groups.len() > 1;
        let minutes = rules.max_authentication.map_or(0, |max| max.as_secs() / 60);
        let text = match unmet {
            Unmet::Domains => format!("A login with an account of {}.", rules.domains.join(" or ")),
            Unmet::Groups if many => "Membership in one of the groups of this site.".to_owned(),
            Unmet::Groups => "Membership in the group of this site.".to_owned(),
            Unmet::Policies => {
                "A login that fulfils the policies of this site, such as one with a second factor.".to_owned()
            }
            Unmet::Age if minutes == 1 => "A login within the last minute.".to_owned(),
            Unmet::Age => format!("A login within the last {minutes} minutes."),
        };
        let link = |id: &String| {
            let text = if many { format!("Ask to join group {id}") } else { "Ask to join the group".to_owned() };
            // Where Globus shows a group and lets users join it.
            (text, format!("https://app.globus.org/groups/{id}/about"))
        };
        let links = if unmet == Unmet::Groups { rules.groups.iter().map(link).collect() } else { Vec::new() };
        Self { rule: unmet.words().0, text, links }
    }
}

/// Whether the user may come in, with which roles, and until when without another login.
pub fn judge(rules: &AccessRules, facts: &Facts, now: Timestamp) -> Result<Admission, Refusal> {
    let Facts { introspection, memberships } = facts;
    let is_member = |group: &str| is_member(group, memberships);
    let logins: Vec<_> = logins(introspection).filter(|id| is_of_a_domain(id, introspection, &rules.domains)).collect();
    let domains_met = rules.domains.is_empty() || !logins.is_empty();
    let last_login = logins.iter().filter_map(|id| login_time(id, introspection)).max();
    let until = rules.max_authentication.map(|max| last_login.map(|at| at.min(now) + max));
    let is_recent = until.is_none_or(|until| until.is_some_and(|until| now < until));

    let rules_met = [
        (domains_met, Unmet::Domains),
        (rules.groups.is_empty() || rules.groups.iter().any(|group| is_member(group)), Unmet::Groups),
        (rules.policies.iter().all(|policy| is_fulfilled(policy, introspection)), Unmet::Policies),
        // Without a login that counts, its age is no other problem.
        (is_recent || !domains_met, Unmet::Age),
    ];
    let unmet: Vec<_> = rules_met.into_iter().filter(|(met, _)| !met).map(|(_, rule)| rule).collect();
    if !unmet.is_empty() {
        return Err(Refusal { unmet, login_unknown: rules.need_login() && introspection.logins.is_empty() });
    }
    Ok(Admission::new(rules, rules.role_names(is_member), until.flatten(), now))
}

/// The identities that have logged in during the user's session at Globus. An identity that is only linked has not: the
/// account behind it may have been closed since.
fn logins(introspection: &Introspection) -> impl Iterator<Item = &str> {
    introspection.logins.iter().map(|login| login.identity.as_str())
}

/// When an identity logged in; of two times for one identity, the earlier.
fn login_time(identity: &str, introspection: &Introspection) -> Option<Timestamp> {
    let of_it = introspection.logins.iter().filter(|login| login.identity == identity);
    // None is the least.
    of_it.map(|login| login.at).min().flatten()
}

/// Whether an identity is in use, and the part of its username after the last `@` is one of these domains. Without
/// domains, every identity is.
fn is_of_a_domain(identity: &str, introspection: &Introspection, domains: &[String]) -> bool {
    let is_allowed = |username: Option<&str>| domain(username).is_some_and(|name| domains.contains(&name));
    let mut of_it = introspection.identities.iter().filter(|other| other.id == identity).peekable();
    let is_found = of_it.peek().is_some();
    domains.is_empty() || (is_found && of_it.all(|one| one.is_used && is_allowed(one.username.as_deref())))
}

/// The domain of a username. Only ASCII letters become lower case: a Kelvin sign is no `k`.
fn domain(username: Option<&str>) -> Option<String> {
    let (name, domain) = username?.rsplit_once('@')?;
    (!name.is_empty()).then(|| domain.to_ascii_lowercase())
}

/// Whether Globus has evaluated a policy, and the login fulfils it.
fn is_fulfilled(policy: &str, introspection: &Introspection) -> bool {
    let mut evaluations = introspection.policies.iter().filter(|(id, _)| id == policy).peekable();
    evaluations.peek().is_some() && evaluations.all(|(_, fulfilled)| *fulfilled)
}

/// Whether an identity of the user is an active member of a group: all that is said about its membership says so.
fn is_member(group: &str, memberships: &[Membership]) -> bool {
    let of_it = || memberships.iter().filter(|membership| membership.group == group);
    of_it().any(|one| of_it().all(|other| other.identity != one.identity || other.is_active))
}

#[cfg(test)]
mod tests;
