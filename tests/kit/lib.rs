//! What the local run and the end-to-end tests are made of: tools that are fetched, programs that are started and
//! never left behind, the app with its stand-in for Globus Auth, and a browser.
//!
//! Every error here is a sentence for the user at the terminal.

pub mod browser;
pub mod costs;
pub mod dynamodb;
pub mod emulator;
pub mod examples;
pub mod gateway;
pub mod http;
pub mod https;
pub mod load;
pub mod local;
pub mod mutants;
pub mod operator;
pub mod packages;
pub mod process;
pub mod processor;
pub mod programs;
pub mod proxy;
pub mod python;
pub mod rebuild;
pub mod recorder;
mod requests;
pub mod requirements;
pub mod runtime;
pub mod sam;
pub mod sample_event;
pub mod settings;
pub mod stack;
pub mod tools;

/// What went wrong, in a sentence.
pub type Result<T> = std::result::Result<T, String>;
