use jiff::Timestamp;

use super::{Author, Counters, Id, Message, Post};

/// An answer to a post, or to another reply. It lives as long as what it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    id: Id,
    parent: Id,
    author: Author,
    message: Message,
    expires_at: Timestamp,
    counters: Counters,
}

impl Reply {
    /// A new reply to `parent`, created when `id` says; [`Message::reply`] makes its message.
    #[must_use]
    pub fn post(id: Id, parent: &Post, author: Author, message: Message) -> Self {
        Self::from_parts(id, parent.id(), author, message, parent.expires_at(), Counters::default())
    }

    /// A reply that exists, from its stored parts.
    #[must_use]
    pub fn from_parts(
        id: Id,
        parent: Id,
        author: Author,
        message: Message,
        expires_at: Timestamp,
        counters: Counters,
    ) -> Self {
        Self { id, parent, author, message, expires_at, counters }
    }

    /// The reply's own id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// What it answers.
    #[must_use]
    pub fn parent(&self) -> Id {
        self.parent
    }

    /// Who wrote it.
    #[must_use]
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// What it says.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// When it was made, in whole milliseconds.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }

    /// When the post expires, and the reply with it.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Replies, reposts, likes.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
