use std::fmt;

/// A user's public name: 1 to 30 of `a-z`, `0-9` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handle(String);

/// A text that cannot be a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHandle;

impl Handle {
    /// The longest handle, in characters.
    pub const MAX: usize = 30;

    /// # Errors
    /// [`NotAHandle`] for every text of another form; upper case is refused, not folded.
    pub fn parse(text: &str) -> Result<Self, NotAHandle> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let valid = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(allowed);
        if valid { Ok(Self(text.to_owned())) } else { Err(NotAHandle) }
    }

    /// The handle without the `@`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NotAHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a handle is 1 to {} of a-z, 0-9 and _", Handle::MAX)
    }
}

impl std::error::Error for NotAHandle {}
