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
    config::Origin,
    globus::Globus,
    pages::Page,
    request,
    response::{html, redirect, with_cookies},
    session::{self, Session, Visitor},
};

const PATH: &str = "/logout";

/// Answers one request.
pub async fn handle((app, globus): &(App, Globus), request: &Request, now: SystemTime) -> Result<Response<Body>> {
    request::expect(request, PATH, "GET, HEAD, POST")?;
    let address = request::address(app, request)?;
    if request.method() == Method::POST {
        request::expect_same_origin(request, &address)?;
        return end(app, globus, request, &address, now).await;
    }
    match app.visitor(request, now) {
        Visitor::SignedIn(session) | Visitor::Expired(session) => ask(&session),
        Visitor::SignedOut | Visitor::Unreadable => signed_out(globus, &address),
    }
}

fn ask(session: &Session) -> Result<Response<Body>> {
    html(StatusCode::OK, &Page::LogOut { display_name: session.identity.display_name() })
}

/// The page after a logout. Globus is a link on it and no redirect: its logout page is a place to stay.
fn signed_out(globus: &Globus, address: &Origin) -> Result<Response<Body>> {
    let globus_logout = globus.logout_url(&address.url("/"), "this web app");
    html(StatusCode::OK, &Page::LoggedOut { globus_logout: &globus_logout })
}

/// Ends the session: every token is revoked as far as Globus answers in time, and every cookie of ours is taken away.
async fn end(
    app: &App,
    globus: &Globus,
    request: &Request,
    address: &Origin,
    now: SystemTime,
) -> Result<Response<Body>> {
    if let Visitor::SignedIn(session) | Visitor::Expired(session) = app.visitor(request, now) {
        globus.revoke(&session.tokens).await;
        tracing::info!(event = "logout", outcome = "success", sub = %session.identity.sub, "logged out");
    }
    let mut cookies = attempt::clear_all(request, &app.cookies);
    cookies.push(session::clear(&app.cookies));
    Ok(with_cookies(redirect(StatusCode::SEE_OTHER, &address.url(PATH))?, cookies))
}

#[cfg(test)]
mod tests;
