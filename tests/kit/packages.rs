//! The functions as `sam build` packages them: for each storage and each processor.

use std::{
    path::PathBuf,
    sync::{Mutex, OnceLock},
};

use crate::{Result, local::Storage, processor::Processor, programs::functions, sam, tools};

/// What the functions are packaged for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Where sessions are kept, which decides which of its two programs a function has.
    pub storage: Storage,
    /// What they run on.
    pub processor: Processor,
}

impl Package {
    /// For this machine's processor.
    pub const fn here(storage: Storage) -> Self {
        Self { storage, processor: Processor::HERE }
    }

    /// For the processor that this machine does not have.
    pub const fn elsewhere(storage: Storage) -> Self {
        Self { storage, processor: Processor::ELSEWHERE }
    }

    /// Builds them, once in this process; gives the directory where each function has one named as in the template.
    pub fn build(self) -> Result<PathBuf> {
        static BUILT: [OnceLock<Result<()>>; 4] = [const { OnceLock::new() }; 4];
        // One after the other: all are compiled in one place, from where SAM takes a program by its name alone.
        static BUILDING: Mutex<()> = Mutex::new(());
        let number = usize::from(self.storage == Storage::Table) + 2 * usize::from(self.processor == Processor::HERE);
        let package = || {
            let _others_wait = BUILDING.lock();
            compile(self.processor, &[self.storage])?;
            sam::build(&self.directory()?, &self.parameters(), &directory()?)
        };
        // There are as many as numbers.
        BUILT.get(number).map_or(Ok(()), |built| built.get_or_init(package).clone())?;
        self.directory()
    }

    /// The program of a function, such as `home`.
    pub fn program(self, function: &str) -> Result<PathBuf> {
        Ok(self.build()?.join(format!("{}/bootstrap", resource(function))))
    }

    /// A function that only says hello, built beside these for this machine: what they are measured against.
    pub fn bare(self) -> Result<PathBuf> {
        self.build()?;
        Ok(directory()?.join("lambda/bare/bootstrap"))
    }

    /// The parameters of the template that say so.
    pub fn parameters(self) -> [(&'static str, &'static str); 2] {
        let storage = if self.storage == Storage::Table { "dynamodb" } else { "cookie" };
        [("TokenStorage", storage), ("Architecture", self.processor.architecture())]
    }

    fn directory(self) -> Result<PathBuf> {
        let [(_, storage), (_, architecture)] = self.parameters();
        tools::artifact(&format!("stack-{storage}-{architecture}"))
    }
}

/// The name in the template of a function, such as `HomeFunction` of `home`.
pub fn resource(function: &str) -> String {
    let mut letters = function.chars();
    let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
    let name: String = initial.into_iter().chain(letters).collect();
    format!("{name}Function")
}

/// Compiles what `sam build` would, with the same tool and settings, so that it finds everything done: it builds one
/// function after the other, and each ends with a linker that uses one processor for a minute.
pub fn compile(processor: Processor, storages: &[Storage]) -> Result<()> {
    let mut build = sam::command("cargo-lambda")?;
    build.args(["lambda", "build", "--release", "--locked", "--quiet", processor.flag()]);
    for function in functions() {
        build.args(["--package", function]);
        for storage in storages {
            let suffix = if *storage == Storage::Cookies { "-cookie" } else { "" };
            build.args(["--bin", &format!("{function}{suffix}")]);
        }
    }
    if processor == Processor::HERE {
        build.args(["--package", "bare", "--bin", "bare"]);
    }
    build.env("CARGO_TARGET_DIR", directory()?);
    sam::said(&mut build, "cargo lambda build")
}

/// Where they are compiled: not where other builds are, which would wait for this.
fn directory() -> Result<PathBuf> {
    tools::artifact("packaged")
}
