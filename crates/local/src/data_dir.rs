//! The data directory. It holds the database, the master secret and the signing key, and one process locks it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{self, Path, PathBuf};

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Another process has locked it.
    #[error(
        "the data directory {} is in use by another `cargo run`: stop that process, or set another directory with \
         `--data-dir`",
        dir.display()
    )]
    Locked {
        /// The data directory.
        dir: PathBuf,
    },
    /// It cannot be created or written.
    #[error("the data directory {} cannot be created or written; set another with `--data-dir`", dir.display())]
    Unusable {
        /// The data directory.
        dir: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// A data directory, locked until this value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the directory if it is missing, and locks it.
    ///
    /// # Errors
    /// If it cannot be created or written, or another process has locked it.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let unusable = |source| DataError::Unusable { dir: dir.to_owned(), source };
        create_private(dir).map_err(unusable)?;
        let path = path::absolute(dir).map_err(unusable)?;
        if path.to_str().is_none() {
            return Err(unusable(io::Error::new(io::ErrorKind::InvalidInput, "its path is not UTF-8")));
        }
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        // `--data-dir` may point into a repository that does not ignore the directory.
        fs::write(path.join(".gitignore"), "*\n").map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    /// Returns the absolute path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the embedded database.
    pub fn database_file(&self) -> PathBuf {
        self.path.join("dynamodb.sqlite")
    }

    /// Returns the path of the local user pool's signing key.
    pub fn signing_key_file(&self) -> PathBuf {
        self.path.join("issuer")
    }

    /// Returns the path of the stream pump's checkpoint.
    pub fn checkpoint_file(&self) -> PathBuf {
        self.path.join("stream")
    }

    /// Returns the path of the file that exists while the demo data is incomplete.
    pub fn unfinished_seed_file(&self) -> PathBuf {
        self.path.join("seed")
    }

    /// Deletes the files that belong to the database, if the database was moved away. Otherwise the stream of a new database
    /// would be skipped up to the position in the old one.
    ///
    /// # Errors
    /// If they cannot be deleted.
    pub fn prepare_for_new_database(&self) -> Result<(), DataError> {
        if fs::metadata(self.database_file()).is_ok_and(|file| file.len() > 0) {
            return Ok(());
        }
        for file in [self.checkpoint_file(), self.unfinished_seed_file()] {
            remove_if_exists(&file).map_err(|source| DataError::Unusable { dir: self.path.clone(), source })?;
        }
        Ok(())
    }

    /// Returns the path of the master secret.
    pub fn secret_file(&self) -> PathBuf {
        self.path.join("secret")
    }
}

/// Writes a file that only its owner can read, atomically: a temporary file is renamed.
pub(crate) fn write_private(file: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = file.with_extension("unfinished");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut writer = options.open(&temporary)?;
    writer.write_all(content)?;
    writer.sync_all()?;
    fs::rename(temporary, file)
}

pub(crate) fn remove_if_exists(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_directory_is_rejected_until_released() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("data");
        let first = DataDir::open(&dir).unwrap();
        let error = DataDir::open(&dir).unwrap_err();
        assert!(matches!(&error, DataError::Locked { dir: locked } if *locked == dir), "{error}");
        drop(first);
        DataDir::open(&dir).unwrap();
    }

    #[test]
    fn file_instead_of_directory_is_rejected() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DataDir::open(file.path()).unwrap_err();
        assert!(matches!(error, DataError::Unusable { .. }), "{error}");
    }
}
