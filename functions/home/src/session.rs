//! `GET /session`: who is logged in, and until when, for the scripts of this site's pages. It gives no token, and does not
//! count as a use of the session.

use lambda_http::{Body, Request, Response, http::StatusCode};
use serde_json::{Map, Value};
use shared::{App, Result, Timestamp, paths, request, response::json};

/// The response to one request: a 401 says where to log in.
pub(crate) async fn handle(app: &App, request: &Request, now: Timestamp) -> Result<Response<Body>> {
    request::check_route(request, paths::SESSION, "GET, HEAD")?;
    request::check_reader(request)?;
    let session = app.look_at_session(request, now).await?;

    let base = request::base(request);
    let mut body: Map<_, _> = session.who().map(|(key, text)| (key.to_owned(), Value::from(text))).collect();
    body.insert("expires".to_owned(), app.expires(&session).seconds().into());
    for (key, path) in [("login", paths::RENEW), ("logout", paths::LOGOUT)] {
        body.insert(key.to_owned(), format!("{base}{path}").into());
    }
    Ok(json(StatusCode::OK, &Value::Object(body)))
}

#[cfg(test)]
mod tests;
