use super::Counters;

/// What one can do to a post without a word, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// To like it.
    Like,
    /// To pass it on.
    Repost,
}

/// A post's counts, and which of them one user is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reactions {
    /// The counts.
    pub counters: Counters,
    /// Whether the user likes it.
    pub liked: bool,
    /// Whether the user has passed it on.
    pub reposted: bool,
}

impl Counters {
    /// How often that was done.
    #[must_use]
    pub fn of(&self, reaction: Reaction) -> u64 {
        match reaction {
            Reaction::Like => self.likes,
            Reaction::Repost => self.reposts,
        }
    }

    /// The same, but for that count.
    #[must_use]
    pub fn with(self, reaction: Reaction, count: u64) -> Self {
        match reaction {
            Reaction::Like => Self { likes: count, ..self },
            Reaction::Repost => Self { reposts: count, ..self },
        }
    }
}
