//! What a deployment sets: the environment, read once, checked, and typed.
//!
//! The only module that reads the environment. Every problem is collected, so that one deploy mends them all,
//! and a problem names its variable and never shows its value.

use std::{cell::RefCell, fmt, time::Duration};

use lambda_http::http::{Uri, uri::Scheme};

/// The variables a function may read, and what was wrong with them so far.
pub struct Environment<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("problems", &self.problems).finish_non_exhaustive()
    }
}

/// One variable and what is wrong with it; never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable's name.
    pub variable: &'static str,
    /// What it should be.
    pub expected: &'static str,
}

/// What is wrong with a variable that is not there.
const MISSING: &str = "is missing";

/// Every problem of a function's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<Problem>,
    site: Site,
}

impl ConfigError {
    /// Where the site is, as far as that is set as it should be.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Whether nothing is wrong but that the application at Globus is missing: how a new deployment begins.
    pub fn lacks_only_the_application(&self) -> bool {
        let of_application = |problem: &Problem| {
            problem.expected == MISSING && matches!(problem.variable, "GLOBUS_CLIENT_ID" | "GLOBUS_CLIENT_SECRET")
        };
        self.problems.iter().all(of_application)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", problem.variable, problem.expected)?;
        }
        Ok(())
    }
}

/// Reads a function's settings out of the process environment.
pub fn from_env<T>(read: impl FnOnce(&Environment<'_>) -> Option<T>) -> Result<T, ConfigError> {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    from_lookup(|name| std::env::var(name).ok(), read)
}

/// Reads a function's settings out of `lookup`, as [`from_env`] does out of the process environment.
pub fn from_lookup<T>(
    lookup: impl Fn(&str) -> Option<String>,
    read: impl FnOnce(&Environment<'_>) -> Option<T>,
) -> Result<T, ConfigError> {
    let environment = Environment { lookup: &lookup, problems: RefCell::default() };
    let settings = read(&environment);
    match (settings, environment.problems.into_inner()) {
        (Some(settings), problems) if problems.is_empty() => Ok(settings),
        (_, problems) => {
            // Its own problems are among those already.
            let site = Site::read(&Environment { lookup: &lookup, problems: RefCell::default() });
            Err(ConfigError { problems, site: site.unwrap_or_default() })
        }
    }
}

impl Environment<'_> {
    /// The variable's value; an empty one counts as absent, since a template cannot leave a variable out.
    fn optional(&self, variable: &'static str) -> Option<String> {
        (self.lookup)(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Notes that `variable` is not what it should be.
    pub(crate) fn problem<T>(&self, variable: &'static str, expected: &'static str) -> Option<T> {
        self.problems.borrow_mut().push(Problem { variable, expected });
        None
    }

    fn required(&self, variable: &'static str) -> Option<String> {
        self.optional(variable).or_else(|| self.problem(variable, MISSING))
    }

    /// Whether the variable has a value.
    pub(crate) fn is_set(&self, variable: &'static str) -> bool {
        self.optional(variable).is_some()
    }

    /// `parse` of the variable, or `default` where it is absent.
    fn parsed<T>(
        &self,
        variable: &'static str,
        expected: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        match self.optional(variable) {
            None => Some(default),
            Some(value) => parse(&value).or_else(|| self.problem(variable, expected)),
        }
    }

    fn hours(&self, variable: &'static str, default: u64) -> Option<Duration> {
        let hours = self.parsed(variable, "must be a whole number from 1 to 8760", default, |text| {
            text.parse().ok().filter(|hours| (1..=8760).contains(hours))
        });
        hours.map(Duration::from_hours)
    }
}

/// A string that must not be shown: `Debug` hides it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Hides `text` from now on.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself. Never log it, and never put it into a URL or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// An address this deployment trusts: scheme, host and port, without a path or a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Accepts `https` addresses, and `http` ones of this machine only.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let local = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
        let plain = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
        // `Uri` drops a fragment without a word.
        let whole = !text.contains('#');
        (plain && whole && (secure || local)).then(|| {
            let scheme = if secure { "https" } else { "http" };
            Self(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
        })
    }

    /// The origin as browsers write it in an `Origin` header, for example `https://example.org`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and, where it is not the scheme's own, port: what a `Host` header says.
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Whether cookies can carry `Secure` and the `__Host-` prefix here.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// The absolute URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// Where this site is: an origin and, where it is not at the top of it, a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    origin: Origin,
    base: String,
}

impl Address {
    /// Accepts what [`Origin`] does, and after it a path of plain characters; a slash at the end is left out.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        let plain = |segment: &str| {
            let characters = segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
            characters && !segment.is_empty() && !segment.starts_with('.')
        };
        if !path.is_empty() && !path.split('/').all(plain) {
            return None;
        }
        let base = if path.is_empty() { String::new() } else { format!("/{path}") };
        Some(Self { origin: Origin::parse(&format!("{scheme}://{authority}"))?, base })
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The absolute URL of a page, whose path begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin.url(&self.base))
    }

    /// The path of the site, without a slash at the end: empty for one that is at the top of its origin.
    pub fn base(&self) -> &str {
        &self.base
    }
}

