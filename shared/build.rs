//! Removes blanks from the style sheet of the pages, and hashes it and the scripts for the Content-Security-Policy: it lets a
//! browser use exactly these. So a change to one of them needs no other change, and costs nothing when a function starts.

#![expect(clippy::disallowed_methods, reason = "cargo says in a variable where the output goes")]

use std::{env, error::Error, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

const TEMPLATES: &str = "src/templates";

fn main() -> Result<(), Box<dyn Error>> {
    let (from, into) = (Path::new(TEMPLATES), env::var("OUT_DIR")?);
    let into = Path::new(&into);
    println!("cargo::rerun-if-changed={TEMPLATES}");
    let style = fs::read_to_string(from.join("style.css"))?;
    let style = minifier::css::minify(&style)?.to_string();
    fs::write(into.join("style.css"), &style)?;
    hash(style.as_bytes(), &into.join("style.hash"))?;
    hash(&fs::read(from.join("personal.js"))?, &into.join("personal.hash"))?;
    hash(&fs::read(from.join("message.js"))?, &into.join("message.hash"))
}

fn hash(source: &[u8], file: &Path) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(file, format!("'sha256-{}'", STANDARD.encode(Sha256::digest(source))))?)
}
