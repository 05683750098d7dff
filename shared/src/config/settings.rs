//! The settings of a function, grouped by the part that needs them. Each field names its variable.

use std::time::Duration;

use super::{AccessRules, Environment, Origin, Reading, Secret};
use crate::session::{DisplayText, Limits};

/// The four scopes of Globus's own example.
const DEFAULT_SCOPES: &str = "openid profile email urn:globus:auth:scope:transfer.api.globus.org:all";

/// The settings that every function needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// `GLOBUS_CLIENT_ID`: the UUID of this application at Globus.
    pub client_id: String,
    /// `GLOBUS_AUTH_URL`: Globus Auth, which is also the issuer of its ID tokens; `https://auth.globus.org` if absent.
    pub globus_auth: Origin,
    /// `SESSION_KEYS`: comma-separated, at least 32 characters each; the first seals, any opens.
    pub session_keys: Vec<Secret>,
    /// `SESSION_MAX_HOURS`: the longest time a user stays signed in; 168 hours if absent.
    pub session_max: Duration,
    /// `SHOW_TOKENS`: whether the home page shows tokens in clear; `false` if absent.
    pub show_tokens: bool,
    /// Who may come in; none if every user of Globus may.
    pub rules: Option<AccessRules>,
}

impl Config {
    /// Reads the settings that every function needs.
    pub fn read(env: &Environment<'_>) -> Reading<Self> {
        let client_id = env.required("GLOBUS_CLIENT_ID").and_then(|id| {
            let expected = "must be the client UUID that Globus shows";
            is_uuid(&id).then_some(id).ok_or_else(|| env.note("GLOBUS_CLIENT_ID", expected))
        });
        let globus_auth = env.origin("GLOBUS_AUTH_URL");
        let session_keys = env.required("SESSION_KEYS").and_then(|_| env.secrets("SESSION_KEYS"));
        let session_max = env.hours("SESSION_MAX_HOURS", 168);
        let show_tokens = env.parsed("SHOW_TOKENS", "must be true or false", |text| text.parse().ok());
        let rules = AccessRules::read(env);

        Ok(Self {
            client_id: client_id?,
            globus_auth: globus_auth?.unwrap_or_else(|| Origin("https://auth.globus.org".to_owned())),
            session_keys: session_keys?,
            session_max: session_max?,
            show_tokens: show_tokens?.unwrap_or(false),
            rules: rules?,
        })
    }

    /// How long a session lasts.
    pub fn limits(&self) -> Limits {
        Limits { max: self.session_max, rules: self.rules.as_ref().map(|rules| (rules.hash().to_owned(), rules.every)) }
    }
}

/// Whether a text has the form of a UUID ([RFC 9562 section 4](https://www.rfc-editor.org/rfc/rfc9562#section-4)).
pub(super) fn is_uuid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// The settings of a function that calls Globus.
#[derive(Clone, Debug)]
pub struct GlobusConfig {
    /// `GLOBUS_CLIENT_SECRET`: authenticates this application at Globus.
    pub client_secret: Secret,
    /// `GLOBUS_SCOPES`: space-separated; `openid` must be among them, or there is no ID token.
    pub scopes: Vec<String>,
    /// `GROUPS_URL`: Globus Groups, for the access rules that ask for groups; `https://groups.api.globus.org` if absent.
    pub groups: Origin,
}

impl GlobusConfig {
    /// Reads the settings of the Globus client.
    pub fn read(env: &Environment<'_>) -> Reading<Self> {
        let client_secret = env.required("GLOBUS_CLIENT_SECRET").map(Secret::new);
        let scopes = env.optional("GLOBUS_SCOPES").unwrap_or_else(|| DEFAULT_SCOPES.to_owned());
        let scopes: Vec<_> = scopes.split_whitespace().map(ToOwned::to_owned).collect();
        if !scopes.iter().any(|scope| scope == "openid") {
            return Err(env.note("GLOBUS_SCOPES", "must be separated by spaces and contain openid"));
        }
        let groups = env.origin("GROUPS_URL")?;
        let groups = groups.unwrap_or_else(|| Origin("https://groups.api.globus.org".to_owned()));
        Ok(Self { client_secret: client_secret?, scopes, groups })
    }
}

/// The settings of a function that calls Globus Transfer.
#[derive(Clone, Debug)]
pub struct TransferConfig {
    /// `TRANSFER_URL`: Globus Transfer, which gets the user's token for it; `https://transfer.api.globus.org` if absent.
    pub address: Origin,
}

