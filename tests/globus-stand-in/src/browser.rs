//! The pages for users: sign-in and logout, and the cookie that remembers the user.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::{
        HeaderMap, StatusCode,
        header::{COOKIE, LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use cookie::{Cookie, SameSite};

use crate::{
    CLIENT_ID,
    authorize::{Prompt, Refused, Request},
    grants,
    pages::Page,
    params::Params,
    people::{self, PEOPLE, Person},
    provider::Provider,
    random,
    session::Session,
};

/// The stand-in's own cookie. Its value is a key to the sessions that the stand-in keeps.
const COOKIE_NAME: &str = "globus_stand_in";

/// What a user reads who has no identity that the application requires, if the application says nothing.
const OTHER_IDENTITY: &str = "The application requires another identity, or a second factor.";

/// The button that the user pressed on the sign-in page.
#[derive(Clone, Copy)]
pub(crate) enum Choice {
    SignIn(&'static Person),
    Deny,
}

/// `GET /v2/oauth2/authorize`: shows the sign-in page, or redirects back at once if the user is logged in.
pub(crate) async fn authorize(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let query = query.unwrap_or_default();
    provider.record(&query);
    let request = Request::check(&query, &provider.state().redirect_uris)?;
    let now = grants::now();
    let session = session_of(&provider, &headers)
        .filter(|_| request.prompt != Prompt::Login)
        .filter(|session| request.requirements.met_by(session, now));
    Ok(match session {
        Some(session) => found(&request.agree(&provider, session, now)),
        None if request.prompt == Prompt::None => found(&request.refuse("login_required", "No user is logged in.")),
        None => ask(&query, &request),
    })
}

/// `POST /sign-in`: the user pressed a button of the sign-in page. The query is that of the authorization request.
pub(crate) async fn sign_in(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: String,
) -> Result<Response, Refused> {
    let form = Params::parse(&body).ok_or(Refused::Shown("A parameter stands twice."))?;
    let query = query.unwrap_or_default();
    let Some(person) = form.get("person") else {
        return Ok(found(&decide(&provider, &query, None, Choice::Deny)?.0));
    };
    let person = people::find(person).ok_or(Refused::Shown("There is no such person."))?;
    let before = session_of(&provider, &headers);
    let (callback, session) = decide(&provider, &query, before, Choice::SignIn(person))?;
    let key = random::code();
    provider.state().sessions.extend(session.map(|session| (key.clone(), session)));
    let cookie = Cookie::build((COOKIE_NAME, key)).path("/").http_only(true).same_site(SameSite::Lax);
    Ok(([(SET_COOKIE, cookie.to_string())], found(&callback)).into_response())
}

/// The callback URL for the user's choice, and the session of a user who logs in. One from before goes on in it.
pub(crate) fn decide(
    provider: &Provider,
    query: &str,
    before: Option<Session>,
    choice: Choice,
) -> Result<(String, Option<Session>), Refused> {
    let request = Request::check(query, &provider.state().redirect_uris)?;
    let Choice::SignIn(person) = choice else {
        return Ok((request.refuse("access_denied", "The user denied the request."), None));
    };
    let now = grants::now();
    let ago = provider.state().settings.log_in_ago;
    let Some(session) = request.requirements.log_in(person, now.saturating_sub(ago)) else {
        let message = request.requirements.message.clone();
        return Err(Refused::Stays(message.unwrap_or_else(|| OTHER_IDENTITY.to_owned())));
    };
    let session = Session::after(before, session);
    Ok((request.agree(provider, session.clone(), now), Some(session)))
}

/// The sign-in page.
fn ask(query: &str, request: &Request) -> Response {
    let (cases, people) = PEOPLE.iter().partition(|person| person.case.is_some());
    let Request { scopes, requirements, .. } = request;
    let message = requirements.message.as_deref();
    Page::SignIn { query, scopes, message, people, cases, required: requirements.any() }.into_response()
}

/// `GET /v2/web/logout`: logs the user out, and shows a link back. It never redirects
/// (<https://docs.globus.org/api/helper-pages/auth/>).
pub(crate) async fn logout(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let params =
        Params::parse(query.as_deref().unwrap_or_default()).ok_or(Refused::Shown("A parameter stands twice."))?;
    if let Some(key) = session_key(&headers) {
        provider.state().sessions.remove(&key);
    }
    // Any other scheme would run a script when the link is pressed.
    let redirect_uri =
        params.get("redirect_uri").filter(|uri| uri.starts_with("https://") || uri.starts_with("http://"));
    let page = Page::LoggedOut {
        of_client: params.get("client_id") == Some(CLIENT_ID),
        back: redirect_uri.zip(params.get("redirect_name")),
    };
    let cookie = Cookie::build((COOKIE_NAME, "")).path("/").removal();
    Ok(([(SET_COOKIE, cookie.to_string())], page).into_response())
}

/// `GET /v2/web/consents`: at Globus, the page where a user withdraws an application's access.
pub(crate) async fn consents() -> Response {
    let text = "At Globus, users withdraw here the access that they have given to an application.";
    Page::Message { heading: "Your consents", text }.into_response()
}

/// `GET /v2/web/identities`: at Globus, the page where a user links an identity.
pub(crate) async fn identities() -> Response {
    let text = "At Globus, users link here the accounts that they have at other places.";
    Page::Message { heading: "Your identities", text }.into_response()
}

/// All other paths.
pub(crate) async fn nothing_here() -> Response {
    (
        StatusCode::NOT_FOUND,
        Page::Message { heading: "Page not found", text: "Start from the application. Its sign-in leads here." },
    )
        .into_response()
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Told(callback) => found(&callback),
            Self::Stays(text) => {
                let page = Page::Message { heading: "Log in with another identity", text: &text };
                (StatusCode::FORBIDDEN, page).into_response()
            }
            Self::Shown(text) => {
                let heading = "Globus Auth cannot accept this request";
                (StatusCode::BAD_REQUEST, Page::Message { heading, text }).into_response()
            }
        }
    }
}

/// The session of the browser.
fn session_of(provider: &Provider, headers: &HeaderMap) -> Option<Session> {
    session_key(headers).and_then(|key| provider.state().sessions.get(&key).cloned())
}

fn session_key(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(Cookie::split_parse)
        .filter_map(Result::ok)
        .find(|cookie| cookie.name() == COOKIE_NAME)
        .map(|cookie| cookie.value().to_owned())
}

fn found(url: &str) -> Response {
    (StatusCode::FOUND, [(LOCATION, url)]).into_response()
}
