//! `GET /login`: begins a sign-in at Globus Auth, and completes it.
//!
//! The same address is the redirect URI: with `code` or `error` in the query a person comes back from Globus, with
//! `refresh` they come to have their tokens renewed, otherwise they want to go to Globus. The authorization code grant
//! with PKCE, as OpenID Connect Core section 3.1 and [RFC 9700](https://www.rfc-editor.org/rfc/rfc9700) describe it.

mod renew;

use std::time::SystemTime;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{
    App, Error, Kind, Result,
    attempt::{self, Attempt},
    config::Address,
    globus::Globus,
    request::{self, parameter},
    response::{redirect, with_cookies},
    return_path::ReturnPath,
    session::{Session, Visitor},
};

/// Where this function is; also the redirect URI to register at Globus.
const PATH: &str = "/login";

/// One request, and all that it takes to answer it.
struct Visit<'a> {
    app: &'a App,
    globus: &'a Globus,
    request: &'a Request,
    address: Address,
    now: SystemTime,
}

impl Visit<'_> {
    /// Where to land afterwards.
    fn next(&self) -> Result<ReturnPath> {
        Ok(ReturnPath::parse(&parameter(self.request, "next")?.unwrap_or_default()))
    }

    /// Sends the person to a page of this site.
    fn lead_to(&self, path: &str) -> Result<Response<Body>> {
        redirect(StatusCode::FOUND, &self.address.url(path))
    }
}

/// Answers one request.
pub async fn handle((app, globus): &(App, Globus), request: &Request, now: SystemTime) -> Result<Response<Body>> {
    request::expect(request, PATH, "GET, HEAD")?;
    if !request::wants_html(request) {
        return Err(Kind::SignInRequired.into());
    }
    if !request::is_navigation(request) {
        return Err(Kind::NotNavigation.into());
    }
    let visit = Visit { app, globus, request, address: request::address(request)?, now };
    if parameter(request, "code")?.is_some() || parameter(request, "error")?.is_some() {
        complete(&visit).await
    } else if parameter(request, "refresh")?.is_some() {
        renew::renew(&visit).await
    } else {
        begin(&visit)
    }
}

/// Sends the person to Globus, with a sealed cookie that will know them again.
fn begin(visit: &Visit<'_>) -> Result<Response<Body>> {
    let Visit { app, globus, request, address, now } = visit;
    let next = visit.next()?;
    // A cookie set under another host name would not be there when the person comes back to ours. Once is enough: a
    // proxy may well use another name for us than people do.
    if request::is_elsewhere(request, address) && parameter(request, "moved")?.is_none() {
        return visit.lead_to(&format!("{PATH}?moved&next={}", next.encoded()));
    }
    let (attempt, globus_url) = globus.begin(&address.url(PATH), next, *now)?;
    let cookies = attempt.keep(request, &app.cookies)?;
    Ok(with_cookies(redirect(StatusCode::FOUND, &globus_url)?, cookies))
}

/// Takes the person back from Globus. Whatever comes of it, the attempt is spent.
async fn complete(visit: &Visit<'_>) -> Result<Response<Body>> {
    let Visit { app, request, now, .. } = visit;
    let state = parameter(request, "state")?.unwrap_or_default();
    let attempt = match Attempt::find(request, &app.cookies, &state, *now) {
        Ok(attempt) => attempt,
        // Loaded again, or gone back to: whoever is signed in already has what they came for.
        Err(error) => match app.visitor(request, *now).await? {
            Visitor::SignedIn(_) | Visitor::NeedsRenewal(_) => return visit.lead_to("/"),
            _ => return Err(error),
        },
    };
    let spent = attempt::clear(&app.cookies, &state);
    match finish(visit, &attempt).await {
        Ok(response) => Ok(with_cookies(response, [spent])),
        Err(error) => Err(error.with_cookie(spent)),
    }
}

/// From the callback's parameters to a session.
async fn finish(visit: &Visit<'_>, attempt: &Attempt) -> Result<Response<Body>> {
    let Visit { app, globus, request, address, now } = visit;
    // A code from another authorization server has no business here (RFC 9207).
    if parameter(request, "iss")?.is_some_and(|iss| iss != app.config.globus_auth.as_str()) {
        return Err(Kind::AnswerRefused("callback_issuer").into());
    }
    if let Some(error) = parameter(request, "error")? {
        return Err(refusal(&error));
    }
    let code = parameter(request, "code")?.ok_or(Kind::BadRequest("code_missing"))?;

    let signed_in = globus.complete(code, attempt, &address.url(PATH), *now).await?;
    let session = Session::new(signed_in.identity, signed_in.tokens, *now);
    let cookie = match app.storage.create(request, &session, *now).await {
        Ok(cookie) => cookie,
        Err(error) => {
            // Nobody could ever use or revoke these tokens again.
            globus.revoke(&session.tokens).await;
            return Err(error.during("sign_in"));
        }
    };
    let (id, sub) = (session.log_id(), &session.identity.sub);
    tracing::info!(event = "sign_in", outcome = "success", session = id, sub, "signed in");
    Ok(with_cookies(visit.lead_to(attempt.next.as_str())?, [cookie]))
}

/// What Globus's error code means. The code comes in the address bar, where anybody can write: only known ones are named.
///
/// [RFC 6749 section 4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)
fn refusal(error: &str) -> Error {
    let kind = match error {
        "access_denied" => Kind::Denied,
        "temporarily_unavailable" => Kind::GlobusUnavailable("temporarily_unavailable"),
        "server_error" => Kind::GlobusUnavailable("server_error"),
        "invalid_scope" => Kind::GlobusRefused("invalid_scope"),
        "invalid_request" => Kind::GlobusRefused("invalid_request"),
        "unauthorized_client" => Kind::GlobusRefused("unauthorized_client"),
        "login_required" => Kind::GlobusRefused("login_required"),
        _ => Kind::GlobusRefused("unknown_error"),
    };
    kind.into()
}

#[cfg(test)]
mod tests;
