//! Fuzzing: what comes from outside, changed at random, and what must hold whatever it is.
//!
//! Where to look first:
//! - `harness`: a target, its corpus, and how it runs; `change`: what is done to an input; `json`: where its values are
//! - `pages`: events to the functions that show pages; `guard`: events to the authorizer, orders to the token function
//! - `cookies`: the header `Cookie`; `callback`: the parameters that Globus sends back; `way_back`: `next`
//! - `id_token`: ID tokens, their claims, and the keys; `sign_in`: token responses; `rules`: what Globus says of a user
//!
//! The inputs that each target begins with are in `corpus/`, and so is each input that has failed.

// Named as tests, so that the lints know what is only theirs.
#[cfg(test)]
mod callback;
#[cfg(test)]
mod change;
#[cfg(test)]
mod cookies;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod id_token;
#[cfg(test)]
mod json;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod way_back;
