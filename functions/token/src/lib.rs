//! Gives another function, in any language, the signed-in user's access token for a Globus service.
//!
//! AWS's `lambda:Invoke` leads here, for the functions that IAM lets do so, and no request from outside. The function
//! renews nothing, and never gives a refresh token.

use serde::{Deserialize, Serialize};
use shared::{
    App, Error, Function, Kind, Result, Secret, Timestamp,
    config::Address,
    log::{self, Reason},
    paths, request,
    return_path::ReturnPath,
};

/// What the other function sends.
#[derive(Debug, Deserialize)]
pub struct Order {
    /// The cookies of the user's request: `cookies` of its event, such as `["name=value"]`; absent if it has none.
    cookies: Option<Vec<Secret>>,
    /// The service, such as `transfer.api.globus.org`.
    resource_server: String,
    /// The path that the user comes back to after a login: the one that the browser has requested. Home if absent.
    next: Option<String>,
}

/// What it gets.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// A token.
    Token {
        /// The access token, for the header `Authorization: Bearer`.
        access_token: Secret,
        /// When it expires, in seconds since the epoch.
        expires_at: u64,
    },
    /// No token is good long enough. A login or a renewal gives one.
    LogIn {
        /// The path to redirect the browser to. From there it comes back.
        login: String,
    },
    /// A failure.
    Failed {
        /// Its word. The log has the same.
        error: &'static str,
        /// What it means, for people.
        message: &'static str,
    },
}

/// The answer to one order. There always is one, since an error of the invocation says less.
pub async fn handle(function: &Function<App>, event: &str, now: Timestamp) -> Result<Answer> {
    let order = serde_json::from_str(event).map_err(|_| Kind::BadRequest(Reason::EventUnreadable).into());
    let answer = match order {
        Ok(order) => token(function, &order, now).await.or_else(|error| log_in(function, &order, error)),
        Err(error) => Err(error),
    };
    Ok(answer.unwrap_or_else(|error| {
        log::write_error(&error);
        Answer::Failed { error: error.row().reason.as_str(), message: error.row().text }
    }))
}

async fn token(function: &Function<App>, order: &Order, now: Timestamp) -> Result<Answer> {
    let request = request::with_cookies(order.cookies.as_deref().unwrap_or_default());
    let session = function.state()?.session_for_another(&request, now).await?;
    let token = session.good_token(&order.resource_server, now)?;
    let access_token = token.access_token.clone();
    Ok(Answer::Token { access_token, expires_at: token.expires().seconds() })
}

/// The way to a token, if a login or a renewal gives one; otherwise the error.
fn log_in(function: &Function<App>, order: &Order, error: Error) -> Result<Answer> {
    let Some(remedy) = error.kind().remedy() else { return Err(error) };
    log::write_error(&error);
    let address = function.site.base_url.as_ref();
    let next = order.next.as_deref().unwrap_or(paths::HOME);
    let next = ReturnPath::accept(address.map_or(next, |address| address.below(next)));
    let base = address.map_or("", Address::base);
    Ok(Answer::LogIn { login: format!("{base}{}", next.as_next_of(&remedy)) })
}

#[cfg(test)]
mod tests;
