use jiff::Timestamp;

use super::{Handle, Id};

/// Something that somebody else did and that concerns a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Carries the time of its cause, and follows from it: one cause makes one notification, however often it is told.
    pub id: Id,
    /// What happened.
    pub kind: Kind,
    /// Who did it.
    pub actor: Handle,
    /// What it is about.
    pub subject: Subject,
    /// The `traceparent` of the request that caused it.
    pub trace_context: Option<String>,
    /// The first moment at which nobody sees it any more.
    pub expires_at: Timestamp,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A reply to what the user wrote.
    Reply,
    /// A like of what the user wrote.
    Like,
    /// The user is named in a post or a reply.
    Mention,
    /// A conversation was opened with the user.
    Conversation,
}

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A post.
    Activity(Id),
    /// A reply.
    Reply {
        /// The post or reply that it answers.
        parent: Id,
        /// The reply itself.
        id: Id,
    },
    /// A conversation.
    Group(Id),
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Reply, Self::Like, Self::Mention, Self::Conversation];

    /// The kind as clients see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Like => "like",
            Self::Mention => "mention",
            Self::Conversation => "conversation",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Subject {
    /// The id of the post, the reply or the conversation.
    #[must_use]
    pub fn id(self) -> Id {
        match self {
            Self::Activity(id) | Self::Reply { id, .. } | Self::Group(id) => id,
        }
    }
}
