use jiff::Timestamp;
use uuid::Uuid;

use super::Handle;

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
