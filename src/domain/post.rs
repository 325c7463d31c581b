use jiff::Timestamp;

use super::{Activity, Author, Counters, Id, Reply};

/// What can be shown, answered, liked and deleted by its id: a post or a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Post {
    /// A post of its own.
    Activity(Activity),
    /// A reply to either.
    Reply(Reply),
}

impl Post {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> Id {
        match self {
            Self::Activity(activity) => activity.id(),
            Self::Reply(reply) => reply.id(),
        }
    }

    /// Who wrote it.
    #[must_use]
    pub fn author(&self) -> &Author {
        match self {
            Self::Activity(activity) => activity.author(),
            Self::Reply(reply) => reply.author(),
        }
    }

    /// The first moment at which nobody sees it any more.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        match self {
            Self::Activity(activity) => activity.expires_at(),
            Self::Reply(reply) => reply.expires_at(),
        }
    }

    /// Replies, reposts, likes.
    #[must_use]
    pub fn counters(&self) -> Counters {
        match self {
            Self::Activity(activity) => activity.counters(),
            Self::Reply(reply) => reply.counters(),
        }
    }

    /// Whether it is still to be seen.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }
}
