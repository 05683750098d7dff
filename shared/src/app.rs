//! What the handlers share: settings, sealed cookies, and the storage of sessions.

use std::sync::Arc;

use lambda_http::Request;

use crate::{
    Error, Kind, Result, Timestamp,
    config::{Config, Environment, GlobusConfig, Reading, TableConfig},
    cookies::SealedCookies,
    globus::Globus,
    log::Reason,
    request,
    return_path::ReturnPath,
    session::{Session, Visitor},
    storage::{CookieStorage, DynamoDbStorage, TokenStorage},
};

/// The settings of a deployment and what follows from them; made once, when the function starts.
#[derive(Debug)]
pub struct App {
    /// The settings that every function needs.
    pub config: Config,
    /// Seals and opens this deployment's cookies.
    pub cookies: Arc<SealedCookies>,
    /// Where sessions are kept.
    pub storage: Box<dyn TokenStorage>,
}

impl App {
    /// For a program with both storages: sessions are in the DynamoDB table that `TOKEN_TABLE` names, or in cookies if
    /// it is not set.
    pub fn read(env: &Environment<'_>) -> Reading<Self> {
        if !TableConfig::is_set(env) {
            return Self::read_slim(env);
        }
        let (config, table) = (Config::read(env), TableConfig::read(env));
        let (config, table) = (config?, table?);
        let cookies = Arc::new(SealedCookies::new(&config, env.site()));
        let storage = DynamoDbStorage::new(&config, table, Arc::clone(&cookies));
        let storage = storage.map_err(|_| env.note("TOKEN_TABLE", "is set, but the HTTP client cannot be made"))?;
        Ok(Self { config, cookies, storage: Box::new(storage) })
    }

    /// For a slim program, with sessions in cookies only. A program that calls this and not [`read`](Self::read) links
    /// no DynamoDB client.
    pub fn read_slim(env: &Environment<'_>) -> Reading<Self> {
        let (config, no_table) = (Config::read(env), TableConfig::refuse(env));
        let (config, ()) = (config?, no_table?);
        let cookies = Arc::new(SealedCookies::new(&config, env.site()));
        let storage = Box::new(CookieStorage::new(&config, Arc::clone(&cookies)));
        Ok(Self { config, cookies, storage })
    }

    /// Adds the client of Globus to an app that was read.
    pub fn with_globus(app: Reading<Self>, env: &Environment<'_>) -> Reading<(Self, Globus)> {
        let globus = GlobusConfig::read(env);
        let (app, globus) = (app?, globus?);
        if !env.site().base_url.iter().all(Globus::accepts) {
            return Err(env.note("BASE_URL", "must be an address that Globus can redirect to"));
        }
        let globus = Globus::new(&app.config, globus);
        let globus = globus.map_err(|_| env.note("GLOBUS_AUTH_URL", "is set, but the Globus client cannot be made"))?;
        Ok((app, globus))
    }

    /// The session of a signed-in user. Otherwise an error: a browser is sent to log in and back here, and an API
    /// client gets a 401.
    pub async fn session(&self, request: &Request, now: Timestamp) -> Result<Session> {
        self.signed_in(self.visitor(request, now).await?, now)
    }

    /// The same for a request that is decided upon for another function: its user is not sent to a check of the access rules
    /// that is not due yet.
    pub async fn session_for_another(&self, request: &Request, now: Timestamp) -> Result<Session> {
        self.signed_in(self.storage.visitor(request, now).await?, now)
    }

    /// The same, without counting as a use of the session.
    pub async fn look_at_session(&self, request: &Request, now: Timestamp) -> Result<Session> {
        self.signed_in(self.storage.look(request, now).await?, now)
    }

    /// When a session has to be renewed or has ended, whichever is first.
    pub fn expires(&self, session: &Session) -> Timestamp {
        session.expires(&self.config.limits())
    }

    /// The visitor who sent the request. One who opens a page is sent to the check of the access rules ahead of time, from
    /// half of the period on: so no user waits for Globus when it must be. A page that no redirect leads back to is left out.
    pub async fn visitor(&self, request: &Request, now: Timestamp) -> Result<Visitor> {
        Ok(match self.storage.visitor(request, now).await? {
            Visitor::SignedIn(session)
                if session.check_is_due(&self.config.limits(), now)
                    && request::is_navigation(request)
                    && request::wants_html(request)
                    && ReturnPath::is_kept(request) =>
            {
                Visitor::NeedsRenewal(session)
            }
            visitor => visitor,
        })
    }

    /// The error for a session that must be renewed before it can be used: it leads to where that is done.
    pub fn renewal_of(&self, session: &Session, now: Timestamp) -> Error {
        let rules = self.config.rules.as_ref().filter(|_| session.is_stopped_by_rules(&self.config.limits(), now));
        rules.map_or(Kind::RenewalRequired, |rules| Kind::CheckRequired(rules.version())).into()
    }

