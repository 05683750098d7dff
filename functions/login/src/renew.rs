//! `/login?refresh`: renews the tokens that expire soon. With GET, the browser then returns to the page that the user
//! wanted, or goes on to a new sign-in if only that helps. With POST, a script of this site's pages is told which of the two.

use cookie::Cookie;
use lambda_http::{Body, Response};
use shared::{
    Error, Kind, Result,
    globus::Renewed,
    log::{self, Details, Event, Outcome, Reason},
    response::{no_content, with_cookies},
    rules::{Refusal, Unmet},
    session::{Session, Token, Visitor},
    storage::{self, Kept, Lease, Renewal},
    timestamp::SKEW,
};

use crate::{
    Visit,
    admission::{self, Checked},
    begin,
};

/// What the client does next.
enum Next {
    /// It goes on with the tokens that the session has now.
    GoOn,
    /// It learns that the session has ended in the meantime.
    Ended,
    /// It signs in anew: there is no session, or it was refused for this reason. If `log_in_again`, an access rule needs
    /// another login at Globus.
    SignIn { log_in_again: bool, refused: Option<(Reason, Box<Session>)> },
}

/// Renews the tokens ([RFC 6749 section 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)). If only a new sign-in helps,
/// one begins.
pub(crate) async fn for_browser(visit: &Visit<'_>) -> Result<Response<Body>> {
    let (next, cookies) = renew(visit).await?;
    let response = match next {
        Next::GoOn | Next::Ended => visit.redirect_to(visit.next.as_str())?,
        Next::SignIn { log_in_again, refused } => {
            if let Some((reason, session)) = refused {
                log_result(Outcome::Refused, Some(reason), &session);
            }
            // If no login can begin, the browser must still not keep a session that has ended.
            begin(visit, log_in_again).map_err(|error| cookies.iter().cloned().fold(error, Error::with_cookie))?
        }
    };
    Ok(with_cookies(response, cookies))
}

/// The same for a script: 204 or, if only a new sign-in helps, 401 with its path. So a form that was filled in is not lost
/// to a redirect.
pub(crate) async fn for_script(visit: &Visit<'_>) -> Result<Response<Body>> {
    let (next, cookies) = renew(visit).await?;
    match next {
        Next::GoOn => Ok(with_cookies(no_content(), cookies)),
        Next::Ended | Next::SignIn { .. } => {
            let error = Error::from(Kind::SignInRequired).during(Event::Renewal);
            Err(cookies.into_iter().fold(error, Error::with_cookie))
        }
    }
}

async fn renew(visit: &Visit<'_>) -> Result<(Next, Vec<Cookie<'static>>)> {
    admission::check_same_rules(visit).await.map_err(|error| error.during(Event::Renewal))?;
    let renewal = visit.app.storage.begin_renewal(visit.request, visit.now).await;
    match renewal.map_err(|error| error.during(Event::Renewal))? {
        Renewal::Ours(session, lease) => carry_out(visit, *session, lease).await,
        Renewal::NotNeeded => Ok((Next::GoOn, Vec::new())),
        Renewal::SignInNeeded => Ok((Next::SignIn { log_in_again: false, refused: None }, Vec::new())),
        Renewal::LoginNeeded => Ok((Next::SignIn { log_in_again: true, refused: None }, Vec::new())),
    }
}

