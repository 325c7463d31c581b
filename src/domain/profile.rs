use jiff::Timestamp;
use uuid::Uuid;

use super::{Code, Handle, Invalid};

/// A user: the identity that signs in (`sub`, never shown) and what others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The identity provider's id. It never leaves the backend.
    pub sub: String,
    /// What others see.
    pub author: Author,
    /// A few words about the user; may be empty.
    pub bio: String,
    /// Since when the user has had the present name, in whole milliseconds; each new name has a later time.
    pub named_at: Timestamp,
}

/// What a user may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileEdit {
    /// The name as shown.
    pub display_name: String,
    /// A few words about the user; may be empty.
    pub bio: String,
}

impl ProfileEdit {
    /// The longest name, in Unicode code points after trimming.
    pub const MAX_DISPLAY_NAME: usize = 50;
    /// The longest bio, in Unicode code points after trimming.
    pub const MAX_BIO: usize = 500;

    /// # Errors
    /// Every rule that `display_name` and `bio` break, together.
    pub fn parse(display_name: &str, bio: &str) -> Result<Self, Invalid> {
        let (display_name, bio) = (display_name.trim(), bio.trim());
        Invalid::check([
            (Code::DisplayNameBlank, display_name.is_empty()),
            (Code::DisplayNameExceedMaxChars, display_name.chars().count() > Self::MAX_DISPLAY_NAME),
            (Code::DisplayNameControlChars, display_name.chars().any(|c| c.is_control() || is_bidi_control(c))),
            (Code::BioExceedMaxChars, bio.chars().count() > Self::MAX_BIO),
            (Code::BioControlChars, bio.chars().any(|c| c.is_control() && c != '\n')),
        ])?;
        Ok(Self { display_name: display_name.to_owned(), bio: bio.to_owned() })
    }
}

/// Turns the direction of what follows: it would reach beyond the name, into what stands beside it.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A user as found by the handle: the identity, never shown, and what others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The identity provider's id. It never leaves the backend.
    pub sub: String,
    /// What others see.
    pub author: Author,
}

/// Who wrote something, as it was when they wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The user's public id.
    pub user_uuid: Uuid,
    /// The user's unique name.
    pub handle: Handle,
    /// The name as shown.
    pub display_name: String,
}
