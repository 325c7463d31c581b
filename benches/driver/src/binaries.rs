//! Builds the subjects separately and reads their sizes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

const PACKAGES: [&str; 6] = ["none", "ours", "official", "lite", "sdk", "sdk-ours"];

#[derive(Debug)]
pub(crate) struct Binaries {
    folder: PathBuf,
    /// Whether the subjects run in callgrind.
    in_callgrind: bool,
    sizes: BTreeMap<&'static str, u64>,
}

impl Binaries {
    /// Builds the subjects, or uses the existing binaries, in the directory of this executable.
    pub(crate) fn build(build: bool) -> Self {
        let executable = std::env::current_exe().expect("the path of this executable");
        let folder = executable.parent().expect("a directory").to_owned();
        if build {
            PACKAGES.iter().for_each(|package| self::build(package, "release"));
        }
        let size = |package| {
            let path = folder.join(package);
            let file = path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            file.len()
        };
        let sizes = PACKAGES.iter().map(|package| (*package, size(package))).collect();
        Self { folder, in_callgrind: false, sizes }
    }

    /// Builds the subjects whose instructions are counted, next to the directory of this executable.
    pub(crate) fn build_for_callgrind() -> Self {
        ["none", "ours"].iter().for_each(|package| self::build(package, "instructions"));
        let executable = std::env::current_exe().expect("the path of this executable");
        let folder = executable.parent().expect("a directory").with_file_name("instructions");
        Self { folder, in_callgrind: true, sizes: BTreeMap::new() }
    }

    /// Returns the command that starts a subject.
    pub(crate) fn command(&self, package: &str) -> Command {
        let path = self.folder.join(package);
        if !self.in_callgrind {
            return Command::new(path);
        }
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let valgrind = std::env::split_paths(&paths).map(|folder| folder.join("valgrind")).find(|path| path.is_file());
        let valgrind = valgrind.expect("valgrind is required (Debian: apt-get install valgrind)");
        let mut command = Command::new(valgrind);
        command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", self.counts().display())).arg(path);
        command
    }

    /// Returns the file with callgrind's counts.
    pub(crate) fn counts(&self) -> PathBuf {
        self.folder.join("callgrind.out")
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self, package: &str) -> u64 {
        self.sizes[package]
    }
}

fn build(package: &str, profile: &str) {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--profile", profile, "--locked", "--manifest-path", manifest, "--package", package])
        .status()
        .expect("cargo runs");
    assert!(built.success(), "building {package} failed: {built}");
}
