//! `GET /login?refresh`: renews the tokens that expire soon, and returns to the page that the user wanted.

use lambda_http::{Body, Response};
use shared::{
    Error, Kind, Result,
    globus::Renewed,
    log::{self, Details, Event, Outcome, Reason},
    response::with_cookies,
    session::Session,
    storage::{self, Kept, Lease, Renewal},
};

use crate::{Visit, begin};

/// Renews the tokens ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)). If only a new sign-in helps,
/// one begins.
pub(crate) async fn renew(visit: &Visit<'_>) -> Result<Response<Body>> {
    let renewal = visit.app.storage.begin_renewal(visit.request, visit.now).await;
    match renewal.map_err(|error| error.during(Event::Renewal))? {
        Renewal::Ours(session, lease) => carry_out(visit, *session, lease).await,
        Renewal::NotNeeded => back(visit),
        Renewal::SignInNeeded => begin(visit),
    }
}

async fn carry_out(visit: &Visit<'_>, mut session: Session, lease: Lease) -> Result<Response<Body>> {
    let Visit { app, globus, request, now, .. } = visit;
    let before = session.tokens.clone();
    let Renewed { tokens, failures } = globus.refresh(&session, *now).await;
    session.replace_tokens(tokens.clone(), *now);

    let cookie = match app.storage.finish_renewal(request, lease, &session, *now).await {
        Ok(Kept::Yes(cookie)) => cookie,
        Ok(Kept::No(visitor)) => {
            // Logged out in the meantime: nothing else could ever use or revoke these tokens.
            globus.revoke_unless_in(&tokens, visitor.tokens()).await;
            return back(visit);
        }
        Err(error) => {
            // The session may be kept all the same: the response to the write was lost.
            let kept = app.visitor(request, *now).await.map_or_else(|_| before, |visitor| visitor.tokens().to_vec());
            globus.revoke_unless_in(&tokens, &kept).await;
            return Err(error.during(Event::Renewal));
        }
    };
    let cookies = cookie.into_iter().flat_map(|cookie| storage::keeping(request, &app.cookies, cookie));
    if failures.iter().any(|failure| *failure.kind() == Kind::CodeRefused) {
        log_result(Outcome::Refused, Some(Reason::CodeRefused), &session);
        // If two tabs renew at once, the other may have succeeded: a cookie with nothing new must not replace its cookie.
        let new = cookies.filter(|_| !tokens.is_empty());
        return Ok(with_cookies(begin(visit)?, new));
    }
    match failures.into_iter().next() {
        None => log_result(Outcome::Success, None, &session),
        Some(failure) if session.has_time_left(*now) => {
            log_result(Outcome::Failure, Some(failure.row().reason), &session);
        }
        Some(failure) => return Err(cookies.fold(failure.during(Event::Renewal), Error::with_cookie)),
    }
    Ok(with_cookies(back(visit)?, cookies))
}

fn back(visit: &Visit<'_>) -> Result<Response<Body>> {
    visit.redirect_to(visit.next.as_str())
}

fn log_result(outcome: Outcome, reason: Option<Reason>, session: &Session) {
    log::write(Event::Renewal, outcome, Details { reason, session: Some(session), ..Details::default() });
}
