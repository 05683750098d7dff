//! `GET /login?refresh`: has the tokens renewed that are about to end, and returns to where the person was.

use lambda_http::{Body, Response};
use shared::{
    Error, Kind, Result,
    globus::Renewed,
    response::with_cookies,
    session::Session,
    storage::{Kept, Lease, Renewal},
};

use crate::{Visit, begin};

/// Renews what needs it ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
pub(crate) async fn renew(visit: &Visit<'_>) -> Result<Response<Body>> {
    match visit.app.storage.begin_renewal(visit.request, visit.now).await? {
        Renewal::Ours(session, lease) => carry_out(visit, session, lease).await,
        Renewal::NotNeeded => back(visit),
        Renewal::SignInNeeded => begin(visit),
    }
}

async fn carry_out(visit: &Visit<'_>, mut session: Session, lease: Lease) -> Result<Response<Body>> {
    let Visit { app, globus, request, now, .. } = visit;
    let before = session.tokens.clone();
    let Renewed { tokens, failures } = globus.renew(&session, *now).await;
    session.renew(tokens.clone(), *now);

    let cookie = match app.storage.finish_renewal(request, &lease, &session, *now).await {
        Ok(Kept::Yes(cookie)) => cookie,
        Ok(Kept::No(visitor)) => {
            // Logged out meanwhile: nobody could ever use or revoke these tokens again.
            globus.revoke_unless_in(&tokens, visitor.tokens()).await;
            return back(visit);
        }
        Err(error) => {
            globus.revoke_unless_in(&tokens, &before).await;
            return Err(error.during("renewal"));
        }
    };
    if let Some(refused) = failures.iter().find(|failure| *failure.kind() == Kind::CodeRefused) {
        log("refused", refused.reason(), &session);
        // Where two tabs renew at once, the other may have won: its session cookie is not to be written over with one
        // that has nothing new in it.
        let cookie = cookie.filter(|_| !tokens.is_empty());
        return Ok(with_cookies(begin(visit)?, cookie));
    }
    match failures.into_iter().next() {
        None => log("success", "", &session),
        Some(trouble) if session.has_time_left(*now) => log("failure", trouble.reason(), &session),
        Some(trouble) => return Err(cookie.into_iter().fold(trouble.during("renewal"), Error::with_cookie)),
    }
    Ok(with_cookies(back(visit)?, cookie))
}

fn back(visit: &Visit<'_>) -> Result<Response<Body>> {
    visit.lead_to(visit.next()?.as_str())
}

fn log(outcome: &str, reason: &str, session: &Session) {
    let (id, sub) = (session.log_id(), &session.identity.sub);
    tracing::info!(event = "renewal", outcome, reason, session = id, sub, "renewal");
}
