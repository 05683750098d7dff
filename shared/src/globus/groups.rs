//! The groups of a user, from Globus Groups.
//!
//! <https://groups.api.globus.org/redoc#tag/groups/operation/get_my_groups_and_memberships_v2_groups_my_groups_get>

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient;

/// The scope of the token that this needs. It allows no change.
pub(super) const SCOPE: &str = "urn:globus:auth:scope:groups.api.globus.org:view_my_groups_and_memberships";

/// The service whose token it is.
pub(super) const SERVICE: &str = "groups.api.globus.org";

/// One identity's place in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The UUID of the group, in lower case.
    pub group: String,
    /// The UUID of the identity, in lower case: the user's own, or one that the user has linked.
    pub identity: String,
    /// Whether its `status` is `active`: not invited, pending, rejected, or removed.
    pub is_active: bool,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default, deserialize_with = "lenient::value")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::value")]
    my_memberships: Option<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default, deserialize_with = "lenient::value")]
    group_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::value")]
    identity_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::value")]
    status: Option<String>,
}

/// Reads the body of a response; none if it is not a list. An entry that is not as documented is left out.
pub(super) fn parse(body: &[u8]) -> Option<Vec<Membership>> {
    let groups: Vec<Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let groups = groups.iter().filter_map(|raw| lenient::object::<Group>(raw.get()));
    Some(groups.flat_map(memberships).collect())
}

fn memberships(group: Group) -> Vec<Membership> {
    let Some(id) = group.id.map(|id| id.to_ascii_lowercase()) else { return Vec::new() };
    let entries = group.my_memberships.unwrap_or_default();
    entries.iter().filter_map(|raw| membership(raw, &id)).collect()
}

fn membership(raw: &RawValue, group: &str) -> Option<Membership> {
    let Entry { group_id, identity_id, status } = lenient::object(raw.get())?;
    let is_of_it = group_id.is_none_or(|id| id.eq_ignore_ascii_case(group));
    let identity = identity_id?.to_ascii_lowercase();
    let is_active = status.is_some_and(|status| status == "active");
    is_of_it.then(|| Membership { group: group.to_owned(), identity, is_active })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Option<Vec<(String, String, bool)>> {
        let memberships = parse(body.as_bytes())?;
        Some(memberships.into_iter().map(|one| (one.group, one.identity, one.is_active)).collect())
    }

    #[test]
    fn each_membership_is_read_with_its_status() {
        let body = r#"[{"id":"G1","name":"x","my_memberships":[
            {"group_id":"g1","identity_id":"I1","role":"admin","status":"active"},
            {"group_id":"G1","identity_id":"i2","role":"member","status":"pending"}]},
            {"id":"g2","my_memberships":[{"identity_id":"i1","status":"Active"}]}]"#;
        let expected = [("g1", "i1", true), ("g1", "i2", false), ("g2", "i1", false)];
        let expected = expected.map(|(group, identity, active)| (group.to_owned(), identity.to_owned(), active));
        assert_eq!(found(body), Some(expected.to_vec()));
    }

    #[test]
    fn a_body_that_is_no_list_is_refused_and_an_odd_entry_is_left_out() {
        for body in [
            "",
            "<html>",
            "null",
            "{}",
            r#"{"code":"ERROR","detail":"x"}"#,
            r#"{"groups":[],"next":"x"}"#,
            r#"{"has_next_page":false,"data":[{"id":"g","my_memberships":[{"identity_id":"i","status":"active"}]}]}"#,
            r#"[{"id":"g""#,
        ] {
            assert_eq!(found(body), None, "{body}");
        }
        for body in [
            "[]",
            r#"["g1",null,7,[]]"#,
            r#"[{"my_memberships":[{"identity_id":"i","status":"active"}]}]"#,
            r#"[{"id":"g"},{"id":"g","my_memberships":null},{"id":7,"my_memberships":[]}]"#,
            r#"[{"id":"g","my_memberships":[{"status":"active"},"active",{"identity_id":7,"status":"active"}]}]"#,
            r#"[{"id":"g","my_memberships":[{"group_id":"other","identity_id":"i","status":"active"}]}]"#,
        ] {
            assert_eq!(found(body), Some(vec![]), "{body}");
        }
        let no_status =
            r#"[{"id":"g","my_memberships":[{"identity_id":"i"},{"identity_id":"j","status":["active"]}]}]"#;
        assert!(found(no_status).unwrap().iter().all(|(_, _, active)| !active));
    }
}
