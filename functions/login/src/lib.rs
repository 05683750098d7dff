//! `GET /login`: begins a sign-in at Globus Auth, completes it, and renews its tokens.
//!
//! The same address is the redirect URI. With `code` or `error` in the query the browser comes back from Globus; with
//! `refresh` it comes to renew tokens; otherwise it is sent to Globus. The protocol is the authorization code grant with
//! PKCE, as in OpenID Connect Core section 3.1 and [RFC 9700](https://www.rfc-editor.org/rfc/rfc9700).

mod callback;
mod renew;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    App, Error, Kind, Result, Timestamp,
    attempt::Attempt,
    config::Address,
    globus::{Globus, SignedIn},
    log::{self, Details, Event, Outcome},
    logout_mark, paths,
    request::{self, parameter},
    response::{redirect, with_cookies},
    return_path::ReturnPath,
    session::{self, Session},
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
    let begun = visit.now.max(logout_mark::read(request, &app.cookies, *now));
    let (attempt, globus_url) = globus.begin(&address.url(paths::LOGIN), next, begun)?;
    let kept = attempt.keep(request, &app.cookies)?;
    Ok(with_cookies(redirect(StatusCode::FOUND, &globus_url)?, [kept]))
}

/// Receives the browser from Globus. The attempt is spent, whatever the result.
async fn complete(visit: &Visit<'_>, callback: Callback) -> Result<Response<Body>> {
    let (attempt, spent) = match Attempt::find(visit.request, &visit.app.cookies, &callback.state, visit.now) {
        Ok(found) => found,
        Err(error) => return without_attempt(visit, error).await,
    };
    match finish(visit, &attempt, callback).await {
        Ok(response) => Ok(with_cookies(response, [spent])),
        Err(error) => Err(error.with_cookie(spent)),
    }
}

/// A callback that is forged, or was loaded again from the history. A signed-in user needs no new session.
async fn without_attempt(visit: &Visit<'_>, error: Error) -> Result<Response<Body>> {
    let visitor = visit.app.visitor(visit.request, visit.now).await?;
    let Some(session) = visitor.living() else {
        return Err(error);
    };
    let details = Details { session: Some(session), ..error.row().reason.into() };
    log::write(Event::SignIn, Outcome::Refused, details);
    visit.redirect_to(paths::HOME)
}

/// From the callback to a session.
async fn finish(visit: &Visit<'_>, attempt: &Attempt, callback: Callback) -> Result<Response<Body>> {
    let Visit { app, globus, request, address, now } = visit;
    let code = callback.code(&app.config.globus_auth)?;
    let present = app.visitor(request, *now).await.map_err(|error| error.during(Event::SignIn))?;
    let id = session::new_id()?;
    let SignedIn { identity, tokens } = globus.complete(code, attempt, &address.url(paths::LOGIN), *now).await?;
    let logout = logout_mark::read(request, &app.cookies, *now);
    // Not before the last logout, even if another instance marked that one by a clock that is ahead.
    let session = Session::new(id, identity, tokens, logout.max(*now));
    let created = match present.living() {
        Some(other) if other.identity.sub != session.identity.sub => Err(Kind::OtherUser.into()),
        _ => app.storage.create(request, &session, *now).await,
    };
    let Created { cookie, removal, replaced } = match created {
        Ok(created) => created,
        Err(error) => {
            // No session has these tokens: nothing else could ever use or revoke them.
            globus.revoke(&session.tokens).await;
            return Err(error.during(Event::SignIn));
        }
    };
    // The tokens of the same user's session stay, unless a logout was to revoke them: other sessions may have them too.
    if let Some(old) = replaced.filter(|old| old.identity.sub != session.identity.sub || old.begun() < logout) {
        globus.revoke_unless_in(&old.tokens, &session.tokens).await;
    }
    log::write(Event::SignIn, Outcome::Success, Details { session: Some(&session), ..Details::default() });
    Ok(with_cookies(visit.redirect_to(attempt.next.as_str())?, [cookie].into_iter().chain(removal)))
}

#[cfg(test)]
mod tests;
