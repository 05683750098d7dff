//! Groups of Globus, and who is in them. Their ids are fixed.

use crate::people::{self, Identity};

/// The group of the beamline, which some users are in.
pub const BEAMLINE: &str = "69070000-0001-4ba1-8f4e-2ea86a5b4c01";

/// The status of a membership
/// (<https://groups.api.globus.org/redoc#tag/groups/operation/get_my_groups_and_memberships_v2_groups_my_groups_get>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "Globus's own words")]
pub enum Status {
    Active,
    Invited,
    Pending,
    Rejected,
    Removed,
    Left,
    Declined,
}

/// A group.
pub(crate) struct Group {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
}

/// That an identity is, was, or may be in a group.
pub(crate) struct Membership {
    pub(crate) group: &'static Group,
    pub(crate) identity: Identity,
    pub(crate) role: &'static str,
    pub(crate) status: Status,
}

/// All memberships.
pub(crate) struct Memberships(Vec<Membership>);

/// The beamline's, then one for each status, in the order of [`Status::ALL`].
pub(crate) static GROUPS: [Group; 8] = [
    Group { id: BEAMLINE, name: "Beamline 7" },
    Group { id: "69070000-0011-4ba1-8f4e-2ea86a5b4c11", name: "Active members" },
    Group { id: "69070000-0012-4ba1-8f4e-2ea86a5b4c12", name: "Invited members" },
    Group { id: "69070000-0013-4ba1-8f4e-2ea86a5b4c13", name: "Pending members" },
    Group { id: "69070000-0014-4ba1-8f4e-2ea86a5b4c14", name: "Rejected members" },
    Group { id: "69070000-0015-4ba1-8f4e-2ea86a5b4c15", name: "Removed members" },
    Group { id: "69070000-0016-4ba1-8f4e-2ea86a5b4c16", name: "Members who left" },
    Group { id: "69070000-0017-4ba1-8f4e-2ea86a5b4c17", name: "Members who declined" },
];

/// Who is in the beamline's group: the user, the number of the identity, and the role.
const IN_THE_BEAMLINE: [(&str, usize, &str); 3] =
    [("member", 0, "member"), ("member-linked", 1, "member"), ("manager", 0, "manager")];

/// The group in which the user `every-status` has a membership of this status.
pub fn with(status: Status) -> &'static str {
    let by_status = Status::ALL.iter().zip(&GROUPS[1..]);
    let found = by_status.into_iter().find(|(of, _)| **of == status);
    found.map_or("", |(_, group)| group.id)
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Active, Self::Invited, Self::Pending, Self::Rejected, Self::Removed, Self::Left, Self::Declined];

    /// The word of Globus.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Invited => "invited",
            Self::Pending => "pending",
            Self::Rejected => "rejected",
            Self::Removed => "removed",
            Self::Left => "left",
            Self::Declined => "declined",
        }
    }
}

impl Default for Memberships {
    fn default() -> Self {
        let of = |person: &str, number, group, role, status| {
            let identity = people::find(person).and_then(|person| person.identities().nth(number));
            identity.map(|identity| Membership { group, identity, role, status })
        };
        let beamline = IN_THE_BEAMLINE
            .iter()
            .filter_map(|(person, number, role)| of(person, *number, &GROUPS[0], role, Status::Active));
        let each = Status::ALL.iter().zip(&GROUPS[1..]);
        let each = each.filter_map(|(status, group)| of("every-status", 0, group, "member", *status));
        Self(beamline.chain(each).collect())
    }
}

impl Memberships {
    /// The memberships of these identities in a group.
    pub(crate) fn of(&self, group: &Group, identities: &[Identity]) -> impl Iterator<Item = &Membership> {
        let is_of =
            |membership: &&Membership| membership.group.id == group.id && identities.contains(&membership.identity);
        self.0.iter().filter(is_of)
    }

    /// Gives every membership of a user in a group this status. A user without any gets one.
    pub(crate) fn set(&mut self, person: &str, group: &str, status: Status) -> Result<(), &'static str> {
        let person = people::find(person).ok_or("There is no such person.")?;
        let group = GROUPS.iter().find(|of| of.id == group).ok_or("There is no such group.")?;
        let mut any = false;
        for membership in &mut self.0 {
            if membership.group.id == group.id && person.identities().any(|identity| identity == membership.identity) {
                membership.status = status;
                any = true;
            }
        }
        if !any {
            self.0.push(Membership { group, identity: person.primary(), role: "member", status });
        }
        Ok(())
    }
}
