//! What the local run and the scenarios have in common.
