//! Builds the functions again when their code has changed.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{Result, process::Process};

/// What the functions are made of, in the project's directory.
const SOURCES: [&str; 3] = ["Cargo.toml", "functions", "shared"];

/// When each file was last changed, and how long it is.
type Files = BTreeMap<PathBuf, (SystemTime, u64)>;

/// What has happened since the last look.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// This file has changed, and a build has begun.
    Changed(PathBuf),
    /// The build has failed.
    Failed,
    /// The build has succeeded.
    Built,
}

/// The code, and the build of it, if there is one.
#[derive(Debug)]
pub struct Rebuild {
    root: PathBuf,
    /// The files that the last build was begun with.
    seen: Files,
    build: Option<Process>,
}

impl Rebuild {
    /// For the code in this directory, which has been built as it is now.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), seen: files(root), build: None }
    }

    /// Looks at the files, and begins a build if one has changed; or looks whether that build has ended.
    ///
    /// The files are looked at, and the system is not asked to report changes: it does not report those on network
    /// drives and on the Windows drives of WSL, and there are few files.
    pub fn look(&mut self, build: impl FnOnce() -> Result<Process>) -> Result<Option<News>> {
        if let Some(running) = &mut self.build {
            let Some(status) = running.ended() else { return Ok(None) };
            self.build = None;
            return Ok(Some(if status.success() { News::Built } else { News::Failed }));
        }
        let files = files(&self.root);
        let Some(changed) = difference(&self.seen, &files) else { return Ok(None) };
        self.seen = files;
        self.build = Some(build()?);
        Ok(Some(News::Changed(changed.strip_prefix(&self.root).unwrap_or(&changed).to_owned())))
    }
}

/// The files now, without the hidden ones, which editors write beside those they edit, and without what is built.
fn files(root: &Path) -> Files {
    let is_source = |name: &OsStr| !name.as_encoded_bytes().starts_with(b".") && name != "target";
    let mut found = Files::new();
    let mut left: Vec<_> = SOURCES.iter().map(|name| root.join(name)).collect();
    while let Some(path) = left.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            let entries = entries.flatten().filter(|entry| is_source(&entry.file_name()));
            left.extend(entries.map(|entry| entry.path()));
        } else if let Ok(file) = fs::metadata(&path)
            && let Ok(changed) = file.modified()
        {
            found.insert(path, (changed, file.len()));
        }
    }
    found
}

/// A file that is new, gone, or changed.
fn difference(before: &Files, now: &Files) -> Option<PathBuf> {
    let here = now.iter().find(|(path, changed)| before.get(*path) != Some(changed));
    let gone = before.iter().find(|(path, _)| !now.contains_key(*path));
    here.or(gone).map(|(path, _)| path.clone())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        process::{Output, wait_for},
        tools,
    };

    const SOON: Duration = Duration::from_secs(20);

    /// Looks until there are news.
    fn next(rebuild: &mut Rebuild, file: &Path) -> Option<News> {
        // The code builds if it says so.
        let (log, file) = (tools::log("rebuild.log").unwrap(), file.to_str().unwrap());
        let build = || Process::start("grep".as_ref(), &["good", file], &[], Output::File(log.clone()));
        wait_for(SOON, || rebuild.look(build).unwrap())
    }

    #[test]
    fn a_change_is_built_and_what_came_of_it_is_reported() {
        let root = tools::artifact("rebuild/here").unwrap();
        let file = root.join("functions/home.rs");
        drop(fs::remove_dir_all(&root));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "good").unwrap();
        let mut rebuild = Rebuild::new(&root);
        let never = || Err("Nothing is to be built.".to_owned());
        assert_eq!(rebuild.look(never), Ok(None));
        fs::write(root.join("functions/.home.rs.swp"), "of an editor").unwrap();
        fs::write(root.join("README.md"), "no code").unwrap();
        assert_eq!(rebuild.look(never), Ok(None));

        for (text, expected) in [("broken", News::Failed), ("good again", News::Built)] {
            fs::write(&file, text).unwrap();
            assert_eq!(next(&mut rebuild, &file), Some(News::Changed("functions/home.rs".into())));
            assert_eq!(next(&mut rebuild, &file), Some(expected));
            assert_eq!(rebuild.look(never), Ok(None));
        }
    }

    #[test]
    fn a_change_during_a_build_is_built_after_it() {
        let root = tools::artifact("rebuild/twice").unwrap();
        let file = root.join("Cargo.toml");
        fs::create_dir_all(&root).unwrap();
        fs::write(&file, "good").unwrap();
        let mut rebuild = Rebuild::new(&root);

        fs::write(&file, "good as well").unwrap();
        assert_eq!(next(&mut rebuild, &file), Some(News::Changed("Cargo.toml".into())));
        fs::remove_file(&file).unwrap();
        let ended = next(&mut rebuild, &file);
        assert!(matches!(ended, Some(News::Built | News::Failed)), "{ended:?}");
        assert_eq!(next(&mut rebuild, &file), Some(News::Changed("Cargo.toml".into())));
    }
}
