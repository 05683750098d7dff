//! `GET /`: who is signed in, and which tokens the app holds for them.
//!
//! A page view asks nobody but the storage, and that only where sessions are in a table. Whatever path no other
//! function has comes here too, and gets the page for it.

use std::time::SystemTime;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    App, Kind, Result,
    pages::Page,
    request,
    response::{html, with_cookies},
    session::Visitor,
    storage,
};

/// Answers one request.
pub async fn handle(app: &App, request: &Request, now: SystemTime) -> Result<Response<Body>> {
    request::expect(request, "/", "GET, HEAD")?;

    match app.visitor(request, now).await? {
        Visitor::SignedOut => html(request, StatusCode::OK, &Page::SignedOut { expired: false }),
        Visitor::Expired(_) => html(request, StatusCode::OK, &Page::SignedOut { expired: true }),
        Visitor::Unusable(reason) => {
            tracing::info!(event = "request", outcome = "refused", reason, "a session cookie that leads to no session");
            let page = html(request, StatusCode::OK, &Page::SignedOut { expired: false })?;
            Ok(with_cookies(page, [storage::clear(&app.cookies)]))
        }
        Visitor::NeedsRenewal(_) => Err(Kind::RenewalRequired.into()),
        Visitor::SignedIn(session) => {
            let can_end_everywhere = app.storage.can_end_everywhere();
            html(request, StatusCode::OK, &Page::signed_in(&session, app.config.show_tokens, can_end_everywhere, now))
        }
    }
}

#[cfg(test)]
mod tests;
