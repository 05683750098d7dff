//! `GET /login`: begins a sign-in at Globus Auth, completes it, and renews its tokens.
//!
//! The same address is the redirect URI. With `code` or `error` in the query the browser comes back from Globus; with
//! `refresh` it comes to renew tokens; otherwise it is sent to Globus. A script of this site's pages renews them with
//! `POST /login?refresh`. The protocol is the authorization code grant with PKCE, as in OpenID Connect Core section 3.1 and
//! [RFC 9700](https://www.rfc-editor.org/rfc/rfc9700).

mod admission;
mod callback;
mod renew;

use cookie::Cookie;
use lambda_http::{
    Body, Request, Response,
    http::{Method, StatusCode},
};
use shared::{
    App, Error, Kind, Result, Timestamp,
    attempt::{Attempt, Intent},
    config::{Address, Environment, Reading},
    cookies::MAX_COOKIE,
    globus::{Globus, SignedIn},
    log::{self, Details, Event, Outcome, Reason},
    logout_mark, paths,
    request::{self, parameter},
    response::{redirect, with_cookies},
    return_path::ReturnPath,
    session::{self, Session, Visitor},
    storage::{self, Created},
};

use admission::Checked;
use callback::Callback;

/// One request, and all that is needed to respond to it.
struct Visit<'a> {
    app: &'a App,
    globus: &'a Globus,
    request: &'a Request,
    address: Address,
    /// The page to show afterwards.
    next: ReturnPath,
    now: Timestamp,
}

impl Visit<'_> {
    /// A redirect to a page of this site.
    fn redirect_to(&self, path: &str) -> Result<Response<Body>> {
        redirect(StatusCode::FOUND, &self.address.url(path))
    }
}

/// Adds the client of Globus to an app that was read. If sessions with tokens for the configured scopes cannot be kept, the
/// log says so at once, and not only when users log in.
pub fn read(app: Reading<App>, env: &Environment<'_>) -> Reading<(App, Globus)> {
    let (app, globus) = App::with_globus(app, env)?;
    if let Some(session) = globus.usual_session()
        && let Err(error) = app.storage.check_size(&session)
        && let Kind::SessionTooLarge(size) = error.kind()
    {
        let detail = format!("{} services, about {size} bytes, at most {MAX_COOKIE}", session.tokens.len());
        let details = Details { detail: Some(&detail), ..Reason::TooManyScopes.into() };
        log::write(Event::Start, Outcome::Failure, details);
    }
    Ok((app, globus))
}

/// The response to one request.
pub async fn handle((app, globus): &(App, Globus), request: &Request, now: Timestamp) -> Result<Response<Body>> {
    let renewal = parameter(request, "refresh")?.is_some();
    // A script renews. No form leads here.
    let methods = if renewal && !request::wants_html(request) { "GET, HEAD, POST" } else { "GET, HEAD" };
    request::check_route(request, paths::LOGIN, methods)?;
    let of_script = request.method() == Method::POST;
    if !of_script && !request::wants_html(request) {
        return Err(Kind::SignInRequired.into());
    }
    let next = parameter(request, "next")?.map_or_else(ReturnPath::home, |next| ReturnPath::accept(&next));
    if !of_script && !request::is_navigation(request) {
        return Err(Error::from(Kind::NotNavigation).returning_to(next));
    }
    let visit = Visit { app, globus, request, address: request::address(request)?, next, now };
    if of_script {
        return renew::for_script(&visit).await.map_err(|error| error.returning_to(visit.next.clone()));
    }
    if let Some(callback) = Callback::parse(request)? {
        return complete(&visit, callback).await;
    }
    let response = if renewal { renew::for_browser(&visit).await } else { begin(&visit, false) };
    response.map_err(|error| error.returning_to(visit.next.clone()))
}

/// Begins a sign-in. With `log_in_again`, an access rule needs another login at Globus.
fn begin(visit: &Visit<'_>, log_in_again: bool) -> Result<Response<Body>> {
    let Visit { request, address, next, .. } = visit;
    let other_account = parameter(request, "account")?.is_some_and(|account| account == "other");
    // A cookie that is set under another host name is not sent when the browser comes back to ours. Moved once only: a
    // proxy may use another name than the browser.
    if request::is_elsewhere(request, address) && parameter(request, "moved")?.is_none() {
        let account = if other_account { "&account=other" } else { "" };
        return visit.redirect_to(&format!("{}?moved&next={}{account}", paths::LOGIN, next.encoded()));
    }
    send_to_globus(visit, Intent { next: next.clone(), other_account, log_in_again }, None)
}

/// Sends the browser to Globus, with a sealed cookie that recognizes it when it comes back. `spent` removes the cookie of
/// the attempt before.
fn send_to_globus(visit: &Visit<'_>, intent: Intent, spent: Option<Cookie<'static>>) -> Result<Response<Body>> {
    let Visit { app, globus, request, address, now, .. } = visit;
    let begun = visit.now.max(logout_mark::read(request, &app.cookies, *now));
    let (attempt, globus_url) = globus.begin(&address.url(paths::LOGIN), intent, begun)?;
    let kept = attempt.keep(request, &app.cookies)?;
    // The removal comes first: the new attempt may be in the same slot.
    Ok(with_cookies(redirect(StatusCode::FOUND, &globus_url)?, spent.into_iter().chain([kept])))
}

