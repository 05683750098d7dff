//! The code that the functions `home`, `login` and `logout` share.
//!
//! Where to look first:
//! - [`serve()`]: the loop of the Lambda runtime; [`function`]: from an event to a response; [`gateway`]: API Gateway's
//!   format of both
//! - [`app`]: what the handlers share; [`config`]: the environment variables
//! - [`session`]: the signed-in user; [`storage`]: where sessions are kept, in sealed [`cookies`] or in DynamoDB
//! - [`attempt`]: a sign-in in progress; [`globus`]: the client of Globus Auth; [`rules`]: who may come in
//! - [`error`]: every error with its status, log words, and page; [`response`]: where an error becomes a page; [`pages`]
//! - [`log`]: the log and its words; [`paths`]; [`http_client`], also for other services

pub mod app;
pub mod attempt;
pub mod config;
pub mod cookies;
pub mod error;
pub mod function;
pub mod gateway;
pub mod globus;
pub mod http_client;
pub mod log;
pub mod logout_mark;
pub mod pages;
pub mod paths;
mod random;
pub mod request;
pub mod response;
pub mod return_path;
pub mod rules;
mod serve;
pub mod session;
pub mod storage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod timestamp;

pub use app::App;
pub use config::Secret;
pub use error::{Error, Kind, Result};
pub use function::Function;
pub use serve::{serve, serve_result};
pub use timestamp::Timestamp;