    fn signed_in(&self, visitor: Visitor, now: Timestamp) -> Result<Session> {
        match visitor {
            Visitor::SignedIn(session) => Ok(session),
            Visitor::NeedsRenewal(session) | Visitor::LoginTooOld(session) => Err(self.renewal_of(&session, now)),
            // Its token has expired on arrival.
            Visitor::Expired(session) if session.is_new(now) => {
                Err(Kind::ResponseRefused(Reason::TokenLifetimeMissing).into())
            }
            Visitor::SignedOut | Visitor::Unusable(_) | Visitor::Expired(_) | Visitor::LoggedOut(_) => {
                Err(Kind::SignInRequired.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{Event, admitted, configure, noon, session};

    /// The cookie of a browser that has this session, as it is sent.
    async fn sent(app: &App, session: &Session) -> String {
        let created = app.storage.create(&Event::get("/").request(), session, noon()).await.unwrap();
        created.cookie.stripped().to_string()
    }

    /// Whether a page opens, or the reason why it does not.
    async fn opens(app: &App, path: &str, cookie: &str, now: Timestamp) -> std::result::Result<(), &'static str> {
        let opened = app.session(&Event::get(path).cookie(cookie).request(), now).await;
        opened.map(drop).map_err(|error| error.row().reason.as_str())
    }

    /// The gate of every page that a developer adds: whom it lets in, and where it sends the others.
    #[tokio::test]
    async fn only_a_session_that_is_good_now_opens_a_page_for_users() {
        let app = configure(&[], App::read).unwrap();
        let own = sent(&app, &session(noon())).await;
        let reason = async |cookie: &str, hours: u64| {
            let request = Event::get("/").cookie(cookie).request();
            let session = app.session(&request, noon() + Duration::from_hours(hours)).await;
            session.map_err(|error| error.row().reason.as_str())
        };

        assert_eq!(reason(&own, 0).await, Ok(session(noon())));
        assert_eq!(reason(&own, 47).await, Ok(session(noon())));
        assert_eq!(reason(&own, 48).await, Err("renewal_required"));
        assert_eq!(reason(&own, 168).await, Err("sign_in_required"), "the absolute limit");
        assert_eq!(reason("other=1", 0).await, Err("sign_in_required"));
        assert_eq!(reason("__Host-session-8af82921=garbage", 0).await, Err("sign_in_required"));
    }

    #[tokio::test]
    async fn a_session_that_was_logged_out_opens_no_page_for_users() {
        let app = configure(&[], App::read).unwrap();
        let own = sent(&app, &session(noon())).await;
        let mark =
            crate::logout_mark::cookie(&Event::get("/").request(), &app.cookies, None, app.config.session_max, noon());
        let request = Event::get("/").cookie(&own).cookie(&mark.unwrap().stripped().to_string()).request();

        let refused = app.session(&request, noon() + Duration::from_secs(1)).await.unwrap_err();

        assert_eq!(refused.row().reason.as_str(), "sign_in_required");
    }

    #[tokio::test]
    async fn a_session_whose_login_is_too_old_opens_no_page_for_users() {
        let rules = [("MAX_AUTHENTICATION_MINUTES", "30")];
        let app = configure(&rules, App::read).unwrap();
        let own = sent(&app, &admitted(&rules, &[], noon())).await;
        let after = async |minutes: u64| opens(&app, "/", &own, noon() + Duration::from_mins(minutes)).await;

        assert_eq!(after(29).await, Ok(()));
        assert_eq!(after(30).await, Err("rules_not_checked"));
    }

    /// The check would lead to the home page instead.
    #[tokio::test]
    async fn a_page_that_no_redirect_leads_back_to_is_not_sent_to_a_check_ahead_of_time() {
        let rules = [("ALLOWED_DOMAINS", "anl.gov")];
        let app = configure(&rules, App::read).unwrap();
        let own = sent(&app, &admitted(&rules, &[], noon())).await;
        let open = async |path: &str| opens(&app, path, &own, noon() + Duration::from_mins(30)).await;

        assert_eq!(open("/files").await, Err("rules_not_checked"));
        assert_eq!(open(&format!("/{}", "x".repeat(512))).await, Ok(()));
    }

    #[tokio::test]
    async fn tokens_that_expire_on_arrival_cause_no_redirect_loop() {
        let app = configure(&[], App::read).unwrap();
        let mut short_lived = session(noon());
        short_lived.tokens[0].lifetime = Duration::from_secs(1);
        let own = sent(&app, &short_lived).await;

        assert_eq!(opens(&app, "/", &own, noon() + Duration::from_secs(2)).await, Err("token_lifetime_missing"));
    }
}
