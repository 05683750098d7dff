//! Addresses that this deployment trusts.

use std::net::Ipv4Addr;

use super::{Environment, Reading, Secret};

/// Scheme, host and port of an address, normalised as browsers write it in an `Origin` header: `https://example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub(super) String);

impl Origin {
    /// The origin as text, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host and, unless it is the scheme's own, port, as in a `Host` header.
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

/// The address of this site: an origin and, unless the site is at the top of it, a base path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    origin: Origin,
    base: String,
}

impl Address {
    /// Accepts `https` addresses, and `http` ones of this machine (`localhost`, `127.0.0.1`, `[::1]`), with or without
    /// a base path of plain characters. Case, the scheme's own port, and slashes at the end are normalised.
    ///
    /// What passes here, the URL library of the HTTP and OAuth clients reads in the same way; a test compares the two.
    /// That library is not used here, since with its tables for international domain names it would be a tenth of home.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let (host, port) = split_port(&authority)?;
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let own_port = match scheme.as_str() {
            "https" if local || is_host(host) => 443,
            "http" if local => 80,
            _ => return None,
        };
        let base = path.trim_end_matches('/');
        if !base.split('/').skip(1).all(is_plain) {
            return None;
        }
        let port = port.filter(|port| *port != own_port).map(|port| format!(":{port}")).unwrap_or_default();
        Some(Self { origin: Origin(format!("{scheme}://{host}{port}")), base: base.to_owned() })
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The same, if there is no base path.
    pub(super) fn only_origin(self) -> Option<Origin> {
        self.base.is_empty().then_some(self.origin)
    }

    /// The absolute URL of a page, whose path begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin.url(&self.base))
    }

    /// A path of the origin as it is below the base path. One that is not there is left as it is.
    pub fn below<'a>(&self, path: &'a str) -> &'a str {
        without(path, &self.base)
    }

    /// The base path, without a slash at the end; empty at the top of the origin.
    pub fn base(&self) -> &str {
        &self.base
    }
}

/// Strips `base` from `path` at a segment boundary.
pub(crate) fn without<'a>(path: &'a str, base: &str) -> &'a str {
    match path.strip_prefix(base) {
        Some("") if !base.is_empty() => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// The host of an authority, and its port if it names one. Port 0 cannot be reached.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            Some((host, Some(port.parse().ok().filter(|port| digits && *port != 0)?)))
        }
        _ => Some((authority, None)),
    }
}

/// Whether a host is an IPv4 address, or a domain name that no URL library takes for one: `300.1.1.1` and `0x7f.1` are
/// neither. A trailing dot would make another host of the same name, with other cookies.
fn is_host(host: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let is_number = |label: &str| label.starts_with(|first: char| first.is_ascii_digit());
    let top = host.rsplit('.').next().unwrap_or_default();
    host.parse::<Ipv4Addr>().is_ok() || (host.split('.').all(is_label) && !is_number(top))
}

/// Whether a segment of a path means the same to API Gateway and to every browser.
fn is_plain(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(plain)
}

/// Where this site is, as far as the deployment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// `BASE_URL`: the address of the site. If absent, it is the API's own execute-api name.
    pub base_url: Option<Address>,
    /// The end of the API's own name, such as `execute-api.us-east-1.amazonaws.com`, from `AWS_REGION`, which Lambda sets,
    /// and `URL_SUFFIX`: the domain of AWS in this partition, `amazonaws.com` if absent. None without a region.
    pub api_domain: Option<String>,
    /// `ORIGIN_SECRET`: comma-separated, at least 32 characters each. Unless it is empty, each request must have one of
    /// them in a header, which the proxy in front of the site adds.
    pub origin_secrets: Vec<Secret>,
}

impl Site {
    pub(super) fn read(env: &Environment<'_>) -> Reading<Self> {
        let (base_url, origin_secrets) = (env.address("BASE_URL"), env.secrets("ORIGIN_SECRET"));
        let (base_url, origin_secrets) = (base_url?, origin_secrets?);
        if base_url.is_none() && !origin_secrets.is_empty() {
            return Err(env.note("ORIGIN_SECRET", "is set, but BASE_URL, the address of the proxy, is not"));
        }
        let suffix = env.optional("URL_SUFFIX").unwrap_or_else(|| "amazonaws.com".to_owned());
        let api_domain = env.optional("AWS_REGION").map(|region| format!("execute-api.{region}.{suffix}"));
        Ok(Self { base_url, api_domain, origin_secrets })
    }

    /// Whether browsers reach the site by https. Without `BASE_URL` they do: the API's own name is on https.
    pub fn is_https(&self) -> bool {
        self.base_url.as_ref().is_none_or(|address| address.origin().is_https())
    }
}
