//! What a function holds from its start on.

use std::{sync::Arc, time::SystemTime};

use lambda_http::Request;

use crate::{
    config::{Config, Environment, Site},
    cookies::SealedCookies,
    error::{Kind, Result},
    session::{Session, Visitor},
    storage::{CookieStorage, TokenStorage},
};

/// The configuration and what follows from it; made once, when the function starts.
#[derive(Debug)]
pub struct App {
    /// What the deployment sets.
    pub config: Config,
    /// Seals and opens this deployment's cookies.
    pub cookies: Arc<SealedCookies>,
    /// Where sessions are kept.
    pub storage: Box<dyn TokenStorage>,
}

/// What a function holds, whatever it is: that of a site, which is somewhere.
pub trait OfSite {
    /// Where the site is.
    fn site(&self) -> &Site;
}

impl OfSite for App {
    fn site(&self) -> &Site {
        &self.config.site
    }
}

impl<T> OfSite for (App, T) {
    fn site(&self) -> &Site {
        self.0.site()
    }
}

impl App {
    /// Reads the configuration. Sessions are in the table that `TOKEN_TABLE` names, and without one in cookies.
    pub fn read(env: &Environment<'_>) -> Option<Self> {
        if env.is_set("TOKEN_TABLE") { Self::read_with_table(env) } else { Self::read_with_cookies(env) }
    }

    /// Reads the configuration of a function that finds sessions in cookies only: it links no DynamoDB client.
    pub fn read_slim(env: &Environment<'_>) -> Option<Self> {
        let no_table = if env.is_set("TOKEN_TABLE") {
            env.problem("TOKEN_TABLE", "is set, but this program finds sessions in cookies only")
        } else {
            Some(())
        };
        let (app, ()) = Self::read_with_cookies(env).zip(no_table)?;
        Some(app)
    }

    fn read_with_table(env: &Environment<'_>) -> Option<Self> {
        let (config, table) = Config::read(env).zip(crate::config::TableConfig::read(env))?;
        let cookies = Arc::new(SealedCookies::new(&config));
        let storage = crate::storage::DynamoDbStorage::new(&config, table, Arc::clone(&cookies)).ok()?;
        Some(Self { config, cookies, storage: Box::new(storage) })
    }

    fn read_with_cookies(env: &Environment<'_>) -> Option<Self> {
        let config = Config::read(env)?;
        let cookies = Arc::new(SealedCookies::new(&config));
        let storage = Box::new(CookieStorage::new(&config, Arc::clone(&cookies)));
        Some(Self { config, cookies, storage })
    }

    /// Adds the client of Globus to what a function holds.
    pub fn with_globus(app: Option<Self>, env: &Environment<'_>) -> Option<(Self, crate::globus::Globus)> {
        let (app, globus) = app.zip(crate::config::GlobusConfig::read(env))?;
        let globus = crate::globus::Globus::new(&app.config, globus).ok()?;
        Some((app, globus))
    }

    /// The session of whoever is signed in. For anybody else an error that sends a person to sign in and back here, and
    /// tells a program to.
    pub async fn session(&self, request: &Request, now: SystemTime) -> Result<Session> {
        match self.visitor(request, now).await? {
            Visitor::SignedIn(session) => Ok(session),
            Visitor::NeedsRenewal(_) => Err(Kind::RenewalRequired.into()),
            Visitor::SignedOut | Visitor::Unusable(_) | Visitor::Expired(_) => Err(Kind::SignInRequired.into()),
        }
    }

    /// Who sent the request.
    pub async fn visitor(&self, request: &Request, now: SystemTime) -> Result<Visitor> {
        self.storage.visitor(request, now).await
    }
}
