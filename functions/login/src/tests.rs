mod address;
mod begin;
mod complete;
mod first_release;
mod hostile;
mod odd;
mod renew;
mod rules;
mod start;
mod way_back;

use std::time::Duration;

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, Endpoint};
use shared::testing::{self, BASE_URL, Browser, Event, Received, SESSION, World, now, query};

use super::*;

/// Sends an event to this function.
async fn send(world: &World, browser: &mut Browser, event: Event) -> Received {
    world.send(handle, browser, event).await
}

/// Begins a sign-in; returns the URL at Globus that the browser is sent to.
async fn begin(world: &World, browser: &mut Browser, path: &str) -> String {
    let response = send(world, browser, Event::get(path)).await;
    assert_eq!(response.status, 302, "{response:?}");
    response.location().to_owned()
}

/// A whole sign-in.
async fn sign_in(world: &World, browser: &mut Browser, person: &str) -> Received {
    world.sign_in(handle, browser, person).await
}
