//! Deliberate faults, and what each endpoint has received.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use tokio::sync::watch;

/// An endpoint of Globus Auth, Globus Transfer or Globus Groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/v2/oauth2/authorize`
    Authorize,
    /// `/v2/oauth2/token`
    Token,
    /// `/v2/oauth2/token/revoke`
    Revoke,
    /// `/v2/oauth2/token/introspect`
    Introspect,
    /// `/v2/oauth2/userinfo`
    Userinfo,
    /// `/jwk.json`
    Jwks,
    /// `/.well-known/openid-configuration`
    Discovery,
    /// `/v2/web/logout`
    Logout,
    /// `/v0.10/task_list`, of Globus Transfer
    TaskList,
    /// `/v2/groups/my_groups`, of Globus Groups
    MyGroups,
}

/// What happens instead of the normal response, or before it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The normal response comes after this delay.
    Delay(Duration),
    /// The endpoint sends this response.
    Respond {
        /// The status code, from 100 to 999.
        status: u16,
        /// The `Content-Type`.
        content_type: &'static str,
        /// The body, which need not be text.
        body: Vec<u8>,
    },
    /// The connection is closed without a response.
    Drop,
    /// The endpoint sends a body that never ends, in chunks.
    Endless,
    /// The normal response comes when the faults are cleared.
    Hold,
}

/// A request that an endpoint has received.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// When the request had arrived.
    pub arrived: Instant,
    /// When the response was ready, if it is.
    pub responded: Option<Instant>,
}

/// How the server handles a request.
pub(crate) enum Verdict {
    Respond,
    Instead(Response),
    Close,
}

#[derive(Default)]
pub(crate) struct Faults {
    set: watch::Sender<HashMap<Endpoint, Fault>>,
    exchanges: Mutex<Vec<Exchange>>,
}

impl Endpoint {
    /// Every endpoint and its path.
    const PATHS: [(Self, &str); 10] = [
        (Self::Authorize, "/v2/oauth2/authorize"),
        (Self::Token, "/v2/oauth2/token"),
        (Self::Revoke, "/v2/oauth2/token/revoke"),
        (Self::Introspect, "/v2/oauth2/token/introspect"),
        (Self::Userinfo, "/v2/oauth2/userinfo"),
        (Self::Jwks, "/jwk.json"),
        (Self::Discovery, "/.well-known/openid-configuration"),
        (Self::Logout, "/v2/web/logout"),
        (Self::TaskList, "/v0.10/task_list"),
        (Self::MyGroups, "/v2/groups/my_groups"),
    ];

    /// The endpoint with that path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        let found = Self::PATHS.iter().find(|(_, of)| *of == path);
        found.map(|(endpoint, _)| *endpoint)
    }
}

impl Faults {
    pub(crate) fn set(&self, endpoint: Endpoint, fault: Fault) {
        self.set.send_modify(|set| {
            set.insert(endpoint, fault);
        });
    }

    pub(crate) fn clear(&self) {
        self.set.send_modify(HashMap::clear);
    }

    /// Every request so far, in the order of arrival.
    pub(crate) fn exchanges(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a request has arrived; gives its number.
    pub(crate) fn arrived(&self, endpoint: Endpoint) -> usize {
        let mut exchanges = self.exchanges();
        exchanges.push(Exchange { endpoint, arrived: Instant::now(), responded: None });
        exchanges.len() - 1
    }

    /// Notes that the request of this number has its response.
    pub(crate) fn responded(&self, number: usize) {
        if let Some(exchange) = self.exchanges().get_mut(number) {
            exchange.responded = Some(Instant::now());
        }
    }

    /// Waits as long as the endpoint's fault requires. Gives how to handle the request then.
    pub(crate) async fn receive(&self, endpoint: Endpoint) -> Verdict {
        // A separate statement, so that the faults are not locked while the request waits below.
        let fault = self.set.borrow().get(&endpoint).cloned();
        match fault {
            None => Verdict::Respond,
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                Verdict::Respond
            }
            Some(Fault::Hold) => {
                let held = |set: &HashMap<_, _>| matches!(set.get(&endpoint), Some(Fault::Hold));
                // The wait fails only when the stand-in is gone, since then nothing can clear the faults.
                drop(self.set.subscribe().wait_for(|set| !held(set)).await);
                Verdict::Respond
            }
            Some(Fault::Drop) => Verdict::Close,
            Some(Fault::Endless) => Verdict::Instead(endless()),
            Some(Fault::Respond { status, content_type, body }) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Verdict::Instead((status, [(CONTENT_TYPE, content_type)], body).into_response())
            }
        }
    }
}

/// A response with a body that never ends.
fn endless() -> Response {
    let spaces = stream::repeat_with(|| Ok::<_, Infallible>(" ".repeat(16 * 1024)));
    ([(CONTENT_TYPE, "application/json")], Body::from_stream(spaces)).into_response()
}
