//! The master secret: made once, kept beside the data, never printed.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::data;

const BYTES: usize = 64;

/// A master secret that can be neither read nor made.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is there and is not what was written to it.
    #[error(
        "{} does not hold {} hexadecimal digits: remove the file, and a new secret is made (old cursors then end)",
        file.display(), 2 * BYTES
    )]
    Damaged {
        /// The secret's file.
        file: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the secret's file {} cannot be used; mend its permissions or remove it", file.display())]
    Unusable {
        /// The secret's file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes to make a secret of")]
    NoRandomness(#[source] getrandom::Error),
}

/// 64 random bytes as 128 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Reads the secret from `file`, or makes one there that only its owner can read.
    ///
    /// # Errors
    /// When the file holds something else, cannot be read or cannot be written.
    pub fn read_or_make(file: &Path) -> Result<Self, SecretError> {
        let unusable = |source| SecretError::Unusable { file: file.to_owned(), source };
        match fs::read_to_string(file) {
            Ok(digits) if is_whole(&digits) => Ok(Self(digits)),
            Ok(_) => Err(SecretError::Damaged { file: file.to_owned() }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secret = Self::random()?;
                data::write_private(file, secret.0.as_bytes()).map_err(unusable)?;
                Ok(secret)
            }
            Err(error) => Err(unusable(error)),
        }
    }

    /// The secret itself, for keys to be derived from and for Secrets Manager's answer.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn random() -> Result<Self, SecretError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(SecretError::NoRandomness)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

fn is_whole(digits: &str) -> bool {
    digits.len() == 2 * BYTES && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_is_another_in_another_folder() {
        let folder = tempfile::tempdir().unwrap();
        let made = Secret::read_or_make(&folder.path().join("secret")).unwrap();
        let read = Secret::read_or_make(&folder.path().join("secret")).unwrap();
        let other = Secret::read_or_make(&folder.path().join("other")).unwrap();
        assert_eq!(made.expose().len(), 128);
        assert!(made == read);
        assert!(made != other);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        Secret::read_or_make(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_neither_used_nor_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "hello").unwrap();
        let error = Secret::read_or_make(&file).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{} does not hold 128 hexadecimal digits: \
                 remove the file, and a new secret is made (old cursors then end)",
                file.display()
            )
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "hello");
    }

    #[test]
    fn debug_output_hides_it() {
        assert_eq!(format!("{:?}", Secret::random().unwrap()), "Secret(hidden)");
    }
}
