//! `GET /login`: begins a sign-in at Globus Auth, completes it, and renews its tokens.
//!
//! The same address is the redirect URI. With `code` or `error` in the query the browser comes back from Globus; with
//! `refresh` it comes to renew tokens; otherwise it is sent to Globus. The protocol is the authorization code grant with
//! PKCE, as in OpenID Connect Core section 3.1 and [RFC 9700](https://www.rfc-editor.org/rfc/rfc9700).

mod callback;
mod renew;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    App, Kind, Result, Timestamp,
    attempt::{self, Attempt},
    config::Address,
    globus::Globus,
    log::{self, Details, Event, Outcome},
    paths,
    request::{self, parameter},
    response::{redirect, with_cookies},
    return_path::ReturnPath,
    session::{Session, Visitor},
    storage::Created,
};

use callback::Callback;

/// One request, and all that is needed to respond to it.
struct Visit<'a> {
    app: &'a App,
    globus: &'a Globus,
    request: &'a Request,
    address: Address,
    now: Timestamp,
}

impl Visit<'_> {
    /// The page to show afterwards.
    fn next(&self) -> Result<ReturnPath> {
        Ok(ReturnPath::parse(&parameter(self.request, "next")?.unwrap_or_default()))
    }

    /// A redirect to a page of this site.
    fn redirect_to(&self, path: &str) -> Result<Response<Body>> {
        redirect(StatusCode::FOUND, &self.address.url(path))
    }
}

/// The response to one request.
pub async fn handle((app, globus): &(App, Globus), request: &Request, now: Timestamp) -> Result<Response<Body>> {
    request::check_route(request, paths::LOGIN, "GET, HEAD")?;
    if !request::wants_html(request) {
        return Err(Kind::SignInRequired.into());
    }
    if !request::is_navigation(request) {
        return Err(Kind::NotNavigation.into());
    }
    let visit = Visit { app, globus, request, address: request::address(request)?, now };
    if let Some(callback) = Callback::parse(request)? {
        complete(&visit, callback).await
    } else if parameter(request, "refresh")?.is_some() {
        renew::renew(&visit).await
    } else {
        begin(&visit)
    }
}

/// Sends the browser to Globus, with a sealed cookie that recognizes it when it comes back.
fn begin(visit: &Visit<'_>) -> Result<Response<Body>> {
    let Visit { app, globus, request, address, now } = visit;
    let next = visit.next()?;
    // A cookie that is set under another host name is not sent when the browser comes back to ours. Moved once only: a
    // proxy may use another name than the browser.
    if request::is_elsewhere(request, address) && parameter(request, "moved")?.is_none() {
        return visit.redirect_to(&format!("{}?moved&next={}", paths::LOGIN, next.encoded()));
    }
    let (attempt, globus_url) = globus.begin(&address.url(paths::LOGIN), next, *now)?;
    let cookies = attempt.keep(request, &app.cookies)?;
    Ok(with_cookies(redirect(StatusCode::FOUND, &globus_url)?, cookies))
}

/// Receives the browser from Globus. The attempt is spent, whatever the result.
async fn complete(visit: &Visit<'_>, callback: Callback) -> Result<Response<Body>> {
    let Visit { app, request, now, .. } = visit;
    let attempt = match Attempt::find(request, &app.cookies, &callback.state, *now) {
        Ok(attempt) => attempt,
        // The page was loaded again, or is one of the history: a signed-in user needs no new session.
        Err(error) => match app.visitor(request, *now).await? {
            Visitor::SignedIn(_) | Visitor::NeedsRenewal(_) => return visit.redirect_to(paths::HOME),
            _ => return Err(error),
        },
    };
    let spent = attempt::removal(&app.cookies, &callback.state);
    match finish(visit, &attempt, callback).await {
        Ok(response) => Ok(with_cookies(response, [spent])),
        Err(error) => Err(error.with_cookie(spent)),
    }
}

/// From the callback to a session.
async fn finish(visit: &Visit<'_>, attempt: &Attempt, callback: Callback) -> Result<Response<Body>> {
    let Visit { app, globus, request, address, now } = visit;
    let code = callback.code(&app.config.globus_auth)?;
    let signed_in = globus.complete(code, attempt, &address.url(paths::LOGIN), *now).await?;
    let session = Session::new(signed_in.identity, signed_in.tokens, *now);
    let Created { cookie, replaced } = match app.storage.create(request, &session, *now).await {
        Ok(created) => created,
        Err(error) => {
            // No session has these tokens: nothing else could ever use or revoke them.
            globus.revoke(&session.tokens).await;
            return Err(error.during(Event::SignIn));
        }
    };
    // Tokens of the same user stay: Globus may have given one of them again.
    if let Some(old) = replaced.filter(|old| old.identity.sub != session.identity.sub) {
        globus.revoke(&old.tokens).await;
    }
    log::write(Event::SignIn, Outcome::Success, Details { session: Some(&session), ..Details::default() });
    Ok(with_cookies(visit.redirect_to(attempt.next.as_str())?, [cookie]))
}

#[cfg(test)]
mod tests;
