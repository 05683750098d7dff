//! What the access rules ask Globus about a user.

use futures_util::future::join;

use super::{
    Globus,
    groups::{self, Membership},
    http,
    introspection::Introspection,
    require,
};
use crate::{
    Kind, Result,
    config::AccessRules,
    log::Reason,
    session::{GLOBUS_AUTH, Token},
};

/// What Globus says about a user, as far as the access rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// About the user's token; without a login if no rule asks how the user has logged in.
    pub introspection: Introspection,
    /// The memberships in groups of all identities that the user has linked; none if no rule asks for groups.
    pub memberships: Vec<Membership>,
}

impl Globus {
    /// What the access rules ask about the user `sub`, whose tokens these are: one introspection and one request to Globus
    /// Groups, at the same time, and only those that a rule needs. None if a token that this needs is missing or refused.
    pub async fn facts(&self, rules: &AccessRules, sub: &str, tokens: &[Token]) -> Result<Option<Facts>> {
        let token = |service: &str| tokens.iter().find(|token| token.resource_server == service);
        let introspection = async {
            if !rules.need_login() {
                return Ok(Some(Introspection::default()));
            }
            self.introspect(token(GLOBUS_AUTH), rules, sub).await
        };
        let memberships = async {
            if !rules.need_groups() {
                return Ok(Some(Vec::new()));
            }
            self.memberships(token(groups::SERVICE)).await
        };
        let (introspection, memberships) = join(introspection, memberships).await;
        let facts = introspection?.zip(memberships?);
        Ok(facts.map(|(introspection, memberships)| Facts { introspection, memberships }))
    }

    /// What Globus knows about the login of the user `sub`; none if the token is no longer good.
    async fn introspect(&self, token: Option<&Token>, rules: &AccessRules, sub: &str) -> Result<Option<Introspection>> {
        let Some(token) = token else { return Ok(None) };
        let policies = rules.policies.join(",");
        let mut form = vec![("token", token.access_token.expose()), ("include", "session_info,identity_set_detail")];
        if !policies.is_empty() {
            form.push(("authentication_policies", &policies));
        }
        let response = http::send(self.about_token("introspect", &form)).await?;
        if response.status().as_u16() == 401 {
            return Err(Kind::GlobusRefused(Reason::ClientRefused).into());
        }
        let read = Introspection::parse(response.body()).filter(|_| response.status().is_success());
        let read = read.ok_or(Kind::ResponseRefused(Reason::IntrospectionUnreadable))?;
        if !read.is_active {
            return Ok(None);
        }
        require(read.sub.as_deref() == Some(sub), Reason::IntrospectionSubject).map_err(Kind::ResponseRefused)?;
        Ok(Some(read))
    }

    /// The user's memberships in groups; none if Globus Groups refuses the token.
    async fn memberships(&self, token: Option<&Token>) -> Result<Option<Vec<Membership>>> {
        let Some(token) = token else { return Ok(None) };
        let url = self.groups.url("/v2/groups/my_groups?statuses=active");
        let response = http::send(self.http.get(url).bearer_auth(token.access_token.expose())).await?;
        if matches!(response.status().as_u16(), 401 | 403) {
            return Ok(None);
        }
        let read = groups::parse(response.body()).filter(|_| response.status().is_success());
        Ok(Some(read.ok_or(Kind::ResponseRefused(Reason::GroupsUnreadable))?))
    }
}
