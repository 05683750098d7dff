//! Who is signed in, and with which tokens.
//!
//! The session travels in one sealed cookie, so a page view asks nobody. What it must not do: hold the ID token, which
//! has no use after the sign-in and grows with every identity a person has linked.

use std::time::{Duration, SystemTime};

use cookie::Cookie;
use lambda_http::Request;
use serde::{Deserialize, Serialize};

use crate::{
    clock,
    config::{Config, Secret},
    cookies::{MAX_COOKIE, Opened, Purpose, SealedCookies},
    error::{Kind, Result},
};

const NAME: &str = "session";

/// The version of the stored form. A new one is read for one release before it is written, since home and login are
/// not updated at the same moment.
const VERSION: u8 = 1;

/// The resource server of Globus Auth itself, whose token the session's life hangs on.
pub const GLOBUS_AUTH: &str = "auth.globus.org";

/// Who somebody is, as Globus Auth says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity's UUID: stable and never given to somebody else. The only thing to know a person by.
    #[serde(rename = "s")]
    pub sub: String,
    /// The name to greet them by.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `preferred_username`: can change and be given to somebody else. Not an e-mail address, even if it looks like one.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The e-mail address they gave. It proves nothing.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The organization they belong to.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

impl Identity {
    /// What to call them: their name, else their username, else their UUID.
    pub fn display_name(&self) -> &str {
        self.name
            .as_deref()
            .or(self.username.as_deref())
            .unwrap_or(&self.sub)
    }
}

/// The token of one service (resource server).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The service, for example `transfer.api.globus.org`.
    #[serde(rename = "r")]
    pub resource_server: String,
    /// What the token is good for, separated by spaces.
    #[serde(rename = "c")]
    pub scope: String,
    /// The access token: opaque, for the `Authorization: Bearer` header.
    #[serde(rename = "a")]
    pub access_token: String,
    /// The refresh token, where Globus gave one.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// When it was received, in seconds since the epoch.
    #[serde(rename = "t")]
    pub received: u64,
    /// How many seconds it lives from then on.
    #[serde(rename = "l")]
    pub lifetime: u64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("resource_server", &self.resource_server)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// How long the access token is still good; zero once it has ended.
    pub fn time_left(&self, now: SystemTime) -> Duration {
        let end = clock::time(self.received.saturating_add(self.lifetime));
        end.duration_since(now).unwrap_or_default()
    }

    /// Whether the access token has ended, or is so near its end that a call with it might not arrive in time: in the
    /// last minute, or the last tenth of a life shorter than ten minutes.
    pub fn is_over(&self, now: SystemTime) -> bool {
        let margin = Duration::from_secs((self.lifetime / 10).min(60));
        self.time_left(now) <= margin
    }

    /// Both tokens: everything that is to be revoked when the session ends.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let refresh = self.refresh_token.clone();
        std::iter::once(self.access_token.clone())
            .chain(refresh)
            .map(Secret::new)
    }
}

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    #[serde(rename = "v")]
    version: u8,
    /// When they signed in, in seconds since the epoch.
    #[serde(rename = "b")]
    begun: u64,
    /// Who they are.
    #[serde(rename = "i")]
    pub identity: Identity,
    /// Their tokens, one for each service.
    #[serde(rename = "k")]
    pub tokens: Vec<Token>,
}

/// What a request says about who sent it.
#[derive(Debug, PartialEq, Eq)]
pub enum Visitor {
    /// Nobody: there is no session cookie.
    SignedOut,
    /// Nobody: the session cookie is not ours, altered, or sealed with a retired key. It should be cleared.
    Unreadable,
    /// Somebody whose sign-in has expired. The tokens may still be good for a logout.
    Expired(Session),
    /// Somebody who is signed in.
    SignedIn(Session),
}

impl Session {
    /// A session that begins now.
    pub fn new(identity: Identity, tokens: Vec<Token>, now: SystemTime) -> Self {
        Self {
            version: VERSION,
            begun: clock::seconds(now),
            identity,
            tokens,
        }
    }

