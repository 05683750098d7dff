//! The access rules of a deployment: who may come in.
//!
//! Every function reads them, so that a rule which cannot be read stops the whole site. Only the login function applies
//! them ([`rules`](crate::rules)); the others compare their hash with the one in the session.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::{Environment, Reading, settings::is_uuid};

/// How often a user is checked again if `RULES_EVERY_MINUTES` is absent.
const EVERY: Duration = Duration::from_hours(1);

/// All names of roles together, with commas, in bytes: they travel in the session cookie and in an authorizer's result.
const MOST_ROLES: usize = 256;

/// The rules. Any of the domains, any of the groups, all of the policies, and the age of the login: what is set must all
/// be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRules {
    /// `ALLOWED_DOMAINS`: the user has logged in with a username of one of these domains, in lower case.
    pub domains: Vec<String>,
    /// `ALLOWED_GROUPS`: the user is an active member of one of these Globus groups, by UUID.
    pub groups: Vec<String>,
    /// `ROLE_GROUPS`: the names of roles, each with the Globus group whose active members have it.
    pub roles: Vec<(String, String)>,
    /// `REQUIRED_POLICIES`: the login fulfils all of these Globus policies, by UUID.
    pub policies: Vec<String>,
    /// `MAX_AUTHENTICATION_MINUTES`: the longest time since the user has logged in at the identity provider.
    pub max_authentication: Option<Duration>,
    /// `RULES_EVERY_MINUTES`: how long the result of a check is good; 60 minutes if absent.
    pub every: Duration,
    hash: String,
}

impl AccessRules {
    /// Reads the rules; none if no rule is set.
    pub fn read(env: &Environment<'_>) -> Reading<Option<Self>> {
        let uuids = "must be UUIDs as Globus shows them, separated by commas";
        let domains = env.list("ALLOWED_DOMAINS", "must be domains such as anl.gov, separated by commas", domain);
        let groups = env.list("ALLOWED_GROUPS", uuids, uuid);
        let policies = env.list("REQUIRED_POLICIES", uuids, uuid);
        let roles = env.list("ROLE_GROUPS", "must be roles and groups such as admin=UUID, separated by commas", role);
        let max_authentication = env.minutes("MAX_AUTHENTICATION_MINUTES");
        let every = env.minutes("RULES_EVERY_MINUTES");
        let (domains, groups, policies, roles) = (sorted(domains?), sorted(groups?), sorted(policies?), sorted(roles?));
        let (max_authentication, every) = (max_authentication?, every?.unwrap_or(EVERY));
        let lists = [&domains, &groups, &policies, &roles];
        if lists.iter().all(|list| list.is_empty()) && max_authentication.is_none() {
            return Ok(None);
        }
        let minutes = max_authentication.map_or(0, |max| max.as_secs() / 60);
        let text = format!("{}\n{minutes}", lists.map(|list| list.join(",")).join("\n"));
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(text).get(..9).unwrap_or_default());
        let roles = named(&roles);
        let read = Self { domains, groups, roles, policies, max_authentication, every, hash };
        if read.role_names(|_| true).join(",").len() > MOST_ROLES {
            return Err(env.note("ROLE_GROUPS", "has more names of roles than 256 characters"));
        }
        Ok(Some(read))
    }

    /// Names these rules, in any order: 72 bits in base64url. A change of the period alone does not change it.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Names these rules together with the period: a function that sends a browser to the check and the one that checks
    /// must agree on both, or the browser would go round in a circle.
    pub fn version(&self) -> String {
        format!("{}.{}", self.hash, self.every.as_secs() / 60)
    }

    /// The names of the roles of a user who is in the groups that `is_member` says, each once.
    pub fn role_names(&self, is_member: impl Fn(&str) -> bool) -> Vec<String> {
        let granted = self.roles.iter().filter(|(_, group)| is_member(group));
        let mut names: Vec<_> = granted.map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }

    /// Whether a rule asks for groups: then a sign-in needs a token of Globus Groups.
    pub const fn need_groups(&self) -> bool {
        !self.groups.is_empty() || !self.roles.is_empty()
    }

    /// Whether a rule asks how the user has logged in.
    pub const fn need_login(&self) -> bool {
        !self.domains.is_empty() || !self.policies.is_empty() || self.max_authentication.is_some()
    }
}

