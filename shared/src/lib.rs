//! What the functions `home`, `login` and `logout` have in common.
//!
//! Where to look first:
//! - [`serve()`]: from the Lambda runtime to a handler and back; [`gateway`]: from an API Gateway event to a request and back
//! - [`app`]: what a function holds; [`config`]: the variables that set it
//! - [`session`]: who is signed in; [`storage`]: where that is kept, in sealed [`cookies`] or in a table
//! - [`attempt`]: a sign-in on its way
//! - [`globus`]: the client of Globus Auth; [`http_client`], for other services
//! - [`error`]: what can go wrong; [`response`]: the one place where an error becomes a page; [`pages`]: what people see

pub mod app;
pub mod attempt;
pub mod clock;
pub mod config;
pub mod cookies;
pub mod error;
pub mod gateway;
pub mod globus;
pub mod http_client;
pub mod pages;
pub mod request;
pub mod response;
pub mod return_path;
mod serve;
pub mod session;
pub mod storage;
mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use app::{App, OfSite};
pub use error::{Error, Kind, Result};
pub use serve::{answer, serve};
