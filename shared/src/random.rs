//! Random numbers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    error::{Kind, Result},
    log::Reason,
};

/// Random bytes from the system, by ring, which the TLS stack uses too.
pub(crate) fn bytes<const LENGTH: usize>() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let filled = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes);
    filled.map(|()| bytes).map_err(|_| Kind::Internal(Reason::NoRandomNumbers).into())
}

/// This many random bytes as text, in base64url.
pub(crate) fn text<const LENGTH: usize>() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<LENGTH>()?))
}
