//! Stand-in for Globus Auth.
