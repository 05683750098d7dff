//! Any parameters of a callback: a session begins only with the `state` of the browser's own sign-in, with a code, and
//! without an error.

use shared::testing::{Event, Log};
use url::form_urlencoded;

use crate::{
    harness::Target,
    pages::{CANARY, begins_session, runtime},
    sign_in::Pending,
};

#[test]
fn callbacks() {
    let runtime = runtime();
    let pending = runtime.block_on(Pending::begin());
    // Globus gives the tokens for every code: what is refused, this app refuses.
    pending.respond(200, serde_json::to_vec(&pending.response).unwrap());
    let (_, genuine) = pending.callback.split_once('?').unwrap();
    let parameter = |name: &str| values(genuine, name).remove(0);
    let (code, state) = (parameter("code"), parameter("state"));
    let made = [("{{code}}", code.as_str()), ("{{state}}", &state), ("{{issuer}}", pending.world.stand_in.url())];
    Target::new("callback", &made).run(2_000, |query| {
        let query = String::from_utf8_lossy(query);
        let log = Log::listen();
        let event = Event::get(&format!("/login?{query}")).header("sec-fetch-site", "cross-site");
        let page = runtime.block_on(pending.send(event, &log, &["callback_issuer"]));
        let secrets = || pending.secrets().into_iter().chain([state.as_str(), CANARY]);
        log.assert_lacks(secrets());
        secrets().for_each(|secret| assert!(!page.body.contains(secret), "{page:?}"));
        if !begins_session(&page) {
            return false;
        }
        assert_eq!(values(&query, "state"), [state.as_str()], "{query}");
        assert!(matches!(&values(&query, "code")[..], [code] if !code.is_empty()), "{query}");
        assert!(values(&query, "error").iter().all(String::is_empty), "{query}");
        assert!(values(&query, "iss").iter().all(|issuer| issuer == pending.world.stand_in.url()), "{query}");
        page.assert_redirect(302, "https://gateway.example/files");
        true
    });
}

/// The values of a parameter, as browsers write them.
fn values(query: &str, name: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(other, _)| other == name);
    pairs.map(|(_, value)| value.into_owned()).collect()
}
