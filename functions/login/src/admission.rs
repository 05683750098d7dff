//! The access rules, at a sign-in and at a renewal.

use cookie::Cookie;
use shared::{
    Error, Kind, Result,
    config::AccessRules,
    log::{self, Event, Outcome, Reason},
    pages::Frame,
    paths,
    request::parameter,
    rules::{self, Denial, Missing, Refusal},
    session::{DisplayText, Identity, Session, Token},
    storage,
};

use crate::Visit;

/// What the access rules say about the user of a session.
pub(crate) enum Checked {
    /// The user may come in; the session says so.
    Admitted,
    /// The user may not come in.
    Refused(Refusal),
    /// Nothing: a token that the check needs is missing, or Globus refuses it. A new sign-in gives one.
    WithoutToken,
}

/// Asks Globus about the user of a session, if there are rules, and notes in the session that the user may come in.
pub(crate) async fn check(visit: &Visit<'_>, session: &mut Session) -> Result<Checked> {
    let Visit { app, globus, now, .. } = visit;
    let Some(rules) = &app.config.rules else { return Ok(Checked::Admitted) };
    let Some(facts) = globus.facts(rules, &session.identity.sub, &session.tokens).await? else {
        return Ok(Checked::WithoutToken);
    };
    match rules::judge(rules, &facts, *now) {
        Ok(admission) => session.admission = Some(admission),
        Err(refusal) => return Ok(Checked::Refused(refusal)),
    }
    Ok(Checked::Admitted)
}

/// The error for a user who may not come in.
pub(crate) fn denied(visit: &Visit<'_>, identity: &Identity, refusal: &Refusal) -> Error {
    let shown = |text: &Option<DisplayText>| text.as_ref().map(|text| text.for_display().to_owned());
    let site_name = Frame::of(visit.request).site_name;
    let home = visit.address.url(paths::HOME);
    let missing = visit.app.config.rules.iter();
    let missing = missing.flat_map(|rules| refusal.unmet.iter().map(|unmet| Missing::new(*unmet, rules)));
    Kind::NotAdmitted(Box::new(Denial {
        reason: refusal.reason().unwrap_or(Reason::RulesNotChecked),
        sub: identity.sub.clone(),
        account: shown(&identity.username).unwrap_or_else(|| identity.sub.clone()),
        provider: shown(&identity.provider),
        missing: missing.collect(),
        link_identity: visit.globus.page("/v2/web/identities", &home, site_name.as_str()),
    }))
    .into()
}

/// Ends the session that this browser has, since its user may not come in, and revokes these tokens. Returns the cookies that
/// remove it from the browser. The log says if it is left in the storage.
pub(crate) async fn end_session(visit: &Visit<'_>, tokens: &[Token], during: Event) -> Vec<Cookie<'static>> {
    let Visit { app, globus, request, .. } = visit;
    let ended = app.storage.end(request).await;
    globus.revoke(tokens, &[]).await;
    if let Err(failure) = ended {
        log::write(during, Outcome::Partial, failure.row().reason.into());
    }
    storage::removals(request, &app.cookies).collect()
}

/// Refuses a renewal for a function with other access rules than this one: while functions are updated one after the other,
/// each would send the browser to the other, and round in a circle.
pub(crate) async fn check_same_rules(visit: &Visit<'_>) -> Result<()> {
    let Visit { app, request, now, .. } = visit;
    let there = parameter(request, paths::RULES)?;
    if there.is_none() || there == app.config.rules.as_ref().map(AccessRules::version) {
        return Ok(());
    }
    // Without a session, a login begins: nobody can cause an error of this site by an address alone.
    let has_session = app.storage.look(request, *now).await?.living().is_some();
    if has_session { Err(Kind::RulesDiffer.into()) } else { Ok(()) }
}