impl TransferConfig {
    /// Reads the settings of a client of Globus Transfer.
    pub fn read(env: &Environment<'_>) -> Reading<Self> {
        let address = env.origin("TRANSFER_URL")?;
        Ok(Self { address: address.unwrap_or_else(|| Origin("https://transfer.api.globus.org".to_owned())) })
    }
}

/// `AUTHORIZER_MODE`: what an authorizer does with a visitor who is not logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorizerMode {
    /// `signed-in`: it denies. Also if the variable is absent.
    SignedIn,
    /// `visitor`: it lets one who opens a page through, with nothing but the path of the login.
    Visitor,
}

impl AuthorizerMode {
    /// Reads the mode.
    pub fn read(env: &Environment<'_>) -> Reading<Self> {
        let mode = env.parsed("AUTHORIZER_MODE", "must be signed-in or visitor", |text| match text {
            "signed-in" => Some(Self::SignedIn),
            "visitor" => Some(Self::Visitor),
            _ => None,
        })?;
        Ok(mode.unwrap_or(Self::SignedIn))
    }
}

/// The settings of the session table.
#[derive(Clone, Debug)]
pub struct TableConfig {
    /// `TOKEN_TABLE`: the name of the DynamoDB table.
    pub name: String,
    /// `SESSION_IDLE_HOURS`: how long a session lasts without a page view; 24 hours if absent.
    pub idle: Duration,
    /// `AWS_REGION`: set by Lambda.
    pub region: String,
    /// `AWS_ENDPOINT_URL_DYNAMODB`: an address other than the region's own, such as DynamoDB Local's.
    pub endpoint: Option<String>,
    /// `AWS_ACCESS_KEY_ID`: set by Lambda, as are the other credentials of the function's role.
    pub key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub key: Secret,
    /// `AWS_SESSION_TOKEN`.
    pub token: Option<Secret>,
}

impl TableConfig {
    /// Whether `TOKEN_TABLE` names a table.
    pub fn is_set(env: &Environment<'_>) -> bool {
        env.optional("TOKEN_TABLE").is_some()
    }

    /// For a program that can keep sessions in cookies only: notes a problem if `TOKEN_TABLE` names a table.
    pub fn refuse(env: &Environment<'_>) -> Reading<()> {
        let problem = "is set, but this program keeps sessions in cookies only";
        if Self::is_set(env) { Err(env.note("TOKEN_TABLE", problem)) } else { Ok(()) }
    }

    /// Reads the settings of the session table.
    pub fn read(env: &Environment<'_>) -> Reading<Self> {
        let name = env.required("TOKEN_TABLE");
        let idle = env.hours("SESSION_IDLE_HOURS", 24);
        let region = env.required("AWS_REGION");
        let endpoint = env.origin("AWS_ENDPOINT_URL_DYNAMODB");
        let key_id = env.required("AWS_ACCESS_KEY_ID");
        let key = env.required("AWS_SECRET_ACCESS_KEY").map(Secret::new);
        let token = env.optional("AWS_SESSION_TOKEN").map(Secret::new);
        let endpoint = endpoint?.map(|origin| origin.url(""));
        Ok(Self { name: name?, idle: idle?, region: region?, endpoint, key_id: key_id?, key: key?, token })
    }
}

/// `SITE_NAME`: the name of the site, on its pages and at Globus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteName(Option<DisplayText>);

impl SiteName {
    /// The longest name, in characters: one that fits into a heading.
    const LONGEST: usize = 80;

    /// Reads the name. A problem with it is noted, and the default is used.
    pub fn read(env: &Environment<'_>) -> Self {
        let name = env.parsed("SITE_NAME", "must be visible text of at most 80 characters", |text| {
            DisplayText::new(text).filter(|_| text.chars().count() <= Self::LONGEST)
        });
        Self(name.ok().flatten())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("Web app with authentication delegated to Globus Auth", DisplayText::for_display)
    }
}

/// The settings of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogConfig {
    /// `LOG_LEVEL`: `error`, `warn`, `info`, `debug` or `trace`; `info` if absent.
    pub level: tracing::Level,
    /// `AWS_LAMBDA_LOG_FORMAT`: `JSON` where Lambda collects the log as JSON lines; otherwise text.
    pub json: bool,
}

impl LogConfig {
    /// Reads the settings of the log. An unknown level is noted, and `info` is used.
    pub fn read(env: &Environment<'_>) -> Self {
        let level = env.parsed("LOG_LEVEL", "must be error, warn, info, debug or trace", |text| text.parse().ok());
        Self {
            level: level.ok().flatten().unwrap_or(tracing::Level::INFO),
            json: env.optional("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format == "JSON"),
        }
    }
}
