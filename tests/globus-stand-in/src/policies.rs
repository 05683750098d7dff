//! Authentication policies, which a project at Globus defines. Their ids are fixed here
//! (<https://docs.globus.org/api/auth/reference/#policy_resource>).

use crate::{people::LAB, requirements::Demand};

/// The policy that requires a second factor (`required_mfa`).
pub const MFA: &str = "90110000-0001-4e31-92d7-7ad4c1b05e01";

/// The policy that requires an identity of the domain [`LAB`] (`domain_constraints_include`).
pub const OF_THE_LAB: &str = "90110000-0002-4e32-93d8-7be5d2c16f02";

/// The policy that requires an authentication in the last [`RECENT_SECONDS`] (`authentication_assurance_timeout`).
pub const RECENT: &str = "90110000-0003-4e33-94d9-7cf6e3d27a03";

/// How long an authentication is recent: half an hour.
pub const RECENT_SECONDS: u64 = 1_800;

/// A policy that does not exist.
pub const UNKNOWN: &str = "90110000-00ff-4e3f-95da-7da7f4e38bff";

/// A policy.
pub(crate) struct Policy {
    id: &'static str,
    domain: Option<&'static str>,
    mfa: bool,
    timeout: Option<u64>,
}

static POLICIES: [Policy; 3] = [
    Policy { id: MFA, domain: None, mfa: true, timeout: None },
    Policy { id: OF_THE_LAB, domain: Some(LAB), mfa: false, timeout: None },
    Policy { id: RECENT, domain: None, mfa: false, timeout: Some(RECENT_SECONDS) },
];

/// The policy with that id, if there is one.
pub(crate) fn find(id: &str) -> Option<&'static Policy> {
    POLICIES.iter().find(|policy| policy.id == id)
}

impl Policy {
    /// What an authentication must fulfil so that the policy holds.
    pub(crate) fn demand(&self) -> Demand {
        let domains = self.domain.map(str::to_owned).into_iter().collect();
        Demand { identity: None, domains, mfa: self.mfa, timeout: self.timeout }
    }
}
