use super::Counters;

/// A reaction that a user can add to a post once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// A like.
    Like,
    /// A repost.
    Repost,
}

/// A post's counters, and the reactions of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reactions {
    /// The counters.
    pub counters: Counters,
    /// Whether the user likes the post.
    pub liked: bool,
    /// Whether the user has reposted the post.
    pub reposted: bool,
}

impl Counters {
    /// Returns the counter of a reaction.
    #[must_use]
    pub fn count(&self, reaction: Reaction) -> u64 {
        match reaction {
            Reaction::Like => self.likes,
            Reaction::Repost => self.reposts,
        }
    }

    /// Returns the counters with that of a reaction replaced.
    #[must_use]
    pub fn with_count(self, reaction: Reaction, count: u64) -> Self {
        match reaction {
            Reaction::Like => Self { likes: count, ..self },
            Reaction::Repost => Self { reposts: count, ..self },
        }
    }
}
