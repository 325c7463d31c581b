use std::fmt;
use std::hash::{Hash, Hasher};

/// A user's unique name: 1 to 30 of `A-Z`, `a-z`, `0-9` and `_`.
///
/// It is displayed as its user wrote it. Case makes no difference to equality, hashes and keys.
#[derive(Clone, Debug)]
pub struct Handle(String);

/// The error of [`Handle::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHandle;

impl Handle {
    /// The maximum length in characters.
    pub const MAX: usize = 30;

    /// Parses a handle without the `@`.
    ///
    /// # Errors
    /// [`InvalidHandle`] if `text` is empty, too long, or contains other characters.
    pub fn parse(text: &str) -> Result<Self, InvalidHandle> {
        let valid = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(Self::allows);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidHandle) }
    }

    /// Returns whether a handle can contain this byte of a text in UTF-8.
    pub(super) fn allows(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || byte == b'_'
    }

    /// Returns the handle without the `@`, as its user wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the handle in lower case, which is equal for all spellings of the same handle.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().hash(state);
    }
}

impl fmt::Display for InvalidHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a handle must be 1 to {} characters of A-Z, a-z, 0-9 and _", Handle::MAX)
    }
}

impl std::error::Error for InvalidHandle {}
