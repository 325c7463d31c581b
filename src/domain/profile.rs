use jiff::Timestamp;
use uuid::Uuid;

use super::{Code, Handle, Invalid, text};

/// A user's profile: the private identity and the public data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The id in the user pool. It never leaves the backend.
    pub sub: String,
    /// The public id and names.
    pub author: Author,
    /// A short self-description, possibly empty.
    pub bio: String,
    /// The time of the last change of the display name, in whole milliseconds. Each change has a later time than the
    /// one before.
    pub named_at: Timestamp,
}

/// The validated input of a profile update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileEdit {
    /// The display name.
    pub display_name: String,
    /// A short self-description, possibly empty.
    pub bio: String,
}

impl ProfileEdit {
    /// The maximum length of a display name, counted like that of a post.
    pub const MAX_DISPLAY_NAME: usize = 50;
    /// The maximum length of a bio, counted like that of a post.
    pub const MAX_BIO: usize = 500;

    /// Validates a display name and a bio. A bio without a visible character becomes empty.
    ///
    /// # Errors
    /// [`Invalid`] with all codes of the display name and of the bio.
    pub fn parse(display_name: &str, bio: &str) -> Result<Self, Invalid> {
        let (display_name, bio) = (text::normalize(display_name), text::normalize(bio));
        let is_forbidden_in_name = |c: char| c.is_control() || text::is_bidi_control(c);
        Invalid::check([
            (Code::DisplayNameBlank, text::is_blank(&display_name)),
            (Code::DisplayNameExceedMaxChars, display_name.chars().count() > Self::MAX_DISPLAY_NAME),
            (Code::DisplayNameControlChars, display_name.contains(is_forbidden_in_name)),
            (Code::BioExceedMaxChars, bio.chars().count() > Self::MAX_BIO),
            (Code::BioControlChars, bio.contains(text::is_forbidden)),
        ])?;
        let bio = if text::is_blank(&bio) { String::new() } else { bio };
        Ok(Self { display_name, bio })
    }
}

/// A user without the bio: the private identity and the public data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id in the user pool. It never leaves the backend.
    pub sub: String,
    /// The public id and names.
    pub author: Author,
}

/// The public data of a user, as copied into posts, conversations and reactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The public id.
    pub user_uuid: Uuid,
    /// The handle.
    pub handle: Handle,
    /// The display name.
    pub display_name: String,
}
