//! Builds the subjects separately and reads their sizes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

const PACKAGES: [&str; 6] = ["none", "ours", "official", "lite", "sdk", "sdk-ours"];

#[derive(Debug)]
pub(crate) struct Binaries {
    folder: PathBuf,
    sizes: BTreeMap<&'static str, u64>,
}

impl Binaries {
    /// Builds the subjects, or uses the existing binaries, in the directory of this executable.
    pub(crate) fn build(build: bool) -> Self {
        let executable = std::env::current_exe().expect("the path of this executable");
        let folder = executable.parent().expect("a directory").to_owned();
        if build {
            PACKAGES.iter().for_each(|package| self::build(package));
        }
        let size = |package| {
            let path = folder.join(package);
            let file = path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            file.len()
        };
        let sizes = PACKAGES.iter().map(|package| (*package, size(package))).collect();
        Self { folder, sizes }
    }

    pub(crate) fn path(&self, package: &str) -> PathBuf {
        self.folder.join(package)
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self, package: &str) -> u64 {
        self.sizes[package]
    }
}

fn build(package: &str) {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--manifest-path", manifest, "--package", package])
        .status()
        .expect("cargo runs");
    assert!(built.success(), "building {package} failed: {built}");
}