    /// Reads the request's session.
    pub fn read(
        request: &Request,
        cookies: &SealedCookies,
        config: &Config,
        now: SystemTime,
    ) -> Visitor {
        match cookies.open::<Self>(request, Purpose::Session, NAME) {
            Opened::Absent => Visitor::SignedOut,
            Opened::Value(session) if session.version == VERSION => {
                if session.is_over(config, now) {
                    Visitor::Expired(session)
                } else {
                    Visitor::SignedIn(session)
                }
            }
            Opened::Unreadable | Opened::Value(_) => Visitor::Unreadable,
        }
    }

    /// The cookie that holds the session.
    pub fn cookie(&self, cookies: &SealedCookies, config: &Config) -> Result<Cookie<'static>> {
        let cookie = cookies.seal(Purpose::Session, NAME, self, config.session_max)?;
        if cookie.to_string().len() > MAX_COOKIE {
            return Err(Kind::SessionTooLarge.into());
        }
        Ok(cookie)
    }

    fn is_over(&self, config: &Config, now: SystemTime) -> bool {
        let end = self.begun.saturating_add(config.session_max.as_secs());
        // Without a token of Globus Auth there is nothing to go by but the absolute limit.
        let globus = self
            .tokens
            .iter()
            .find(|token| token.resource_server == GLOBUS_AUTH);
        clock::seconds(now) >= end || globus.is_some_and(|token| token.is_over(now))
    }
}

