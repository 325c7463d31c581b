use jiff::Timestamp;

use super::{Handle, Id};

/// An action of another user that concerns the notified user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Contains the time of the action. It is derived from the action, so that repeated deliveries write one item.
    pub id: Id,
    /// The kind of action.
    pub kind: NotificationKind,
    /// The handle of the user who acted.
    pub actor: Handle,
    /// The post or the conversation.
    pub subject: Subject,
    /// The `traceparent` of the request that caused the notification.
    pub trace_context: Option<String>,
    /// The time from which the notification is invisible.
    pub expires_at: Timestamp,
}

/// The kind of action that caused a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationKind {
    /// A reply to a post of the user.
    Reply,
    /// A like of a post of the user.
    Like,
    /// A post that mentions the user.
    Mention,
    /// A new conversation with the user.
    Conversation,
}

/// The subject of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A post.
    Post {
        /// The post's id.
        id: Id,
        /// The post that it replies to.
        parent: Option<Id>,
    },
    /// A conversation.
    Conversation(Id),
}

impl NotificationKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Reply, Self::Like, Self::Mention, Self::Conversation];

    /// Returns the kind as sent to clients.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Like => "like",
            Self::Mention => "mention",
            Self::Conversation => "conversation",
        }
    }

    /// Returns the kind with that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Subject {
    /// Returns the id of the post or the conversation.
    #[must_use]
    pub fn id(self) -> Id {
        match self {
            Self::Post { id, .. } | Self::Conversation(id) => id,
        }
    }
}
