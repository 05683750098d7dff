//! A copy of the project that is kept like it.

use std::{
    collections::BTreeSet,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use kit::{Result, tools};

/// What the tests need of the project.
const PARTS: [&str; 13] = [
    ".env.example",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "docs",
    "events",
    "examples",
    "functions",
    "rust-toolchain.toml",
    "samconfig.toml",
    "shared",
    "template.yaml",
    "tests",
];

/// What no test of a mutant depends on, but for templates and the names of the alarms in `docs/operations.md`: to edit it must
/// not cost another run of all mutants.
const BESIDE: [&str; 4] = ["README.md", "docs", "tests/dev", "tests/mutants"];

/// Makes `copy` like the project. A file that is like it already is left alone, since cargo would compile it again.
pub(super) fn update(copy: &Path) -> Result<()> {
    let said = |error: io::Error| format!("The project is not copied to {}: {error}.", copy.display());
    let (ours, theirs) = (files(tools::root()), files(copy));
    for file in theirs.difference(&ours) {
        fs::remove_file(copy.join(file)).map_err(said)?;
    }
    for file in &ours {
        let (from, to) = (tools::root().join(file), copy.join(file));
        let content = fs::read(&from).map_err(said)?;
        if fs::read(&to).is_ok_and(|there| there == content) {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(copy)).map_err(said)?;
        fs::copy(&from, &to).map_err(said)?;
    }
    // The tools are the same.
    let (tools, link) = (tools::tool("")?, copy.join(".tools"));
    if link.exists() { Ok(()) } else { symlink(tools, link).map_err(said) }
}

/// A hash of all that the tests of a mutant depend on beside the mutant.
pub(super) fn hash() -> Result<u64> {
    let mut hash = DefaultHasher::new();
    let is_beside =
        |file: &Path| BESIDE.iter().any(|beside| file.starts_with(beside)) && file.extension() != Some("yaml".as_ref());
    for file in files(tools::root()).iter().filter(|file| !is_beside(file)) {
        let content = fs::read(tools::root().join(file));
        (file, content.map_err(|error| format!("{} is not read: {error}.", file.display()))?).hash(&mut hash);
    }
    Ok(hash.finish())
}

/// The files of a project in this directory, as seen from it.
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let is_source = |path: &Path| path.file_name().is_none_or(|name| name != "__pycache__" && name != "target");
    let mut found = BTreeSet::new();
    let mut left: Vec<_> = PARTS.iter().map(|part| root.join(part)).collect();
    while let Some(path) = left.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            left.extend(entries.flatten().map(|entry| entry.path()).filter(|path| is_source(path)));
        } else if path.is_file()
            && let Ok(file) = path.strip_prefix(root)
        {
            found.insert(file.to_owned());
        }
    }
    found
}
