//! `/logout`: asks on GET, ends the session on POST.
//!
//! Only a form of ours ends a session: nothing changes on GET, which any page can make a browser send, and a POST from
//! another site is refused.

use std::time::SystemTime;

use lambda_http::{
    Body, Request, Response,
    http::{Method, StatusCode},
};
use shared::{
    App, Result, attempt,
    config::Address,
    globus::Globus,
    pages::Page,
    request,
    response::{html, redirect, with_cookies},
    session::{Session, Visitor},
    storage,
};

const PATH: &str = "/logout";

/// Answers one request.
pub async fn handle((app, globus): &(App, Globus), request: &Request, now: SystemTime) -> Result<Response<Body>> {
    request::expect(request, PATH, "GET, HEAD, POST")?;
    let address = request::address(request)?;
    if request.method() == Method::POST {
        request::expect_same_origin(request, &address)?;
        return end(app, globus, request, &address).await;
    }
    match app.visitor(request, now).await? {
        Visitor::SignedIn(session) | Visitor::NeedsRenewal(session) | Visitor::Expired(session) => {
            ask(app, request, &session)
        }
        Visitor::SignedOut | Visitor::Unusable(_) => signed_out(globus, request, &address),
    }
}

fn ask(app: &App, request: &Request, session: &Session) -> Result<Response<Body>> {
    let display_name = session.identity.display_name();
    html(request, StatusCode::OK, &Page::LogOut { display_name, can_end_everywhere: app.storage.can_end_everywhere() })
}

/// The page after a logout. Globus is a link on it and no redirect: its logout page is a place to stay.
fn signed_out(globus: &Globus, request: &Request, address: &Address) -> Result<Response<Body>> {
    let globus_logout = globus.logout_url(&address.url("/"), "this web app");
    html(request, StatusCode::OK, &Page::LoggedOut { globus_logout: &globus_logout })
}

/// Ends the session first, so that nothing can be done with it any more; then every token is revoked as far as Globus
/// answers in time, and every cookie of ours is taken away.
async fn end(app: &App, globus: &Globus, request: &Request, address: &Address) -> Result<Response<Body>> {
    let everywhere = request::field(request, "everywhere").is_some();
    let ended = if everywhere { app.storage.end_everywhere(request).await? } else { app.storage.end(request).await? };
    if let Some(session) = ended {
        globus.revoke(&session.tokens).await;
        let (id, sub) = (session.log_id(), &session.identity.sub);
        tracing::info!(event = "logout", outcome = "success", everywhere, session = id, sub, "logged out");
    }
    let mut cookies = attempt::clear_all(request, &app.cookies);
    cookies.push(storage::clear(&app.cookies));
    Ok(with_cookies(redirect(StatusCode::SEE_OTHER, &address.url(PATH))?, cookies))
}

#[cfg(test)]
mod tests;