async fn carry_out(visit: &Visit<'_>, mut session: Session, lease: Lease) -> Result<(Next, Vec<Cookie<'static>>)> {
    let Visit { app, globus, request, now, .. } = visit;
    let before = session.clone();
    // By a clock ahead, as that of the function may be that sent the browser here: it would send the browser back at once.
    let (limits, ahead) = (app.config.limits(), *now + SKEW);
    let check_is_due = session.check_is_due(&limits, ahead);
    let Renewed { tokens, mut failures } = globus.refresh(&session, *now).await;
    session.replace_tokens(tokens.clone());
    let code_refused = failures.iter().any(|failure| *failure.kind() == Kind::CodeRefused);
    let mut sign_in_because = code_refused.then_some(Reason::CodeRefused);
    if check_is_due && !code_refused {
        match admission::check(visit, &mut session).await {
            Ok(Checked::Refused(refusal)) => return refuse(visit, session, &refusal).await,
            Ok(Checked::WithoutToken) if failures.is_empty() => sign_in_because = Some(Reason::CheckTokenRefused),
            // Its token may only have expired, since its renewal has failed: then the next try helps, and no login is needed.
            Ok(Checked::WithoutToken | Checked::Admitted) => {}
            Err(error) => failures.push(error),
        }
    }

    let goes_on = if failures.is_empty() {
        session.note_renewal(*now);
        true
    } else {
        session.is_admitted(&limits, ahead) && session.note_failure(*now)
    };
    let cookie = match keep(visit, lease, &session, &tokens, &before.tokens).await? {
        Kept::Yes(cookie) => cookie,
        Kept::No(visitor) if visitor.living().is_some() => return Ok((Next::GoOn, Vec::new())),
        Kept::No(_) => return Ok((Next::Ended, Vec::new())),
    };
    let cookies = cookie.into_iter().flat_map(|cookie| storage::keeping(request, &app.cookies, cookie));
    if let Some(reason) = sign_in_because {
        // If two tabs renew at once, the other may have succeeded: a cookie with nothing new must not replace its cookie.
        let new = cookies.filter(|_| !tokens.is_empty()).collect();
        return Ok((Next::SignIn { log_in_again: false, refused: Some((reason, session.into())) }, new));
    }
    match failures.into_iter().next() {
        None => log_result(Outcome::Success, None, &session),
        Some(failure) if goes_on => log_result(Outcome::Failure, Some(failure.row().reason), &session),
        // Here too, only a cookie with something new may replace that of another tab.
        Some(failure) => {
            let new = cookies.filter(|_| session != before);
            return Err(new.fold(failure.during(Event::Renewal), Error::with_cookie));
        }
    }
    Ok((Next::GoOn, cookies.collect()))
}

/// Keeps the renewed session, or revokes the new tokens if it could not be kept: nothing else could ever use or revoke them.
async fn keep(visit: &Visit<'_>, lease: Lease, session: &Session, new: &[Token], before: &[Token]) -> Result<Kept> {
    let Visit { app, globus, request, now, .. } = visit;
    let kept = app.storage.finish_renewal(request, lease, session, *now).await;
    match &kept {
        Ok(Kept::Yes(_)) => {}
        // Logged out in the meantime.
        Ok(Kept::No(visitor)) => {
            globus.revoke(new, visitor.tokens()).await;
        }
        Err(_) => {
            // The session may be kept all the same: the response to the write was lost.
            let visitor = app.visitor(request, *now).await;
            globus.revoke(new, visitor.as_ref().map_or(before, Visitor::tokens)).await;
        }
    }
    kept.map_err(|error| error.during(Event::Renewal))
}

/// Ends a session whose user the access rules no longer let in, and revokes its tokens. If another login may help, one
/// begins.
async fn refuse(visit: &Visit<'_>, session: Session, refusal: &Refusal) -> Result<(Next, Vec<Cookie<'static>>)> {
    let removals = admission::end_session(visit, &session.tokens, Event::Renewal).await;
    if refusal.can_be_cured() {
        let log_in_again = refusal.unmet.contains(&Unmet::Age);
        let refused = refusal.reason().map(|reason| (reason, session.into()));
        return Ok((Next::SignIn { log_in_again, refused }, removals));
    }
    let error = admission::denied(visit, &session.identity, refusal);
    Err(removals.into_iter().fold(error.during(Event::Renewal), Error::with_cookie))
}

fn log_result(outcome: Outcome, reason: Option<Reason>, session: &Session) {
    log::write(Event::Renewal, outcome, Details { reason, session: Some(session), ..Details::default() });
}
