use super::{Code, Invalid};

/// The text of a post, a reply or a direct message: trimmed, not blank, of bounded length, no control characters but line feeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(String);

impl Message {
    /// The longest post, in Unicode code points after trimming.
    pub const MAX_POST: usize = 280;
    /// The longest reply, in Unicode code points after trimming.
    pub const MAX_REPLY: usize = 1024;
    /// The longest direct message, in Unicode code points after trimming.
    pub const MAX_DIRECT: usize = 1024;

    /// # Errors
    /// Every rule for posts that `text` breaks.
    pub fn post(text: &str) -> Result<Self, Invalid> {
        Self::parse(text, Self::MAX_POST, Code::MessageExceedMaxChars)
    }

    /// # Errors
    /// Every rule for replies that `text` breaks.
    pub fn reply(text: &str) -> Result<Self, Invalid> {
        Self::parse(text, Self::MAX_REPLY, Code::MessageExceedMaxChars1024)
    }

    /// # Errors
    /// Every rule for direct messages that `text` breaks.
    pub fn direct(text: &str) -> Result<Self, Invalid> {
        Self::parse(text, Self::MAX_DIRECT, Code::MessageExceedMaxChars1024)
    }

    /// A message that was accepted before, perhaps under other limits than today's.
    #[must_use]
    pub fn accepted(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &str, max: usize, too_long: Code) -> Result<Self, Invalid> {
        let text = text.trim();
        Invalid::check([
            (Code::MessageBlank, text.is_empty()),
            (too_long, text.chars().count() > max),
            (Code::MessageControlChars, text.chars().any(|c| c.is_control() && c != '\n')),
        ])?;
        Ok(Self(text.to_owned()))
    }
}
