//! `/logout`: asks on GET, ends the session on POST.
//!
//! Only a form of this site ends a session: a GET, which any site can make a browser send, changes nothing, and a POST
//! from another site is refused.

use lambda_http::{
    Body, Request, Response,
    http::{Method, StatusCode},
};
use shared::{
    App, Result, Timestamp, attempt,
    config::Address,
    globus::Globus,
    log::{self, Details, Event, Outcome},
    pages::Page,
    paths, request,
    response::{html, redirect, with_cookies},
    session::{Session, Visitor},
    storage,
};

/// The response to one request.
pub async fn handle((app, globus): &(App, Globus), request: &Request, now: Timestamp) -> Result<Response<Body>> {
    request::check_route(request, paths::LOGOUT, "GET, HEAD, POST")?;
    let address = request::address(request)?;
    if request.method() == Method::POST {
        request::check_same_origin(request, &address)?;
        return end(app, globus, request, &address).await;
    }
    match app.visitor(request, now).await? {
        Visitor::SignedIn(session) | Visitor::NeedsRenewal(session) | Visitor::Expired(session) => {
            ask(app, request, &session)
        }
        Visitor::SignedOut | Visitor::Unusable(_) => logged_out(globus, request, &address),
    }
}

fn ask(app: &App, request: &Request, session: &Session) -> Result<Response<Body>> {
    let display_name = session.identity.display_name();
    html(request, StatusCode::OK, &Page::LogOut { display_name, can_end_everywhere: app.storage.can_end_everywhere() })
}

/// The page after a logout. It has a link to Globus's logout page and does not redirect there: that page does not lead
/// back by itself.
fn logged_out(globus: &Globus, request: &Request, address: &Address) -> Result<Response<Body>> {
    let globus_logout = globus.logout_url(&address.url(paths::HOME), "this web app");
    html(request, StatusCode::OK, &Page::LoggedOut { globus_logout: &globus_logout })
}

/// First ends the session, so that it cannot be used any more. Then revokes every token, as far as Globus responds in
/// time, and removes every cookie of this site.
async fn end(app: &App, globus: &Globus, request: &Request, address: &Address) -> Result<Response<Body>> {
    let everywhere = request::field(request, "everywhere").is_some();
    let ended = if everywhere { app.storage.end_everywhere(request).await? } else { app.storage.end(request).await? };
    if let Some(session) = ended {
        globus.revoke(&session.tokens).await;
        let details = Details { session: Some(&session), everywhere: Some(everywhere), ..Details::default() };
        log::write(Event::Logout, Outcome::Success, details);
    }
    let mut cookies = attempt::removals(request, &app.cookies);
    cookies.push(storage::removal(&app.cookies));
    Ok(with_cookies(redirect(StatusCode::SEE_OTHER, &address.url(paths::LOGOUT))?, cookies))
}

#[cfg(test)]
mod tests;
