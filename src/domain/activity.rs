use jiff::Timestamp;

use super::{Author, Id, Invalid, Message, Ttl};

/// A post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    id: Id,
    author: Author,
    message: Message,
    expires_at: Timestamp,
    counters: Counters,
}

/// What happened to a post or a reply, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Replies to it.
    pub replies: u64,
    /// Reposts of it.
    pub reposts: u64,
    /// Likes of it.
    pub likes: u64,
}

/// What a user wants to post: valid, but not yet anybody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    message: Message,
    ttl: Ttl,
}

impl Draft {
    /// # Errors
    /// Every rule that `ttl` and `message` break, together, in the original's order.
    pub fn parse(message: &str, ttl: &str) -> Result<Self, Invalid> {
        let (ttl, message) = Invalid::both(Ttl::parse(ttl), Message::post(message))?;
        Ok(Self { message, ttl })
    }

    /// How long the post shall live.
    #[must_use]
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }
}

impl Activity {
    /// A new post. It is created when `id` says, and expires the draft's life time later.
    #[must_use]
    pub fn post(id: Id, author: Author, draft: Draft) -> Self {
        let expires_at = id.created_at() + draft.ttl.lifetime();
        Self::from_parts(id, author, draft.message, expires_at, Counters::default())
    }

    /// A post that exists, from its stored parts.
    #[must_use]
    pub fn from_parts(id: Id, author: Author, message: Message, expires_at: Timestamp, counters: Counters) -> Self {
        Self { id, author, message, expires_at, counters }
    }

    /// The post's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
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

    /// The first moment at which nobody sees it any more.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Replies, reposts, likes.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether it is still to be seen.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
