use std::fmt;

/// A user's unique name: 1 to 30 of `a-z`, `0-9` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handle(String);

/// The error of [`Handle::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidHandle;

impl Handle {
    /// The maximum length in characters.
    pub const MAX: usize = 30;

    /// Parses a handle without the `@`. Uppercase letters are rejected, not folded.
    ///
    /// # Errors
    /// [`InvalidHandle`] if `text` is empty, too long, or contains other characters.
    pub fn parse(text: &str) -> Result<Self, InvalidHandle> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let valid = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(allowed);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidHandle) }
    }

    /// Returns the handle without the `@`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InvalidHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a handle must be 1 to {} characters of a-z, 0-9 and _", Handle::MAX)
    }
}

impl std::error::Error for InvalidHandle {}
