//! The groups of a user, from Globus Groups.
//!
//! <https://groups.api.globus.org/redoc#tag/groups/operation/get_my_groups_and_memberships_v2_groups_my_groups_get>

use serde_json::value::RawValue;

use super::lenient::Members;

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

/// Reads the body of a response; none if it is not a list. An entry that is not as documented is left out.
pub(super) fn parse(body: &[u8]) -> Option<Vec<Membership>> {
    let groups: Vec<Box<RawValue>> = serde_json::from_slice(body).ok()?;
    Some(groups.iter().filter_map(|raw| memberships(raw)).flatten().collect())
}

fn memberships(raw: &RawValue) -> Option<Vec<Membership>> {
    let group = Members::parse(raw.get())?;
    let id = group.get::<String>("id")?.to_ascii_lowercase();
    let entries: Vec<Box<RawValue>> = group.get("my_memberships")?;
    Some(entries.iter().filter_map(|raw| membership(raw, &id)).collect())
}

fn membership(raw: &RawValue, group: &str) -> Option<Membership> {
    let entry = Members::parse(raw.get())?;
    let is_of_it = entry.get::<String>("group_id").is_none_or(|id| id.eq_ignore_ascii_case(group));
    let identity = entry.get::<String>("identity_id")?.to_ascii_lowercase();
    let is_active = entry.get::<String>("status").is_some_and(|status| status == "active");
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
