use jiff::Timestamp;

use super::{Author, Id, Invalid, Message, Ttl};

/// A post, or a reply: a post with a parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The post's id, which contains the time of creation.
    pub id: Id,
    /// The post that this post replies to.
    pub parent: Option<Id>,
    /// The author.
    pub author: Author,
    /// The text.
    pub message: Message,
    /// The time from which the post is invisible.
    pub expires_at: Timestamp,
    /// The numbers of replies, reposts and likes.
    pub counters: Counters,
}

/// The numbers of reactions to a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The number of direct replies.
    pub replies: u64,
    /// The number of reposts.
    pub reposts: u64,
    /// The number of likes.
    pub likes: u64,
}

/// The validated input of a new post without a parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostDraft {
    message: Message,
    ttl: Ttl,
}

impl PostDraft {
    /// Validates the text and the lifetime of a new post.
    ///
    /// # Errors
    /// [`Invalid`] with the codes of `ttl` first, then those of `message`: the order of the original API.
    pub fn parse(message: &str, ttl: &str) -> Result<Self, Invalid> {
        let (ttl, message) = Invalid::both(Ttl::parse(ttl), Message::post(message))?;
        Ok(Self { message, ttl })
    }

    /// Returns the lifetime that the author chose.
    #[must_use]
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }
}

impl Post {
    /// Creates a post without a parent. It expires when the draft's lifetime after the time in `id` has passed.
    #[must_use]
    pub fn new(id: Id, author: Author, draft: PostDraft) -> Self {
        let PostDraft { message, ttl } = draft;
        let expires_at = id.created_at() + ttl.lifetime();
        Self { id, parent: None, author, message, expires_at, counters: Counters::default() }
    }

    /// Creates a reply to `parent`, which expires together with it. [`Message::reply`] validates the text.
    #[must_use]
    pub fn reply(id: Id, parent: &Self, author: Author, message: Message) -> Self {
        let (expires_at, counters) = (parent.expires_at, Counters::default());
        Self { id, parent: Some(parent.id), author, message, expires_at, counters }
    }

    /// Returns whether the post is visible at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
