//! The master secret: created once, stored in the data directory, never printed.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::data_dir;

const BYTES: usize = 64;

/// The master secret cannot be read or created.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file has other content.
    #[error(
        "{} does not contain {} hexadecimal digits: delete the file to create a new secret (old cursors become invalid)",
        file.display(), 2 * BYTES
    )]
    Damaged {
        /// The path of the secret.
        file: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the master secret {} cannot be read or written; fix its permissions or delete it", file.display())]
    Unusable {
        /// The path of the secret.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The operating system's random number generator failed.
    #[error("the operating system's random number generator failed")]
    NoRandomness(#[source] getrandom::Error),
}

/// 64 random bytes as 128 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterSecret(String);

impl MasterSecret {
    /// Reads the secret from `file`, or creates a secret there that only its owner can read.
    ///
    /// # Errors
    /// If the file has other content, or cannot be read or written.
    pub fn read_or_create(file: &Path) -> Result<Self, SecretError> {
        let unusable = |source| SecretError::Unusable { file: file.to_owned(), source };
        match fs::read_to_string(file) {
            Ok(digits) if is_complete(&digits) => Ok(Self(digits)),
            Ok(_) => Err(SecretError::Damaged { file: file.to_owned() }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secret = Self::random()?;
                data_dir::write_private(file, secret.0.as_bytes()).map_err(unusable)?;
                Ok(secret)
            }
            Err(error) => Err(unusable(error)),
        }
    }

    /// Returns the digits, from which the API derives its keys.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn random() -> Result<Self, SecretError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(SecretError::NoRandomness)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

impl fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterSecret(hidden)")
    }
}

fn is_complete(digits: &str) -> bool {
    digits.len() == 2 * BYTES && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_created_once_per_directory() {
        let folder = tempfile::tempdir().unwrap();
        let created = MasterSecret::read_or_create(&folder.path().join("secret")).unwrap();
        let read = MasterSecret::read_or_create(&folder.path().join("secret")).unwrap();
        let other = MasterSecret::read_or_create(&folder.path().join("other")).unwrap();
        assert_eq!(created.expose().len(), 128);
        assert!(created == read);
        assert!(created != other);
    }

    #[cfg(unix)]
    #[test]
    fn secret_file_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        MasterSecret::read_or_create(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn damaged_secret_is_rejected_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "hello").unwrap();
        let error = MasterSecret::read_or_create(&file).unwrap_err();
        assert!(matches!(error, SecretError::Damaged { .. }), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "hello");
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert_eq!(format!("{:?}", MasterSecret::random().unwrap()), "MasterSecret(hidden)");
    }
}
