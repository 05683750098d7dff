//! Random numbers.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Kind, Result, log::Reason};

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_thousand_random_numbers_are_all_different_and_each_of_their_bits_occurs() {
        let numbers: Vec<[u8; 12]> = (0..1000).map(|_| bytes().unwrap()).collect();

        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 1000);
        for at in 0..12 {
            let (any, all) = numbers.iter().fold((0, 0xff), |(any, all), number| (any | number[at], all & number[at]));
            assert_eq!((any, all), (0xff, 0), "byte {at}");
        }
    }

    #[test]
    fn text_has_all_random_bytes() {
        let texts: BTreeSet<_> = (0..1000).map(|_| text::<16>().unwrap()).collect();
        assert_eq!(texts.len(), 1000);
        assert!(texts.iter().all(|text| text.len() == 22), "{texts:?}");
    }
}
