//! `GET /tasks`: what Globus Transfer did and does for the signed-in user. A sample of a page of your own: copy it.
//!
//! The page is for users only. It uses the session's token for another service, and says in plain words what is wrong if
//! that service does not respond as expected.

mod transfer;

use lambda_http::{Body, Request, Response, http::StatusCode};
use shared::{App, Result, Timestamp, pages::Page, request, response::html};

pub use transfer::Transfer;

/// Where this page is. `template.yaml` and the router in the workspace's `Cargo.toml` send it to this function.
pub const PATH: &str = "/tasks";

/// The response to one request.
pub async fn handle((app, transfer): &(App, Transfer), request: &Request, now: Timestamp) -> Result<Response<Body>> {
    request::check_route(request, PATH, "GET, HEAD")?;
    let session = app.session(request, now).await?;
    let list = transfer.recent(&session, now).await?;
    html(request, StatusCode::OK, &Page::Tasks { display_name: session.identity.display_name(), list })
}

#[cfg(test)]
mod tests;
