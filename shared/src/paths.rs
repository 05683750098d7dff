//! The paths of this site. `template.yaml` and the router in the workspace's `Cargo.toml` send each to its function.

/// The home page.
pub const HOME: &str = "/";
/// Begins, completes and renews a sign-in; also the redirect URI to register at Globus.
pub const LOGIN: &str = "/login";
/// Renews the tokens of a session.
pub const RENEW: &str = "/login?refresh";
/// The parameter of [`RENEW`] that names the access rules of the function that sends the browser there.
pub const RULES: &str = "rules";
/// Begins a sign-in at which the user chooses another account.
pub const OTHER_ACCOUNT: &str = "/login?account=other";
/// Who is logged in, for the scripts of this site's pages.
pub const SESSION: &str = "/session";
/// Asks whether to log out, and ends the session.
pub const LOGOUT: &str = "/logout";