/// What is known of where this site is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// `BASE_URL`: where it is. Without it, the API's own execute-api name is.
    pub base_url: Option<Address>,
    /// `AWS_REGION`: set by Lambda; part of the API's own name.
    pub region: Option<String>,
}

impl Site {
    /// Reads where the site is.
    pub fn read(env: &Environment<'_>) -> Option<Self> {
        let expected = "must be an https address (http for localhost only)";
        let base_url = env.parsed("BASE_URL", expected, None, |text| Address::parse(text).map(Some));
        Some(Self { base_url: base_url?, region: env.optional("AWS_REGION") })
    }
}

/// What every function needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// `GLOBUS_CLIENT_ID`: the UUID Globus gave this application.
    pub client_id: String,
    /// `GLOBUS_AUTH_URL`: Globus Auth, which is also the issuer of its ID tokens; `https://auth.globus.org` if absent.
    pub globus_auth: Origin,
    /// `SESSION_KEYS`: comma-separated, at least 32 characters each; the first seals, any opens.
    pub session_keys: Vec<Secret>,
    /// `BASE_URL` and `AWS_REGION`: where this site is.
    pub site: Site,
    /// `SESSION_MAX_HOURS`: how long a person stays signed in at most; 168 if absent.
    pub session_max: Duration,
    /// `SHOW_TOKENS`: whether the home page shows tokens in clear; `false` if absent.
    pub show_tokens: bool,
}

impl Config {
    /// Reads what every function needs.
    pub fn read(env: &Environment<'_>) -> Option<Self> {
        let client_id = env.required("GLOBUS_CLIENT_ID").and_then(|id| {
            let plain = id.bytes().all(|byte| byte.is_ascii_graphic());
            if plain { Some(id) } else { env.problem("GLOBUS_CLIENT_ID", "must be the id Globus gave, a UUID") }
        });
        let globus_auth = env.parsed(
            "GLOBUS_AUTH_URL",
            "must be an https address without a path (http for localhost only)",
            Origin("https://auth.globus.org".to_owned()),
            Origin::parse,
        );
        let session_keys = session_keys(env);
        let site = Site::read(env);
        let session_max = env.hours("SESSION_MAX_HOURS", 168);
        let show_tokens = env.parsed("SHOW_TOKENS", "must be true or false", false, |text| text.parse().ok());

        Some(Self {
            client_id: client_id?,
            globus_auth: globus_auth?,
            session_keys: session_keys?,
            site: site?,
            session_max: session_max?,
            show_tokens: show_tokens?,
        })
    }
}

fn session_keys(env: &Environment<'_>) -> Option<Vec<Secret>> {
    const VARIABLE: &str = "SESSION_KEYS";
    let keys: Vec<_> = env.required(VARIABLE)?.split(',').map(|key| Secret::new(key.trim().to_owned())).collect();
    if keys.iter().all(|key| key.expose().len() >= 32) {
        Some(keys)
    } else {
        env.problem(VARIABLE, "must be keys of at least 32 characters each, separated by commas")
    }
}

