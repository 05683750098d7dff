//! The processors that Lambda has, and how a program for one runs on a machine with the other.

/// A kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// What the template takes unless told otherwise.
    Arm64,
    /// The other one.
    X86,
}

impl Processor {
    /// That of this machine.
    pub const HERE: Self = if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86 };

    /// The one that this machine does not have.
    pub const ELSEWHERE: Self = if cfg!(target_arch = "aarch64") { Self::X86 } else { Self::Arm64 };

    /// What the template calls it.
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86 => "x86_64",
        }
    }

    /// What `cargo lambda build` calls it.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Arm64 => "--arm64",
            Self::X86 => "--x86-64",
        }
    }

    /// What to put before a program for it, so that it runs on this machine.
    pub(crate) fn runs_with(self) -> &'static [&'static str] {
        match self {
            _ if self == Self::HERE => &[],
            Self::Arm64 => &["/usr/bin/qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
            Self::X86 => &["/usr/bin/qemu-x86_64", "-L", "/usr/x86_64-linux-gnu"],
        }
    }

    /// The files that this takes, each with the Debian package that has it: QEMU, and the C library of the processor.
    pub fn runs_with_packages(self) -> &'static [(&'static str, &'static str)] {
        match self {
            _ if self == Self::HERE => &[],
            Self::Arm64 => &[
                ("/usr/bin/qemu-aarch64", "qemu-user"),
                ("/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1", "libc6-arm64-cross"),
            ],
            Self::X86 => &[
                ("/usr/bin/qemu-x86_64", "qemu-user"),
                ("/usr/x86_64-linux-gnu/lib/ld-linux-x86-64.so.2", "libc6-amd64-cross"),
            ],
        }
    }
}
