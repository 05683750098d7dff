//! What only tests need of this client.

use globus_stand_in::CLIENT_ID;

use super::{
    Timestamp,
    id_token::{Expected, verify},
    key_set::KeySet,
};
use crate::log::Reason;

/// The `sub` of an ID token, if a sign-in with this nonce and this access token accepts it, with keys in the format of
/// `/jwk.json`.
pub fn verify_id_token(
    token: &str,
    key_set: &[u8],
    issuer: &str,
    nonce: &str,
    access_token: &str,
    now: Timestamp,
) -> Result<String, Reason> {
    let keys = KeySet::parse(key_set, now).ok_or(Reason::KeySetUnreadable)?;
    verify(token, &keys, Expected { issuer, client_id: CLIENT_ID, nonce, access_token, now }).map(|claims| claims.sub)
}
