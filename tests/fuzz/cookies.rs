//! Any `Cookie` header: only what this deployment has sealed opens, unchanged and under its own name.

use std::time::Duration;

use lambda_http::{
    Request,
    http::{HeaderValue, header},
};
use shared::{
    App, Function,
    attempt::Attempt,
    logout_mark,
    session::Visitor,
    testing::{BASE_URL, Event, Log, Received, SESSION, cookie_of_the_first_release, function, noon, query, session},
};

use crate::{
    harness::Target,
    pages::{CANARY, runtime},
};

/// The name of the session cookie in the first release, which is still read.
const FIRST: &str = "__Host-session";

const MARK: &str = "__Host-logout-8af82921";

/// Genuine cookies: of two users, of one in the form of the first release, of a sign-in, and of a logout an hour ago.
struct Genuine {
    grace: String,
    ada: String,
    first: String,
    login: String,
    login_name: String,
    state: String,
    mark: String,
}

impl Genuine {
    async fn seal(app: &App) -> Self {
        let request = Event::get("/").request();
        let mut of_ada = session(noon());
        "ada10ace-1815-4d60-8bdb-eeecaba85bd9".clone_into(&mut of_ada.identity.sub);
        let grace = app.storage.create(&request, &session(noon()), noon()).await.unwrap().cookie;
        let ada = app.storage.create(&request, &of_ada, noon()).await.unwrap().cookie;
        let first = cookie_of_the_first_release(&app.cookies, &grace).value().to_owned();
        let an_hour_ago = noon() - Duration::from_hours(1);
        let mark = logout_mark::cookie(&request, &app.cookies, None, app.config.session_max, an_hour_ago).unwrap();
        assert_eq!((grace.name(), mark.name()), (SESSION, MARK));

        let login = function(&[], |env| login::read(App::read(env), env));
        let begun = Received::from(login.respond(&login::handle, &Event::get("/login").json(), "", noon()).await);
        let (login_name, rest) = begun.cookies[0].split_once('=').unwrap();
        Self {
            grace: grace.value().to_owned(),
            ada: ada.value().to_owned(),
            first,
            login: rest.split(';').next().unwrap().to_owned(),
            login_name: login_name.to_owned(),
            state: query(begun.location(), "state").to_owned(),
            mark: mark.value().to_owned(),
        }
    }

    /// The `sub` of every session in the cookies, byte for byte.
    fn users(&self, cookies: &[(&[u8], &[u8])]) -> Vec<&'static str> {
        let (grace, ada) = ("8c8b2a0e-0000-4000-8000-000000000001", "ada10ace-1815-4d60-8bdb-eeecaba85bd9");
        let all = [(SESSION, &self.grace, grace), (SESSION, &self.ada, ada), (FIRST, &self.first, grace)];
        let found = all.into_iter().filter(|(name, value, _)| cookies.contains(&(name.as_bytes(), value.as_bytes())));
        found.map(|(_, _, sub)| sub).collect()
    }
}

#[test]
fn cookie_headers() {
    let runtime = runtime();
    let app: Function<App> = function(&[], App::read);
    let app = app.state.unwrap();
    let genuine = runtime.block_on(Genuine::seal(&app));
    let target = Target::new(
        "cookies",
        &[
            ("{{grace}}", &genuine.grace),
            ("{{ada}}", &genuine.ada),
            ("{{first}}", &genuine.first),
            ("{{login}}", &genuine.login),
            ("{{login name}}", &genuine.login_name),
            ("{{mark}}", &genuine.mark),
            ("{{site}}", BASE_URL),
        ],
    );
    target.run(10_000, |header| {
        let Some(request) = request(header) else { return false };
        let (log, cookies) = (Log::listen(), cookies(header));
        let visitor = runtime.block_on(app.visitor(&request, noon())).unwrap();
        log.assert_lacks([CANARY, &genuine.grace, &genuine.ada]);
        assert!(!format!("{visitor:?}").contains(CANARY), "{visitor:?}");
        check_visitor(&visitor, &genuine.users(&cookies));

        let has = |name: &str, value: &str| cookies.contains(&(name.as_bytes(), value.as_bytes()));
        let attempt = Attempt::find(&request, &app.cookies, &genuine.state, noon());
        assert!(attempt.is_err() || has(&genuine.login_name, &genuine.login), "a sign-in");
        let marked = logout_mark::read(&request, &app.cookies, noon()).seconds() != 0;
        assert!(!marked || has(MARK, &genuine.mark), "the mark of a logout");
        matches!(visitor, Visitor::SignedIn(_)) || attempt.is_ok() || marked
    });
}

/// Only a user whose genuine session is there is signed in, and none if there are sessions of two users.
fn check_visitor(visitor: &Visitor, users: &[&str]) {
    match visitor {
        Visitor::SignedOut | Visitor::Unusable(_) => {}
        Visitor::SignedIn(session) => {
            let sub = session.identity.sub.as_str();
            assert!(users.contains(&sub) && users.iter().all(|user| *user == sub), "{sub} of {users:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// A request with these headers, one in each line; none if a header cannot have that value.
fn request(headers: &[u8]) -> Option<Request> {
    let mut request = Event::get("/").request();
    for line in headers.split(|byte| *byte == b'\n') {
        request.headers_mut().append(header::COOKIE, HeaderValue::from_bytes(line).ok()?);
    }
    Some(request)
}

/// Names and values, as the specification of cookies says. It is written anew here: the code that is tested must not check
/// itself.
fn cookies(headers: &[u8]) -> Vec<(&[u8], &[u8])> {
    let pairs = headers.split(|byte| matches!(byte, b'\n' | b';'));
    let pairs = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((trim(&pair[..at]), trim(&pair[at + 1..])))
    });
    let unquoted =
        |value| <[u8]>::strip_prefix(value, b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    pairs.map(|(name, value)| (name, unquoted(value))).collect()
}

fn trim(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = text.iter().position(|byte| !is_blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(byte)).map_or(begin, |at| at + 1);
    &text[begin..end]
}