/// Receives the browser from Globus. The attempt is spent, whatever the result.
async fn complete(visit: &Visit<'_>, callback: Callback) -> Result<Response<Body>> {
    let (attempt, spent) = match Attempt::find(visit.request, &visit.app.cookies, &callback.state, visit.now) {
        Ok(found) => found,
        Err(error) => return without_attempt(visit, error).await,
    };
    match finish(visit, &attempt, callback).await {
        Ok(Some(response)) => Ok(with_cookies(response, [spent])),
        Ok(None) => send_to_globus(visit, Intent { log_in_again: true, ..attempt.intent }, Some(spent)),
        Err(error) => Err(attempt.ended_by(error.with_cookie(spent))),
    }
}

/// A callback that is forged or late, or was loaded again from the history. A signed-in user needs no new session, but is
/// not taken for one who asked for another account.
async fn without_attempt(visit: &Visit<'_>, error: Error) -> Result<Response<Body>> {
    let visitor = visit.app.visitor(visit.request, visit.now).await?;
    let Some(session) = visitor.living().filter(|_| !error.other_account) else {
        return Err(error);
    };
    let details = Details { session: Some(session), ..error.row().reason.into() };
    log::write(Event::SignIn, Outcome::Refused, details);
    let response = visit.redirect_to(error.next.as_ref().map_or(paths::HOME, ReturnPath::as_str))?;
    Ok(with_cookies(response, error.cookies))
}

/// From the callback to a session; none if an access rule needs another login at Globus first.
async fn finish(visit: &Visit<'_>, attempt: &Attempt, callback: Callback) -> Result<Option<Response<Body>>> {
    let Visit { app, globus, request, address, now, .. } = visit;
    let code = callback.code(&app.config.globus_auth)?;
    let present = app.visitor(request, *now).await.map_err(|error| error.during(Event::SignIn))?;
    // If the sign-in fails, the present session stays, and Globus may have given its tokens once more.
    let in_use = present.living().map(|session| session.tokens.as_slice()).unwrap_or_default();
    let id = session::new_id()?;
    let SignedIn { identity, tokens } =
        globus.complete(code, attempt, &address.url(paths::LOGIN), in_use, *now).await?;
    let logout = logout_mark::read(request, &app.cookies, *now);
    // Not before the last logout, even if another instance marked that one by a clock that is ahead.
    let mut session = Session::new(id, identity, tokens, logout.max(*now));
    let created = match present.living() {
        Some(other) if other.identity.sub != session.identity.sub && !attempt.intent.other_account => {
            Err(Kind::OtherUser.into())
        }
        _ => create(visit, &mut session, &attempt.intent).await,
    };
    let Created { cookie, replaced } = match created {
        Ok(Some(created)) => created,
        not_created => {
            // No session has these tokens: nothing else could ever use or revoke them.
            globus.revoke(&session.tokens, in_use).await;
            let Err(error) = not_created else { return Ok(None) };
            return Err(end_if_denied(visit, &present, &session.identity.sub, error).await.during(Event::SignIn));
        }
    };
    // The tokens of the same user's session stay, unless a logout was to revoke them: other sessions may have them too.
    let orphaned = |old: &Session| old.identity.sub != session.identity.sub || old.begun() < logout;
    let orphans: Vec<_> = replaced.into_iter().filter(orphaned).flat_map(|old| old.tokens).collect();
    globus.revoke(&orphans, &session.tokens).await;
    log::write(Event::SignIn, Outcome::Success, Details { session: Some(&session), ..Details::default() });
    let cookies = storage::keeping(request, &app.cookies, cookie);
    Ok(Some(with_cookies(visit.redirect_to(attempt.intent.next.as_str())?, cookies)))
}

/// Keeps a new session, if the access rules let its user in; none if they need another login first.
async fn create(visit: &Visit<'_>, session: &mut Session, intent: &Intent) -> Result<Option<Created>> {
    // Globus is told only once to ask for a login.
    let was_asked_for = intent.log_in_again || intent.other_account;
    match admission::check(visit, session).await? {
        Checked::Admitted => visit.app.storage.create(visit.request, session, visit.now).await.map(Some),
        Checked::Refused(refusal) if refusal.needs_login() && !was_asked_for => Ok(None),
        Checked::Refused(refusal) => Err(admission::denied(visit, &session.identity, &refusal)),
        Checked::WithoutToken => Err(Kind::ResponseRefused(Reason::CheckTokenRefused).into()),
    }
}

/// Ends the session that a user who may not come in still has in this browser, as its next check would, and revokes its
/// tokens: the page that says so would otherwise lead on into the site.
async fn end_if_denied(visit: &Visit<'_>, present: &Visitor, sub: &str, error: Error) -> Error {
    let is_theirs = present.living().is_some_and(|session| session.identity.sub == sub);
    if !is_theirs || !matches!(error.kind(), Kind::NotAdmitted(_)) {
        return error;
    }
    let removals = admission::end_session(visit, present.tokens(), Event::SignIn).await;
    removals.into_iter().fold(error, Error::with_cookie)
}

#[cfg(test)]
mod tests;
