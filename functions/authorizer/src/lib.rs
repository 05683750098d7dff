//! A Lambda authorizer of HTTP APIs: it tells API Gateway who sent a request, and whether to pass it on to the function
//! behind the route, which can be in any language.
//!
//! It decides by the session cookie, as a page does. No other header, and no path, can let a request through.
//!
//! Format of event and result (payload 2.0, simple responses):
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>

mod verdict;

use lambda_http::Request;
use shared::{
    App, Error, Function, Kind, Result, Timestamp,
    config::{AuthorizerMode, Environment, Reading},
    log, paths, request,
};

pub use verdict::Verdict;

/// Adds the mode to an app that was read.
pub fn read(app: Reading<App>, env: &Environment<'_>) -> Reading<(App, AuthorizerMode)> {
    let mode = AuthorizerMode::read(env);
    Ok((app?, mode?))
}

/// The verdict on one request. If this site has failed, an error: API Gateway then lets no request through, and responds
/// with 500. Any other error is a denial.
pub async fn handle(function: &Function<(App, AuthorizerMode)>, event: &str, now: Timestamp) -> Result<Verdict> {
    match judge(function, event, now).await {
        Err(error) if !error.row().status.is_server_error() => {
            log::write_error(&error);
            Ok(Verdict::Denied)
        }
        verdict => verdict,
    }
}

async fn judge(function: &Function<(App, AuthorizerMode)>, event: &str, now: Timestamp) -> Result<Verdict> {
    let request = function.request(event)?;
    let (app, mode) = function.state()?;
    // Another site can make a browser send a form, with the user's cookies (CSRF).
    request::check_origin(&request)?;
    match app.session_for_another(&request, now).await {
        Ok(session) => Ok(Verdict::SignedIn { who: session.who().collect(), expires: app.expires(&session) }),
        Err(error)
            if *mode == AuthorizerMode::Visitor
                && error.kind().remedy().is_some()
                && request::is_for_page(&request) =>
        {
            log::write_error(&error);
            Ok(Verdict::Visitor { login: login(&request, &error) })
        }
        Err(error) => Err(error),
    }
}

/// The path where the user gets a session that is good, and comes back. A renewal without a session becomes a login.
fn login(request: &Request, error: &Error) -> String {
    let remedy = error.kind().remedy().filter(|_| matches!(error.kind(), Kind::CheckRequired(_)));
    request::leading_back(request, remedy.as_deref().unwrap_or(paths::RENEW))
}

#[cfg(test)]
mod tests;