/// In one order, whatever the order in the variable.
fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort_unstable();
    list.dedup();
    list
}

/// A domain of at least two labels, in lower case. Not `@anl.gov`, `*.anl.gov`, or `anl.gov.`: none of them is the part of
/// a username after its `@`.
fn domain(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| {
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(is_plain)
    };
    (text.contains('.') && text.split('.').all(is_label)).then(|| text.to_ascii_lowercase())
}

fn uuid(text: &str) -> Option<String> {
    is_uuid(text).then(|| text.to_ascii_lowercase())
}

/// A role and the UUID of its group, in one form.
fn role(text: &str) -> Option<String> {
    let (name, group) = text.split_once('=')?;
    Some(role_name(name.trim())? + "=" + &uuid(group.trim())?)
}

/// The roles by name; those of one name are beside each other.
fn named(roles: &[String]) -> Vec<(String, String)> {
    let parts = roles.iter().filter_map(|role| role.split_once('='));
    parts.map(|(name, group)| (name.to_owned(), group.to_owned())).collect()
}

/// A letter, then letters, digits, `-` and `_`: no comma and no blank, which separate roles elsewhere.
fn role_name(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::configure;

    const GROUP: &str = "69070000-0001-4ba1-8f4e-2ea86a5b4c01";
    const OTHER: &str = "69070000-0002-4ba1-8f4e-2ea86a5b4c02";

    fn read(pairs: &[(&str, &str)]) -> Result<Option<AccessRules>, String> {
        configure(pairs, AccessRules::read).map_err(|problems| problems.to_string())
    }

    fn rules(pairs: &[(&str, &str)]) -> AccessRules {
        read(pairs).unwrap().unwrap()
    }

    #[test]
    fn without_a_rule_there_are_none_whatever_the_period() {
        let empty = ["ALLOWED_DOMAINS", "ALLOWED_GROUPS", "ROLE_GROUPS", "REQUIRED_POLICIES"].map(|name| (name, ""));
        assert_eq!(read(&empty), Ok(None));
        assert_eq!(read(&[("RULES_EVERY_MINUTES", "5")]), Ok(None));
    }

    #[test]
    fn each_rule_is_read_into_one_form() {
        let roles = format!("editor={OTHER}, admin={}", GROUP.to_uppercase());
        let all = rules(&[
            ("ALLOWED_DOMAINS", " UChicago.edu,anl.gov ,anl.gov"),
            ("ALLOWED_GROUPS", &format!("{OTHER},{}", GROUP.to_uppercase())),
            ("ROLE_GROUPS", &roles),
            ("REQUIRED_POLICIES", OTHER),
            ("MAX_AUTHENTICATION_MINUTES", "30"),
            ("RULES_EVERY_MINUTES", "5"),
        ]);

        assert_eq!(all.domains, ["anl.gov", "uchicago.edu"]);
        assert_eq!(all.groups, [GROUP, OTHER]);
        assert_eq!(all.roles, [("admin".to_owned(), GROUP.to_owned()), ("editor".to_owned(), OTHER.to_owned())]);
        assert_eq!(all.policies, [OTHER]);
        assert_eq!(all.max_authentication, Some(Duration::from_mins(30)));
        assert_eq!(all.every, Duration::from_mins(5));
    }

    #[test]
    fn a_rule_that_is_misspelt_or_has_an_empty_part_lets_nobody_in() {
        for (variable, values) in [
            (
                "ALLOWED_DOMAINS",
                &[
                    " ",
                    ",",
                    "anl.gov,",
                    ",anl.gov",
                    "@anl.gov",
                    "*.anl.gov",
                    ".anl.gov",
                    "anl.gov.",
                    "anl..gov",
                    "anl",
                    "anl.gov uchicago.edu",
                    "anl.gov;uchicago.edu",
                    "https://anl.gov",
                    "ada@anl.gov",
                    "ånl.gov",
                    "аnl.gov",
                    "anl_x.gov",
                    "-anl.gov",
                    "anl-.gov",
                    "anl.gov/",
                    "\u{fffd}",
                ][..],
            ),
            ("ALLOWED_GROUPS", &[" ", ",", "beamline", &GROUP[1..], &format!("{GROUP},"), &format!("{GROUP} {OTHER}")]),
            ("REQUIRED_POLICIES", &[" ", "mfa", &format!("{{{GROUP}}}"), "true"]),
            (
                "ROLE_GROUPS",
                &[
                    " ",
                    "admin",
                    GROUP,
                    "admin=",
                    &format!("={GROUP}"),
                    &format!("admin:{GROUP}"),
                    &format!("ad min={GROUP}"),
                    &format!("1st={GROUP}"),
                    &format!("admin={GROUP}={OTHER}"),
                    &format!("{}={GROUP}", "a".repeat(257)),
                    &format!("{}={GROUP},{}={GROUP}", "a".repeat(128), "b".repeat(128)),
                ],
            ),
            ("MAX_AUTHENTICATION_MINUTES", &[" ", "0", "-1", "30m", "1.5", "525601", "soon"]),
            ("RULES_EVERY_MINUTES", &["0", "never", "525601"]),
        ] {
            for value in values {
                let problem = read(&[("ALLOWED_GROUPS", OTHER), (variable, value)]);
                let problem = if variable == "ALLOWED_GROUPS" { read(&[(variable, value)]) } else { problem };
                assert!(problem.is_err_and(|problem| problem.starts_with(variable)), "{variable}={value:?}");
            }
        }
    }

    #[test]
    fn the_names_of_roles_can_have_256_characters_each_counted_once() {
        let (admin, editor) = ("a".repeat(128), "b".repeat(127));
        let roles = format!("{admin}={GROUP},{editor}={GROUP},{admin}={OTHER}");
        assert_eq!(rules(&[("ROLE_GROUPS", &roles)]).roles.len(), 3);
    }

    #[test]
    fn each_rule_alone_needs_either_groups_or_the_login() {
        let role = format!("admin={GROUP}");
        for (name, value, needs_groups) in [
            ("ALLOWED_DOMAINS", "anl.gov", false),
            ("ALLOWED_GROUPS", GROUP, true),
            ("ROLE_GROUPS", &role, true),
            ("REQUIRED_POLICIES", GROUP, false),
            ("MAX_AUTHENTICATION_MINUTES", "30", false),
        ] {
            let alone = rules(&[(name, value)]);
            assert_eq!((alone.need_groups(), alone.need_login()), (needs_groups, !needs_groups), "{name}");
        }
    }

    #[test]
    fn the_version_names_the_period_too() {
        let version = |minutes: &str| rules(&[("ALLOWED_GROUPS", GROUP), ("RULES_EVERY_MINUTES", minutes)]).version();
        let hash = rules(&[("ALLOWED_GROUPS", GROUP)]).hash().to_owned();
        assert_eq!([version(""), version("5")], [format!("{hash}.60"), format!("{hash}.5")]);
    }

    #[test]
    fn the_hash_changes_with_each_rule_and_not_with_the_period_or_the_order() {
        let of = |pairs: &[(&str, &str)]| rules(pairs).hash().to_owned();
        let roles = |admin: &str| format!("admin={admin}");
        let hashes = [
            of(&[("ALLOWED_DOMAINS", "anl.gov")]),
            of(&[("ALLOWED_DOMAINS", "anl.gov,uchicago.edu")]),
            of(&[("ALLOWED_GROUPS", GROUP)]),
            of(&[("ALLOWED_GROUPS", OTHER)]),
            of(&[("REQUIRED_POLICIES", GROUP)]),
            of(&[("REQUIRED_POLICIES", OTHER)]),
            of(&[("ROLE_GROUPS", &roles(GROUP))]),
            of(&[("ROLE_GROUPS", &roles(OTHER))]),
            of(&[("ROLE_GROUPS", &format!("editor={GROUP}"))]),
            of(&[("MAX_AUTHENTICATION_MINUTES", "30")]),
            of(&[("MAX_AUTHENTICATION_MINUTES", "31")]),
            of(&[("ALLOWED_DOMAINS", "anl.gov"), ("MAX_AUTHENTICATION_MINUTES", "30")]),
        ];
        let different: std::collections::BTreeSet<_> = hashes.iter().collect();

        assert_eq!(different.len(), hashes.len(), "{hashes:?}");
        assert!(hashes.iter().all(|hash| hash.len() == 12));
        assert_eq!(of(&[("ALLOWED_DOMAINS", "UCHICAGO.edu,anl.gov"), ("RULES_EVERY_MINUTES", "5")]), hashes[1]);
    }
}
