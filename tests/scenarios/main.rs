//! The whole app as people and programs meet it: real functions under `cargo lambda watch`, a real browser, and a
//! stand-in for Globus Auth on another site than ours, as in life.

// Named as tests, so that the lints know what is only theirs.
#[cfg(test)]
mod events;
#[cfg(test)]
mod globus_sdk;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod start_up;
#[cfg(test)]
mod trouble;