/// Takes the session cookie away.
pub fn clear(cookies: &SealedCookies) -> Cookie<'static> {
    cookies.clear(NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Event, configure, noon};

    fn setting(pairs: &[(&str, &str)]) -> (Config, SealedCookies) {
        let config = configure(pairs, Config::read).unwrap();
        let cookies = SealedCookies::new(&config);
        (config, cookies)
    }

    fn identity() -> Identity {
        Identity {
            sub: "8ca28797-3541-4a5d-a264-05b00f91e608".to_owned(),
            name: Some("Ada Lovelace".to_owned()),
            username: Some("ada@uchicago.edu".to_owned()),
            email: Some("ada@uchicago.edu".to_owned()),
            organization: Some("University of Chicago".to_owned()),
        }
    }

    /// A token as long as Globus's are.
    fn token(resource_server: &str, lifetime: u64) -> Token {
        Token {
            resource_server: resource_server.to_owned(),
            scope: "urn:globus:auth:scope:transfer.api.globus.org:all".to_owned(),
            access_token: "A".repeat(91),
            refresh_token: Some("R".repeat(93)),
            received: clock::seconds(noon()),
            lifetime,
        }
    }

    fn session(lifetime: u64) -> Session {
        Session::new(
            identity(),
            vec![
                token(GLOBUS_AUTH, lifetime),
                token("transfer.api.globus.org", 172_800),
            ],
            noon(),
        )
    }

    fn visitor_with(value: &str, now: SystemTime) -> Visitor {
        let (config, cookies) = setting(&[]);
        Session::read(
            &Event::get("/").cookie(value).request(),
            &cookies,
            &config,
            now,
        )
    }

    fn visitor_at(session: &Session, now: SystemTime) -> Visitor {
        let (config, cookies) = setting(&[]);
        visitor_with(
            &session
                .cookie(&cookies, &config)
                .unwrap()
                .stripped()
                .to_string(),
            now,
        )
    }

    fn after(seconds: u64) -> SystemTime {
        noon() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_session_comes_back_whole() {
        let session = session(172_800);
        assert_eq!(visitor_at(&session, noon()), Visitor::SignedIn(session));
    }

    #[test]
    fn no_cookie_a_bad_cookie_and_an_expired_session_are_told_apart() {
        assert_eq!(visitor_with("other=1", noon()), Visitor::SignedOut);
        assert_eq!(
            visitor_with("__Host-session=garbage", noon()),
            Visitor::Unreadable
        );
        assert!(matches!(
            visitor_at(&session(172_800), after(172_800)),
            Visitor::Expired(_)
        ));
    }

    #[test]
    fn a_session_ends_a_minute_before_its_globus_token_does() {
        let session = session(172_800);
        assert!(matches!(
            visitor_at(&session, after(172_739)),
            Visitor::SignedIn(_)
        ));
        assert!(matches!(
            visitor_at(&session, after(172_740)),
            Visitor::Expired(_)
        ));
    }

    #[test]
    fn of_a_short_lived_token_all_but_the_last_tenth_is_used() {
        let session = session(30);
        assert!(matches!(
            visitor_at(&session, after(26)),
            Visitor::SignedIn(_)
        ));
        assert!(matches!(
            visitor_at(&session, after(27)),
            Visitor::Expired(_)
        ));
    }

    #[test]
    fn no_token_keeps_a_session_beyond_its_absolute_limit() {
        let (config, cookies) = setting(&[("SESSION_MAX_HOURS", "1")]);
        let cookie = session(172_800).cookie(&cookies, &config).unwrap();
        let request = Event::get("/")
            .cookie(&cookie.stripped().to_string())
            .request();

        assert_eq!(cookie.max_age().unwrap().whole_seconds(), 3600);
        assert!(matches!(
            Session::read(&request, &cookies, &config, after(3599)),
            Visitor::SignedIn(_)
        ));
        assert!(matches!(
            Session::read(&request, &cookies, &config, after(3600)),
            Visitor::Expired(_)
        ));
    }

    #[test]
    fn nine_services_fit_into_a_cookie_and_more_are_said_not_to() {
        let (config, cookies) = setting(&[]);
        let with = |count: usize| {
            let tokens = (0..count)
                .map(|_| token("transfer.api.globus.org", 172_800))
                .collect();
            Session::new(identity(), tokens, noon()).cookie(&cookies, &config)
        };

        assert!(with(9).unwrap().to_string().len() <= MAX_COOKIE);
        assert_eq!(with(11).unwrap_err().kind(), &Kind::SessionTooLarge);
    }

    #[test]
    fn a_session_of_another_format_is_signed_out() {
        let (config, cookies) = setting(&[]);
        let mut next_format = session(172_800);
        next_format.version += 1;
        let sealed = next_format.cookie(&cookies, &config).unwrap();
        assert_eq!(
            visitor_with(&sealed.stripped().to_string(), noon()),
            Visitor::Unreadable
        );

        for stored in ["{}", "[]", "\"text\"", "null"] {
            let value: serde_json::Value = serde_json::from_str(stored).unwrap();
            let sealed = cookies
                .seal(Purpose::Session, NAME, &value, Duration::from_mins(1))
                .unwrap();
            assert_eq!(
                visitor_with(&sealed.stripped().to_string(), noon()),
                Visitor::Unreadable,
                "{stored}"
            );
        }
    }

    #[test]
    fn the_stored_form_of_version_1_can_be_read() {
        let stored = r#"{"v":1,"b":1800000000,"i":{"s":"8ca28797","n":"Ada","u":"ada@x.edu","later":1},
            "k":[{"r":"auth.globus.org","c":"openid","a":"Ag1","f":"Ag2","t":1800000000,"l":172800},
                 {"r":"transfer.api.globus.org","c":"urn:x","a":"Ag3","t":1800000000,"l":60}]}"#;
        let value: serde_json::Value = serde_json::from_str(stored).unwrap();
        let (_, cookies) = setting(&[]);
        let sealed = cookies
            .seal(Purpose::Session, NAME, &value, Duration::from_mins(1))
            .unwrap();

        let Visitor::SignedIn(session) = visitor_with(&sealed.stripped().to_string(), noon())
        else {
            panic!("not read")
        };

        assert_eq!(session.identity.display_name(), "Ada");
        assert_eq!(session.tokens[0].refresh_token.as_deref(), Some("Ag2"));
        assert_eq!(session.tokens[1].lifetime, 60);
    }

    #[test]
    fn somebody_without_a_name_is_called_by_username_and_else_by_uuid() {
        let mut identity = identity();
        identity.name = None;
        assert_eq!(identity.display_name(), "ada@uchicago.edu");
        identity.username = None;
        assert_eq!(
            identity.display_name(),
            "8ca28797-3541-4a5d-a264-05b00f91e608"
        );
    }

    #[test]
    fn debug_output_holds_no_token() {
        let shown = format!("{:?}", session(60));
        assert!(!shown.contains("AAA") && !shown.contains("RRR"), "{shown}");
    }
}
