//! Random values that cannot be guessed, in Globus's formats.

use getrandom::{
    SysRng,
    rand_core::{Rng as _, UnwrapErr},
};

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// An access or refresh token: `Ag` and 89 letters and digits.
pub(crate) fn token() -> String {
    format!("Ag{}", alphanumeric::<89>())
}

/// An authorization code, or the value of the stand-in's own cookie.
pub(crate) fn code() -> String {
    alphanumeric::<30>()
}

/// A random UUID ([RFC 9562, version 4](https://www.rfc-editor.org/rfc/rfc9562#section-5.4)).
pub(crate) fn uuid() -> String {
    let random = u128::from_be_bytes(bytes());
    let version = random & !(0xf << 76) | 0x4 << 76;
    let hex = format!("{:032x}", version & !(0x3 << 62) | 0x2 << 62);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn alphanumeric<const LENGTH: usize>() -> String {
    let letter = |byte: u8| char::from(ALPHANUMERIC[usize::from(byte) % ALPHANUMERIC.len()]);
    bytes::<LENGTH>().into_iter().map(letter).collect()
}

fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}
