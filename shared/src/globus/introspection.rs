//! What Globus knows of a token: how its user has logged in, which identities the user has linked, and which policies the
//! login fulfils ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662),
//! <https://docs.globus.org/api/auth/reference/#token_introspection_post_v2_oauth2_token_introspect>).
//!
//! It is read entry by entry, and strictly: what has another form than documented is as if it were absent.

use serde_json::value::RawValue;

use super::lenient::Members;
use crate::Timestamp;

/// What Globus says about the token of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introspection {
    /// Whether the token is still good.
    pub is_active: bool,
    /// The UUID of the user.
    pub sub: Option<String>,
    /// The logins of the user's session at Globus.
    pub logins: Vec<Login>,
    /// The identities that the user has linked, with or without a login.
    pub identities: Vec<LinkedIdentity>,
    /// The policies that were asked for, and whether the session fulfils each.
    pub policies: Vec<(String, bool)>,
}

/// A login at an identity provider: an entry of `session_info.authentications`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The UUID of the identity, in lower case.
    pub identity: String,
    /// When it logged in, `auth_time`.
    pub at: Option<Timestamp>,
}

/// An entry of `identity_set_detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedIdentity {
    /// The UUID of the identity, in lower case.
    pub id: String,
    /// The username as Globus sent it.
    pub username: Option<String>,
    /// Whether its user has proven at any time that it is theirs: `status` is `used`.
    pub is_used: bool,
}

impl Introspection {
    /// Reads the body of a response; none if it is no JSON object or has a member twice.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let body = Members::parse(std::str::from_utf8(body).ok()?)?;
        let session = body.get("session_info").and_then(|raw: Box<RawValue>| Members::parse(raw.get()));
        let logins: Members = session.and_then(|session| session.get("authentications")).unwrap_or_default();
        let details: Vec<Box<RawValue>> = body.get("identity_set_detail").unwrap_or_default();
        let policies: Members = body.get("policy_evaluations").unwrap_or_default();
        Some(Self {
            is_active: body.get("active") == Some(true),
            sub: body.get("sub"),
            logins: logins.0.iter().filter_map(|(id, raw)| login(id, raw)).collect(),
            identities: details.iter().filter_map(|raw| linked(raw)).collect(),
            policies: policies.0.iter().map(|(id, raw)| (id.to_ascii_lowercase(), is_true(raw))).collect(),
        })
    }
}

fn login(id: &str, raw: &RawValue) -> Option<Login> {
    let at = Members::parse(raw.get())?.get("auth_time").and_then(Timestamp::from_fraction);
    Some(Login { identity: id.to_ascii_lowercase(), at })
}

/// An identity, if it has one UUID: in `sub` or, as in Globus's older responses, in `id`.
fn linked(raw: &RawValue) -> Option<LinkedIdentity> {
    let detail = Members::parse(raw.get())?;
    let id = match (detail.get::<String>("sub"), detail.get::<String>("id")) {
        (Some(sub), Some(id)) if sub != id => return None,
        (sub, id) => sub.or(id)?,
    };
    let is_used = detail.get::<String>("status").is_some_and(|status| status == "used");
    Some(LinkedIdentity { id: id.to_ascii_lowercase(), username: detail.get("username"), is_used })
}

