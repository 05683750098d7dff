//! The client of Globus Transfer: one request, and what each response means for the visitor.
//!
//! Nothing that Globus Transfer sends gets into an error or the log: both have fixed words only.

use lambda_http::http::StatusCode;
use reqwest::Client;
use serde_json::Value;
use shared::{
    App, Kind, Result, Timestamp,
    config::{Environment, Origin, Reading, TransferConfig},
    http_client,
    log::Reason,
    pages::TaskView,
    session::Session,
};

/// The name of Globus Transfer as a service that has a token in the session.
const SERVICE: &str = "transfer.api.globus.org";

/// The request. The order and the fields are said, since a default may change.
///
/// <https://docs.globus.org/api/transfer/task/#get_task_list>
const QUERY: &str = "/v0.10/task_list?limit=25&orderby=request_time%20DESC&fields=type,status,label,request_time,\
    completion_time,source_endpoint_display_name,destination_endpoint_display_name";

/// The most entries that are shown, however many come.
const MOST: usize = 25;

/// The longest text that is shown, in characters. A label has 128 at most.
const LONGEST: usize = 200;

/// What the page needs and the user has not allowed, or may not do.
const MISSING: &str = "This page shows your transfers, so this app needs your permission to use Globus Transfer for you \
    (the scope urn:globus:auth:scope:transfer.api.globus.org:all). Start again, and agree to it at Globus. If that does \
    not help, your institution may not allow it.";

/// The client of Globus Transfer.
#[derive(Debug)]
pub struct Transfer {
    http: Client,
    address: Origin,
}

impl Transfer {
    /// Adds the client to an app that was read.
    pub fn beside(app: Reading<App>, env: &Environment<'_>) -> Reading<(App, Self)> {
        let (config, http) = (TransferConfig::read(env), http_client::read(env));
        let (app, config, http) = (app?, config?, http?);
        Ok((app, Self { http, address: config.address }))
    }

    /// What the user of this session has requested of late, the newest first.
    pub async fn recent(&self, session: &Session, now: Timestamp) -> Result<Vec<TaskView>> {
        let token = session.token(SERVICE, now)?;
        let request = self.http.get(self.address.url(QUERY)).bearer_auth(token);
        let response = http_client::send_to_service(request).await?;
        let body: Option<Value> = serde_json::from_slice(response.body()).ok();
        match response.status() {
            StatusCode::OK => {}
            // The user has withdrawn the consent at Globus, for example: the token is revoked before its time.
            StatusCode::UNAUTHORIZED if !session.is_new(now) => return Err(Kind::SignInRequired.into()),
            // Another sign-in would not change that.
            StatusCode::UNAUTHORIZED => return Err(Kind::ServiceResponseRefused(Reason::ServiceTokenRefused).into()),
            StatusCode::FORBIDDEN => {
                let needs_consent = body.is_some_and(|body| body["code"] == "ConsentRequired");
                let reason = if needs_consent { Reason::ServiceConsentMissing } else { Reason::ServiceForbidden };
                return Err(Kind::PermissionMissing(reason, MISSING).into());
            }
            _ => return Err(Kind::ServiceResponseRefused(Reason::ServiceResponseUnreadable).into()),
        }
        let list = body.as_ref().and_then(|body| body["DATA"].as_array());
        let list = list.ok_or(Kind::ServiceResponseRefused(Reason::ServiceResponseUnreadable))?;
        // An entry that is not understood is passed over, and must not hide the others.
        Ok(list.iter().filter(|entry| entry.is_object()).take(MOST).map(view).collect())
    }
}

/// An entry as the page shows it. What is missing, or has another type than documented, is absent.
fn view(entry: &Value) -> TaskView {
    let (status, in_trouble) = match entry["status"].as_str() {
        Some("ACTIVE") => (Some("In progress".to_owned()), false),
        Some("SUCCEEDED") => (Some("Succeeded".to_owned()), false),
        Some("INACTIVE") => (Some("Suspended".to_owned()), true),
        Some("FAILED") => (Some("Failed".to_owned()), true),
        _ => (text(&entry["status"]), false),
    };
    let (source, destination) =
        (text(&entry["source_endpoint_display_name"]), text(&entry["destination_endpoint_display_name"]));
    let mut lines = match entry["type"].as_str() {
        Some("TRANSFER") => vec![("From", source), ("To", destination)],
        Some("DELETE") => vec![("Deletes in", source)],
        _ => vec![("Action", text(&entry["type"])), ("From", source), ("To", destination)],
    };
    lines.push(("Requested", moment(&entry["request_time"])));
    if let Some(completed) = moment(&entry["completion_time"]) {
        lines.push(("Completed", Some(completed)));
    }
    TaskView { label: text(&entry["label"]), status, in_trouble, lines }
}

/// A text for the page: absent if it shows nothing or is no text, and cut if it is too long.
fn text(value: &Value) -> Option<String> {
    let unseen = |character: char| character.is_whitespace() || "\u{200b}\u{2060}\u{feff}".contains(character);
    let text = value.as_str()?.trim_matches(unseen);
    let mut cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    Some(cut).filter(|text| !text.is_empty())
}

/// A time such as `2025-02-03T12:00:59+00:00` to the minute; any other text as it is.
fn moment(value: &Value) -> Option<String> {
    let text = text(value)?;
    let utc = text.strip_suffix("+00:00").or_else(|| text.strip_suffix('Z'));
    let short = utc.and_then(|utc| Some((utc.get(..10)?, utc.get(10..)?.strip_prefix('T')?.get(..5)?)));
    Some(short.map_or_else(|| text.clone(), |(day, minute)| format!("{day} {minute} UTC")))
}
