//! Hashes the style sheet and the scripts of the pages, for the Content-Security-Policy: it lets a browser use exactly
//! these. So a change to one of them needs no other change, and costs nothing when a function starts.

#![expect(clippy::disallowed_methods, reason = "cargo says in a variable where the output goes")]

use std::{env, error::Error, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

const TEMPLATES: &str = "src/templates";

fn main() -> Result<(), Box<dyn Error>> {
    let into = env::var("OUT_DIR")?;
    for (source, hash) in
        [("style.css", "style.hash"), ("personal.js", "personal.hash"), ("message.js", "message.hash")]
    {
        let source = Path::new(TEMPLATES).join(source);
        println!("cargo::rerun-if-changed={}", source.display());
        let digest = STANDARD.encode(Sha256::digest(fs::read(source)?));
        fs::write(Path::new(&into).join(hash), format!("'sha256-{digest}'"))?;
    }
    Ok(())
}