fn is_true(raw: &RawValue) -> bool {
    Members::parse(raw.get()).and_then(|evaluation| evaluation.get("evaluation")) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Option<Introspection> {
        Introspection::parse(body.as_bytes())
    }

    const ADA: &str = "ada10ace-1815-4d60-8bdb-eeecaba85bd9";

    #[test]
    fn a_response_as_documented_is_read_as_it_is() {
        let body = format!(
            r#"{{"active":true,"sub":"{ADA}","username":"ada@anl.gov","email":"ada@lab.example","exp":2000000000,
            "session_info":{{"session_id":"s","authentications":{{"{upper}":{{"idp":"p","auth_time":1800000000,"acr":null,
            "amr":["mfa"],"custom_claims":{{}}}}}}}},
            "identity_set_detail":[{{"sub":"{ADA}","username":"Ada@ANL.gov","identity_type":"login","status":"used"}},
            {{"id":"{upper}","username":"ada@anl.gov","status":"unused"}}],
            "policy_evaluations":{{"P1":{{"evaluation":true}},"p2":{{"evaluation":false}}}}}}"#,
            upper = ADA.to_uppercase()
        );

        let id = || ADA.to_owned();
        let identity =
            |username: &str, is_used| LinkedIdentity { id: id(), username: Some(username.to_owned()), is_used };
        let expected = Introspection {
            is_active: true,
            sub: Some(id()),
            logins: vec![Login { identity: id(), at: Some(Timestamp::from_seconds(1_800_000_000)) }],
            identities: vec![identity("Ada@ANL.gov", true), identity("ada@anl.gov", false)],
            policies: vec![("p1".to_owned(), true), ("p2".to_owned(), false)],
        };
        assert_eq!(parse(&body), Some(expected));
    }

    #[test]
    fn what_is_not_as_documented_is_absent() {
        let absent = Introspection::default();
        for body in [
            "{}",
            r#"{"active":"true","sub":7,"session_info":[],"identity_set_detail":{},"policy_evaluations":[]}"#,
            r#"{"active":1,"sub":null,"session_info":{"authentications":[{}]},"policy_evaluations":null}"#,
            r#"{"active":null,"session_info":{"authentications":{"a":"b","c":7,"d":null}},"identity_set_detail":["x",7]}"#,
            r#"{"identity_set_detail":[{"username":"a@anl.gov"},{"sub":"1","id":"2","username":"a@anl.gov"},{"sub":7}]}"#,
        ] {
            assert_eq!(parse(body), Some(absent.clone()), "{body}");
        }
        for body in ["", "[]", "null", "<html>", r#"{"active":true,"active":false}"#, r#"{"active":true"#] {
            assert_eq!(parse(body), None, "{body}");
        }
    }

    #[test]
    fn an_identity_is_in_use_only_if_its_status_is_that_word() {
        for (status, is_used) in [("\"used\"", true), ("\"Used\"", false), ("\"unused\"", false), ("true", false)] {
            let body = format!(" {{\"identity_set_detail\":[{{\"sub\":\"{ADA}\",\"status\":{status}}}]}}");
            assert_eq!(parse(&body).unwrap().identities[0].is_used, is_used, "{status}");
        }
    }

    #[test]
    fn an_evaluation_is_true_only_if_it_is_the_word_true() {
        for value in ["false", "1", "\"true\"", "null", "{}", "[true]"] {
            let body = format!(r#"{{"policy_evaluations":{{"p":{{"evaluation":{value}}}}}}}"#);
            assert_eq!(parse(&body).unwrap().policies, [("p".to_owned(), false)], "{value}");
        }
        for value in ["true", "[]", "7", "null"] {
            let body = format!(r#"{{"policy_evaluations":{{"p":{value}}}}}"#);
            assert_eq!(parse(&body).unwrap().policies, [("p".to_owned(), false)], "{value}");
        }
    }

    /// Two readers could each use another one.
    #[test]
    fn a_policy_or_a_login_that_occurs_twice_fulfils_nothing() {
        let good = r#"{"auth_time":1}"#;
        for body in [
            r#"{"policy_evaluations":{"p":{"evaluation":true},"p":{"evaluation":false}}}"#.to_owned(),
            format!(r#"{{"session_info":{{"authentications":{{"a":{good},"a":true}}}}}}"#),
            format!(r#"{{"session_info":{{"authentications":{{"a":{good},"a":{good}}}}}}}"#),
        ] {
            assert_eq!(parse(&body), Some(Introspection::default()), "{body}");
        }
    }

    #[test]
    fn a_time_that_is_no_number_is_absent_and_the_login_is_not() {
        for (value, at) in [
            ("1800000000.9", Some(1_800_000_000)),
            ("0", Some(0)),
            ("-1", None),
            ("1e300", None),
            ("\"1800000000\"", None),
            ("null", None),
        ] {
            let body = format!(r#"{{"session_info":{{"authentications":{{"a":{{"auth_time":{value}}}}}}}}}"#);
            let login = Login { identity: "a".to_owned(), at: at.map(Timestamp::from_seconds) };
            assert_eq!(parse(&body).unwrap().logins, [login], "{value}");
        }
    }
}
