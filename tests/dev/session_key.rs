//! The key that seals the cookies of `cargo dev`.

use std::{fs, io, os::unix::fs::OpenOptionsExt as _};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use kit::{Result, tools};

/// A key of this clone's own, kept, so that a restart logs no user out.
pub(crate) fn session_key() -> Result<String> {
    let path = tools::tool("session-key")?;
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read.map_err(|error| format!("{} cannot be read: {error}.", path.display())),
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("The system gives no random numbers: {error}."))?;
    let key = URL_SAFE_NO_PAD.encode(bytes);
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let written = file.and_then(|mut file| io::Write::write_all(&mut file, key.as_bytes()));
    written.map_err(|error| format!("{} cannot be written: {error}.", path.display()))?;
    Ok(key)
}
