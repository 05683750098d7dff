//! The settings of a deployment: environment variables, read once at start, checked, and typed.
//!
//! The only module that reads the environment. All problems are reported together, so that one deployment can fix them
//! all. A problem names its variable and never shows its value.

mod address;
mod environment;
mod rules;
mod secret;
mod settings;

pub(crate) use address::without;
pub use address::{Address, Origin, Site};
pub use environment::{ConfigError, Environment, Noted, Reading, process_environment};
pub use rules::AccessRules;
pub use secret::Secret;
pub use settings::{AuthorizerMode, Config, GlobusConfig, LogConfig, SiteName, TableConfig, TransferConfig};

#[cfg(test)]
mod tests;
