//! `/logout`: asks on GET, ends the session on POST.
//!
//! Only a form of this site ends a session: a POST from another site is refused. A GET, which any site can make a browser
//! send, changes nothing, but revokes the tokens of a session that has been logged out already.

use std::time::{Duration, Instant};

use lambda_http::{
    Body, Request, Response,
    http::{Method, StatusCode},
};
use shared::{
    App, Kind, Result, Timestamp, attempt,
    config::Address,
    globus::Globus,
    log::{self, Details, Event, Outcome, Reason},
    logout_mark,
    pages::{Frame, Left, Page},
    paths, request,
    response::{html, redirect, with_cookies},
    session::{Session, Visitor},
    storage::{self, Ended},
};

/// One request, and all that is needed to respond to it.
struct Visit<'a> {
    app: &'a App,
    globus: &'a Globus,
    request: &'a Request,
    address: Address,
    now: Timestamp,
}

/// The response to one request.
pub async fn handle((app, globus): &(App, Globus), request: &Request, now: Timestamp) -> Result<Response<Body>> {
    request::check_route(request, paths::LOGOUT, "GET, HEAD, POST")?;
    let visit = Visit { app, globus, request, address: request::address(request)?, now };
    if request.method() == Method::POST {
        return end(&visit, request::field(request, "everywhere").is_some()).await;
    }
    match app.visitor(request, now).await {
        Ok(Visitor::SignedIn(session) | Visitor::NeedsRenewal(session)) => {
            ask(&visit, Some(session.identity.display_name()), false)
        }
        Ok(Visitor::Expired(_) | Visitor::LoginTooOld(_)) => ask(&visit, None, true),
        Ok(Visitor::LoggedOut(_)) if request.method() == Method::GET => complete(&visit).await,
        Ok(Visitor::SignedOut | Visitor::Unusable(_) | Visitor::LoggedOut(_)) => logged_out(&visit, Left::default()),
        // A logout must be possible even if the session cannot be read.
        Err(error) if matches!(error.kind(), Kind::StoreUnavailable(_)) => {
            let row = error.row();
            log::write(row.event, row.outcome(), row.reason.into());
            ask(&visit, None, false)
        }
        Err(error) => Err(error),
    }
}

fn ask(visit: &Visit<'_>, display_name: Option<&str>, expired: bool) -> Result<Response<Body>> {
    let can_end_everywhere = visit.app.storage.can_end_everywhere();
    html(visit.request, StatusCode::OK, &Page::LogOut { display_name, expired, can_end_everywhere })
}

/// The page after a logout. It has a link to Globus's logout page and does not redirect there: that page does not lead
/// back by itself.
fn logged_out(visit: &Visit<'_>, left: Left) -> Result<Response<Body>> {
    let name = Frame::of(visit.request).site_name;
    let page = |path| visit.globus.page(path, &visit.address.url(paths::HOME), name.as_str());
    let (globus_logout, globus_consents) = (page("/v2/web/logout"), page("/v2/web/consents"));
    let status = if left.session { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    html(visit.request, status, &Page::LoggedOut { globus_logout, globus_consents, left })
}

/// Completes a logout: a response that was late has brought the session back into the browser, with tokens.
async fn complete(visit: &Visit<'_>) -> Result<Response<Body>> {
    let Visit { app, request, .. } = visit;
    let sessions = app.storage.end(request).await?.sessions;
    for session in &sessions {
        let details = Details { session: Some(session), ..Reason::LateResponse.into() };
        log::write(Event::Logout, Outcome::Success, details);
    }
    let left = Left { tokens: revoke(visit, sessions).await, ..Left::default() };
    Ok(with_cookies(logged_out(visit, left)?, storage::removals(request, &app.cookies)))
}

/// Revokes the tokens of these sessions. Returns whether any is left.
async fn revoke(visit: &Visit<'_>, sessions: Vec<Session>) -> bool {
    let tokens: Vec<_> = sessions.into_iter().flat_map(|session| session.tokens).collect();
    visit.globus.revoke(&tokens, &[]).await > 0
}

/// First ends the session, so that it cannot be used any more. Then revokes every token, as far as Globus responds in
/// time. The browser is cleared whatever fails, and the page says what is left.
async fn end(visit: &Visit<'_>, everywhere: bool) -> Result<Response<Body>> {
    let Visit { app, request, address, now, .. } = visit;
    let begun = Instant::now();
    let (sessions, mut left) = end_sessions(visit, everywhere).await;
    let latest = sessions.iter().map(Session::begun).max();
    left.tokens = revoke(visit, sessions).await;
    // At the end of the logout: it also ends what another tab has begun while Globus was asked.
    let end = *now + begun.elapsed() + Duration::from_secs(1);
    let mark = logout_mark::cookie(request, &app.cookies, latest, app.config.session_max, end)?;
    let cookies =
        attempt::removals(request, &app.cookies).chain(storage::removals(request, &app.cookies)).chain([mark]);
    let response = if left == Left::default() {
        redirect(StatusCode::SEE_OTHER, &address.url(paths::LOGOUT))?
    } else {
        logged_out(visit, left)?
    };
    Ok(with_cookies(response, cookies))
}

/// Ends the sessions in the storage, and logs it. Returns them, and what is left.
async fn end_sessions(visit: &Visit<'_>, everywhere: bool) -> (Vec<Session>, Left) {
    let Visit { app, request, now, .. } = visit;
    let ended =
        if everywhere { app.storage.end_everywhere(request, *now).await } else { app.storage.end(request).await };
    match ended {
        Ok(Ended { sessions, others_left }) => {
            let outcome = if others_left.is_some() { Outcome::Partial } else { Outcome::Success };
            let details = Details { reason: others_left, everywhere: Some(everywhere), ..Details::default() };
            for session in &sessions {
                log::write(Event::Logout, outcome, Details { session: Some(session), ..details });
            }
            if sessions.is_empty() && others_left.is_some() {
                log::write(Event::Logout, outcome, details);
            }
            (sessions, Left { others: others_left.is_some(), ..Left::default() })
        }
        Err(error) => {
            let (row, sub) = (error.row(), app.storage.subject(request));
            let details = Details { sub: sub.as_deref(), status: Some(row.status.as_u16()), ..row.reason.into() };
            log::write(Event::Logout, row.outcome(), details);
            (Vec::new(), Left { session: true, others: everywhere, tokens: false })
        }
    }
}

#[cfg(test)]
mod tests;
