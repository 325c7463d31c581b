use super::{Code, Invalid, text};

/// The text of a post, a reply or a direct message.
///
/// It is trimmed, has a visible character and is bounded in length. Line ends are line feeds. It contains no tabs, no other
/// control characters, and no characters that change the writing direction of the text after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// The maximum length of a post, in Unicode code points. A line end is one, and white space at both ends is not counted.
    pub const MAX_POST: usize = 280;
    /// The maximum length of a reply, counted like that of a post.
    pub const MAX_REPLY: usize = 1024;
    /// The maximum length of a direct message, counted like that of a post.
    pub const MAX_DIRECT: usize = 1024;

    /// Validates the text of a post.
    ///
    /// # Errors
    /// [`Invalid`] with the codes of all rules that `text` breaks.
    pub fn post(text: &str) -> Result<Self, Invalid> {
        Self::parse(text, Self::MAX_POST, Code::MessageExceedMaxChars)
    }

    /// Validates the text of a reply.
    ///
    /// # Errors
    /// [`Invalid`] with the codes of all rules that `text` breaks.
    pub fn reply(text: &str) -> Result<Self, Invalid> {
        Self::parse(text, Self::MAX_REPLY, Code::MessageExceedMaxChars1024)
    }

    /// Validates the text of a direct message.
    ///
    /// # Errors
    /// [`Invalid`] with the codes of all rules that `text` breaks.
    pub fn direct(text: &str) -> Result<Self, Invalid> {
        Self::parse(text, Self::MAX_DIRECT, Code::MessageExceedMaxChars1024)
    }

    /// Wraps a stored text without validation: it may have been accepted under older limits.
    #[must_use]
    pub fn unchecked(text: String) -> Self {
        Self(text)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str, max: usize, too_long: Code) -> Result<Self, Invalid> {
        let text = text::normalize(text);
        Invalid::check([
            (Code::MessageBlank, text::is_blank(&text)),
            (too_long, text.chars().count() > max),
            (Code::MessageControlChars, text.contains(text::is_forbidden)),
        ])?;
        Ok(Self(text))
    }
}
