//! RSA keys that sign ID tokens. To generate one takes about a second, so all stand-ins of a process share them.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use getrandom::SysRng;
use ring::{
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{KeyPair as _, RSA_PKCS1_SHA512, RsaKeyPair},
};
use rsa::{PrivateKey, pkcs8::EncodePrivateKey as _};
use serde_json::{Value, json};

/// The length of Globus's keys.
const BITS: usize = 2048;

static SHARED: Mutex<Vec<Arc<Key>>> = Mutex::new(Vec::new());

/// A key pair.
pub(crate) struct Key(RsaKeyPair);

/// The shared key that a stand-in signs with, and the shared keys that it lists.
#[derive(Clone)]
pub(crate) struct KeyRing {
    current: usize,
    listed: Vec<usize>,
}

impl Default for KeyRing {
    fn default() -> Self {
        Self { current: 0, listed: vec![0] }
    }
}

impl KeyRing {
    /// The key that signs.
    pub(crate) fn current(&self) -> io::Result<Arc<Key>> {
        shared(self.current)
    }

    /// The next key, which is not listed.
    pub(crate) fn other(&self) -> io::Result<Arc<Key>> {
        shared(self.current + 1)
    }

    /// Changes to the next key. With `keep_old` the old key stays listed, before the new one.
    pub(crate) fn rotate(&mut self, keep_old: bool) {
        let old = keep_old.then_some(self.current);
        self.current += 1;
        self.listed = old.into_iter().chain([self.current]).collect();
    }

    /// The content of `/jwk.json`. Like Globus's keys, these have no `kid`.
    pub(crate) fn jwks(&self) -> io::Result<Value> {
        let keys: io::Result<Vec<_>> = self.listed.iter().map(|index| Ok(shared(*index)?.jwk())).collect();
        Ok(json!({ "keys": keys? }))
    }
}

impl Key {
    fn generate() -> io::Result<Self> {
        let key = PrivateKey::new(&mut SysRng, BITS).map_err(io::Error::other)?;
        let der = key.to_pkcs8_der().map_err(io::Error::other)?;
        let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).map_err(io::Error::other)?;
        Ok(Self(pair))
    }

    /// The RS512 signature.
    pub(crate) fn sign(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), message, &mut signature).map_err(io::Error::other)?;
        Ok(signature)
    }

    /// The public key in the format of PKCS #1.
    pub(crate) fn public_der(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    pub(crate) fn jwk(&self) -> Value {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.0.public());
        json!({
            "alg": "RS512",
            "e": URL_SAFE_NO_PAD.encode(public.e),
            "kty": "RSA",
            "n": URL_SAFE_NO_PAD.encode(public.n),
            "use": "sig",
        })
    }
}

/// The key with that index. The first call generates it, and concurrent calls wait for it.
fn shared(index: usize) -> io::Result<Arc<Key>> {
    let mut keys = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    while keys.len() <= index {
        keys.push(Arc::new(Key::generate()?));
    }
    keys.get(index).cloned().ok_or_else(|| io::Error::other("no key"))
}
