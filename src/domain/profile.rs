use jiff::Timestamp;
use uuid::Uuid;

use super::text::is_bidi_control;
use super::{Code, Handle, Invalid};

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
    /// The maximum length of a display name, in Unicode code points after trimming.
    pub const MAX_DISPLAY_NAME: usize = 50;
    /// The maximum length of a bio, in Unicode code points after trimming.
    pub const MAX_BIO: usize = 500;

    /// Validates a display name and a bio.
    ///
    /// # Errors
    /// [`Invalid`] with all codes of the display name and of the bio.
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
