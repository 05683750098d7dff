//! What a function holds from its start on.

use std::time::SystemTime;

use lambda_http::Request;

use crate::{
    config::{Config, Environment},
    cookies::SealedCookies,
    error::{Kind, Result},
    session::{Session, Visitor},
};

/// The configuration and what follows from it; made once, when the function starts.
#[derive(Debug)]
pub struct App {
    /// What the deployment sets.
    pub config: Config,
    /// Seals and opens this deployment's cookies.
    pub cookies: SealedCookies,
}

impl App {
    /// Reads the configuration.
    pub fn read(env: &Environment<'_>) -> Option<Self> {
        let config = Config::read(env)?;
        let cookies = SealedCookies::new(&config);
        Some(Self { config, cookies })
    }

    /// Reads the configuration of a function that also speaks to Globus, and makes its client.
    #[cfg(feature = "globus")]
    pub fn read_with_globus(env: &Environment<'_>) -> Option<(Self, crate::globus::Globus)> {
        let (app, globus) = Self::read(env).zip(crate::config::GlobusConfig::read(env))?;
        let globus = crate::globus::Globus::new(&app.config, globus).ok()?;
        Some((app, globus))
    }

    /// The session of whoever is signed in. For anybody else an error that sends a person to sign in and back here, and
    /// tells a program to.
    pub fn session(&self, request: &Request, now: SystemTime) -> Result<Session> {
        match self.visitor(request, now) {
            Visitor::SignedIn(session) => Ok(session),
            Visitor::SignedOut | Visitor::Unreadable | Visitor::Expired(_) => Err(Kind::SignInRequired.into()),
        }
    }

    /// Who sent the request.
    pub fn visitor(&self, request: &Request, now: SystemTime) -> Visitor {
        Session::read(request, &self.cookies, &self.config, now)
    }
}
