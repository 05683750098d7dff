//! `GET /`: who is signed in, and which tokens the app holds for them.
//!
//! A page view opens no connection: the session is in the request's cookie. Whatever path no other function has comes
//! here too, and gets the page for it.

use std::time::SystemTime;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    App, Result,
    pages::Page,
    request,
    response::{html, with_cookies},
    session::{self, Visitor},
};

/// Answers one request.
#[allow(clippy::unused_async, reason = "every handler is; this one has nothing to wait for")]
pub async fn handle(app: &App, request: &Request, now: SystemTime) -> Result<Response<Body>> {
    request::expect(request, "/", "GET, HEAD")?;

    match app.visitor(request, now) {
        Visitor::SignedOut => html(StatusCode::OK, &Page::SignedOut { expired: false }),
        Visitor::Expired(_) => html(StatusCode::OK, &Page::SignedOut { expired: true }),
        Visitor::Unreadable => {
            tracing::info!(reason = "cookie_unreadable", "signed out");
            let page = html(StatusCode::OK, &Page::SignedOut { expired: false })?;
            Ok(with_cookies(page, [session::clear(&app.cookies)]))
        }
        Visitor::SignedIn(session) => html(StatusCode::OK, &Page::signed_in(&session, app.config.show_tokens, now)),
    }
}

#[cfg(test)]
mod tests;
