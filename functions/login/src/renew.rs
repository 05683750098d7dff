//! `GET /login?refresh`: has the tokens renewed that are about to end, and returns to where the person was.

use std::time::SystemTime;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    App, Error, Kind, Result,
    config::Address,
    globus::{Globus, Renewed},
    response::{redirect, with_cookies},
    session::Session,
    storage::{Kept, Lease, Renewal},
};

/// Renews what needs it ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
pub(crate) async fn renew(
    app: &App,
    globus: &Globus,
    request: &Request,
    address: &Address,
    now: SystemTime,
) -> Result<Response<Body>> {
    match app.storage.begin_renewal(request, now).await? {
        Renewal::Ours(session, lease) => carry_out(app, globus, request, address, (session, lease), now).await,
        Renewal::NotNeeded => back(request, address),
        Renewal::SignInNeeded => crate::begin(app, globus, request, address, now),
    }
}

async fn carry_out(
    app: &App,
    globus: &Globus,
    request: &Request,
    address: &Address,
    (mut session, lease): (Session, Lease),
    now: SystemTime,
) -> Result<Response<Body>> {
    let before = session.tokens.clone();
    let Renewed { tokens, failures } = globus.renew(&session, now).await;
    session.renew(tokens.clone(), now);

    let cookie = match app.storage.finish_renewal(request, &lease, &session, now).await {
        Ok(Kept::Yes(cookie)) => cookie,
        Ok(Kept::No(visitor)) => {
            // Logged out meanwhile: nobody could ever use or revoke these tokens again.
            globus.revoke_unless_in(&tokens, visitor.tokens()).await;
            return back(request, address);
        }
        Err(error) => {
            globus.revoke_unless_in(&tokens, &before).await;
            return Err(error.during("renewal"));
        }
    };
    let refused = failures.iter().find(|failure| *failure.kind() == Kind::CodeRefused);
    if let Some(refused) = refused {
        log("refused", refused.reason(), &session);
        // Where two tabs renew at once, the other may have won: its session cookie is not to be written over with one
        // that has nothing new in it.
        let cookie = cookie.filter(|_| !tokens.is_empty());
        return Ok(with_cookies(crate::begin(app, globus, request, address, now)?, cookie));
    }
    match failures.into_iter().next() {
        Some(trouble) if !session.has_time_left(now) => {
            Err(cookie.into_iter().fold(trouble.during("renewal"), Error::with_cookie))
        }
        trouble => {
            match trouble {
                None => log("success", "", &session),
                Some(trouble) => log("failure", trouble.reason(), &session),
            }
            Ok(with_cookies(back(request, address)?, cookie))
        }
    }
}

fn back(request: &Request, address: &Address) -> Result<Response<Body>> {
    redirect(StatusCode::FOUND, &address.url(crate::next(request)?.as_str()))
}

fn log(outcome: &str, reason: &str, session: &Session) {
    let (id, sub) = (session.log_id(), &session.identity.sub);
    tracing::info!(event = "renewal", outcome, reason, session = id, sub, "renewal");
}
