//! The whole app as people and programs meet it: real functions under `cargo lambda watch`, a real browser, and a
//! stand-in for Globus Auth on another site than ours, as in life.

mod start_up;
mod walk;
