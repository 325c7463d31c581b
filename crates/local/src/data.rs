//! The folder that holds the database, the secret and the key, for one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A data folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Another process has it.
    #[error(
        "the data folder {} is in use by another `cargo run`: end that one, or choose another folder with `--data-dir`",
        folder.display()
    )]
    Locked {
        /// The folder asked for.
        folder: PathBuf,
    },
    /// It cannot be made, or not written to.
    #[error("the data folder {} cannot be used; choose another with `--data-dir`", folder.display())]
    Unusable {
        /// The folder asked for.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A data folder, locked for as long as this value lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder when it is missing, and locks it.
    ///
    /// # Errors
    /// When it cannot be made or written to, or another process has locked it.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let unusable = |source| DataError::Unusable { folder: folder.to_owned(), source };
        make_private(folder).map_err(unusable)?;
        let path = folder.canonicalize().map_err(unusable)?;
        if path.to_str().is_none() {
            return Err(unusable(io::Error::new(io::ErrorKind::InvalidInput, "its path is not UTF-8")));
        }
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataError::Locked { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        // A folder chosen by flag may lie in a repository that does not ignore it.
        fs::write(path.join(".gitignore"), "*\n").map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the embedded database's file is.
    pub fn database(&self) -> PathBuf {
        self.path.join("dynamodb.sqlite")
    }

    /// Where the key of the local user pool is.
    pub fn issuer(&self) -> PathBuf {
        self.path.join("issuer")
    }

    /// Where the place in the database's stream is kept.
    pub fn stream(&self) -> PathBuf {
        self.path.join("stream")
    }

    /// Where the master secret is.
    pub fn secret(&self) -> PathBuf {
        self.path.join("secret")
    }
}

/// Writes a file that only its owner can read; under another name first, so that a crash leaves no half of it.
pub(crate) fn write_private(file: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension("unfinished");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut writer = options.open(&unfinished)?;
    writer.write_all(content)?;
    writer.sync_all()?;
    fs::rename(unfinished, file)
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_in_use_is_refused_until_it_is_free_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let first = DataFolder::open(&folder).unwrap();
        let error = DataFolder::open(&folder).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the data folder {} is in use by another `cargo run`: \
                 end that one, or choose another folder with `--data-dir`",
                folder.display()
            )
        );
        drop(first);
        DataFolder::open(&folder).unwrap();
    }

    #[test]
    fn a_file_in_the_folders_place_is_said_plainly() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataFolder::open(file.path()).unwrap_err();
        assert!(matches!(error, DataError::Unusable { .. }), "{error}");
        assert!(error.to_string().ends_with("choose another with `--data-dir`"), "{error}");
    }
}