/// What only a function that speaks to Globus needs to know.
#[derive(Clone, Debug)]
pub struct GlobusConfig {
    /// `GLOBUS_CLIENT_SECRET`: proves to Globus that the application asks.
    pub client_secret: Secret,
    /// `GLOBUS_SCOPES`: space-separated; `openid` must be among them, or there is no ID token.
    pub scopes: Vec<String>,
}

/// The four scopes of Globus's own example.
const DEFAULT_SCOPES: &str = "openid profile email urn:globus:auth:scope:transfer.api.globus.org:all";

impl GlobusConfig {
    /// Reads what the Globus client needs.
    pub fn read(env: &Environment<'_>) -> Option<Self> {
        let client_secret = env.required("GLOBUS_CLIENT_SECRET").map(Secret::new);
        let scopes = env.optional("GLOBUS_SCOPES").unwrap_or_else(|| DEFAULT_SCOPES.to_owned());
        let scopes: Vec<_> = scopes.split_whitespace().map(ToOwned::to_owned).collect();
        if !scopes.iter().any(|scope| scope == "openid") {
            env.problem("GLOBUS_SCOPES", "must be separated by spaces and contain openid")?;
        }
        Some(Self { client_secret: client_secret?, scopes })
    }
}

/// Where sessions are kept if not in cookies.
#[derive(Clone, Debug)]
pub struct TableConfig {
    /// `TOKEN_TABLE`: the name of the DynamoDB table.
    pub name: String,
    /// `SESSION_IDLE_HOURS`: after how long without a page view a session ends; 24 if absent.
    pub idle: Duration,
    /// `AWS_REGION`: set by Lambda.
    pub region: String,
    /// `AWS_ENDPOINT_URL_DYNAMODB`: another address than the region's own, such as DynamoDB Local's.
    pub endpoint: Option<String>,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`: the function's role, set by Lambda.
    pub credentials: (String, Secret, Option<Secret>),
}
impl TableConfig {
    /// Reads what DynamoDB storage needs.
    pub fn read(env: &Environment<'_>) -> Option<Self> {
        let name = env.required("TOKEN_TABLE");
        let idle = env.hours("SESSION_IDLE_HOURS", 24);
        let region = env.required("AWS_REGION");
        let endpoint = env.parsed(
            "AWS_ENDPOINT_URL_DYNAMODB",
            "must be an https address without a path (http for localhost only)",
            None,
            |text| Origin::parse(text).map(|origin| Some(origin.url(""))),
        );
        let key_id = env.required("AWS_ACCESS_KEY_ID");
        let key = env.required("AWS_SECRET_ACCESS_KEY").map(Secret::new);
        let token = env.optional("AWS_SESSION_TOKEN").map(Secret::new);
        let credentials = (key_id?, key?, token);
        Some(Self { name: name?, idle: idle?, region: region?, endpoint: endpoint?, credentials })
    }
}

/// How a function writes its log.
#[derive(Clone, Copy, Debug)]
pub struct LogConfig {
    /// `LOG_LEVEL`: `error`, `warn`, `info`, `debug` or `trace`; `info` if absent.
    pub level: tracing::Level,
    /// `AWS_LAMBDA_LOG_FORMAT`: `JSON` where Lambda collects the log as JSON lines; text otherwise.
    pub json: bool,
}

impl LogConfig {
    /// Reads the log's settings. A level that is none is noted, and `info` serves meanwhile.
    pub fn read(env: &Environment<'_>) -> Self {
        let level =
            env.parsed("LOG_LEVEL", "must be error, warn, info, debug or trace", tracing::Level::INFO, |text| {
                text.parse().ok()
            });
        Self {
            level: level.unwrap_or(tracing::Level::INFO),
            json: env.optional("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format == "JSON"),
        }
    }
}

#[cfg(test)]
mod tests;
