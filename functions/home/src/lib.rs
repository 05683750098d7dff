//! `GET /`: the signed-in user, and the tokens that the app holds for this user.
//!
//! A page view makes no request, except to the session table if there is one. Every path that no other function has also
//! comes here and gets a 404 page. So does `GET /session`, which says who is logged in.

mod session;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    App, Error, Result, Timestamp,
    log::{self, Event, Outcome},
    pages::Page,
    paths, request,
    response::{html, redirect},
    session::Visitor,
};

/// The response to one request.
pub async fn handle(app: &App, request: &Request, now: Timestamp) -> Result<Response<Body>> {
    if request.uri().path() == paths::SESSION {
        return session::handle(app, request, now).await.map_err(Error::for_program);
    }
    request::check_route(request, paths::HOME, "GET, HEAD")?;

    match app.visitor(request, now).await? {
        Visitor::SignedOut => html(request, StatusCode::OK, &Page::SignedOut { expired: false }),
        Visitor::Expired(_) => html(request, StatusCode::OK, &Page::SignedOut { expired: true }),
        Visitor::Unusable(reason) => {
            log::write(Event::Request, Outcome::Refused, reason.into());
            // The cookie stays: a sign-in in another tab may just have replaced it, and this response may arrive later.
            html(request, StatusCode::OK, &Page::SignedOut { expired: false })
        }
        // The logout function can revoke the tokens.
        Visitor::LoggedOut(_) => redirect(StatusCode::FOUND, &request::address(request)?.url(paths::LOGOUT)),
        Visitor::NeedsRenewal(session) | Visitor::LoginTooOld(session) => Err(app.renewal_of(&session, now)),
        Visitor::SignedIn(session) => {
            let can_end_everywhere = app.storage.can_end_everywhere();
            html(request, StatusCode::OK, &Page::signed_in(&session, app.config.show_tokens, can_end_everywhere, now))
        }
    }
}

#[cfg(test)]
mod tests;
