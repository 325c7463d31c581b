use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::batch::{Consistency, has_key};
use super::items::{self, EXPIRES_MS, Item, ItemReader, LIKES, REPOSTS, number, string};
use super::keys::{self, Entity, Key, LIKE, REPOST};
use super::posts::StoredPost;
use super::transaction::Transaction;
use super::{Store, StoreError};
use crate::domain::{Counters, Id, Profile, Reaction, Reactions};

/// The identity of the post's author. Private.
pub(super) const OWNER_SUB: &str = "owner_sub";
/// The time of the reaction.
pub(super) const CREATED_MS: &str = "created_at_ms";

impl Store {
    /// Adds a user's reaction to a post and increments the counter in one transaction. Idempotent.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on the post's entity if the post was deleted or has expired at `now`, and those of every
    /// write.
    pub async fn add_reaction(
        &self,
        reaction: Reaction,
        user: &Profile,
        stored: &StoredPost,
        now: Timestamp,
    ) -> Result<Reactions, StoreError> {
        let transaction = self
            .transaction()
            .put_new(entity(reaction), reaction_item(reaction, user, stored, now))?
            .update(stored.entity(), |update| {
                update
                    .set_key(Some(items::key_item(stored.key())))
                    .update_expression("ADD #count :one")
                    .condition_expression("attribute_exists(pk) AND #expires > :now")
                    .expression_attribute_names("#count", counter(reaction))
                    .expression_attribute_names("#expires", EXPIRES_MS)
                    .expression_attribute_values(":one", number(1))
                    .expression_attribute_values(":now", number(now.as_millisecond()))
            })?;
        self.commit_reaction(&transaction, reaction, true, user, stored, now).await
    }

    /// Removes a user's reaction to a post and decrements the counter in one transaction. Idempotent.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on the post's entity if the post was deleted or has expired at `now`, and those of every
    /// write.
    pub async fn remove_reaction(
        &self,
        reaction: Reaction,
        user: &Profile,
        stored: &StoredPost,
        now: Timestamp,
    ) -> Result<Reactions, StoreError> {
        let transaction = self
            .transaction()
            .delete(entity(reaction), |delete| {
                delete
                    .set_key(Some(items::key_item(key(reaction, user, stored))))
                    .condition_expression("attribute_exists(pk)")
            })?
            .update(stored.entity(), |update| {
                update
                    .set_key(Some(items::key_item(stored.key())))
                    .update_expression("ADD #count :one")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_names("#count", counter(reaction))
                    .expression_attribute_values(":one", number(-1))
            })?;
        self.commit_reaction(&transaction, reaction, false, user, stored, now).await
    }

    /// Returns those of at most 100 posts that a user likes. Eventually consistent.
    ///
    /// # Errors
    /// Those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn liked_posts(&self, user: &Profile, ids: &[Id]) -> Result<HashSet<Id>, StoreError> {
        let like = |id: Id| keys::like(id, user.author.user_uuid);
        let found = self.read_items(ids.iter().copied().map(like).collect(), Consistency::Eventual).await?;
        Ok(ids.iter().copied().filter(|id| found.iter().any(|item| has_key(item, &like(*id)))).collect())
    }

    /// Returns the time of a user's like of a post, if it exists. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read.
    pub async fn liked_at(&self, post: Id, user_uuid: Uuid) -> Result<Option<Timestamp>, StoreError> {
        let like = self.item(keys::like(post, user_uuid)).await?;
        like.map(|item| ItemReader { item: &item, entity: LIKE }.time(CREATED_MS)).transpose()
    }

    /// Executes the transaction after which the reaction exists or not, and returns the new state.
    async fn commit_reaction(
        &self,
        transaction: &Transaction,
        reaction: Reaction,
        exists: bool,
        user: &Profile,
        stored: &StoredPost,
        now: Timestamp,
    ) -> Result<Reactions, StoreError> {
        let (written, other) = tokio::join!(self.commit(transaction), self.has_reacted(other(reaction), user, stored));
        let counters = match written {
            Ok(()) => counted(stored, reaction, if exists { 1 } else { -1 }),
            Err(error) if error.is_conflict_on(entity(reaction)) => self.recount(stored, now).await?,
            Err(error) => return Err(error),
        };
        Ok(reactions(counters, reaction, exists, other?))
    }

    async fn has_reacted(&self, reaction: Reaction, user: &Profile, stored: &StoredPost) -> Result<bool, StoreError> {
        let found = self.item(key(reaction, user, stored)).await?;
        Ok(found.is_some())
    }

    /// Reads the counters again: the transaction changed nothing, so the counters read before may be outdated.
    async fn recount(&self, stored: &StoredPost, now: Timestamp) -> Result<Counters, StoreError> {
        let found = self.post(stored.post.id, now).await?;
        found.map(|found| found.post.counters).ok_or(StoreError::Conflict { on: stored.entity() })
    }
}

fn reaction_item(reaction: Reaction, user: &Profile, stored: &StoredPost, now: Timestamp) -> Item {
    let mut item = items::key_item(key(reaction, user, stored));
    item.extend(items::author_attributes(&user.author));
    item.extend(items::named([
        (items::SUB, string(&user.sub)),
        (OWNER_SUB, string(&stored.author_sub)),
        (CREATED_MS, number(now.as_millisecond())),
    ]));
    item.extend(items::expiry_attributes(stored.post.expires_at));
    item.extend(items::trace_context());
    item
}

fn key(reaction: Reaction, user: &Profile, stored: &StoredPost) -> Key {
    let (id, user_uuid) = (stored.post.id, user.author.user_uuid);
    match reaction {
        Reaction::Like => keys::like(id, user_uuid),
        Reaction::Repost => keys::repost(id, user_uuid),
    }
}

fn entity(reaction: Reaction) -> Entity {
    match reaction {
        Reaction::Like => LIKE,
        Reaction::Repost => REPOST,
    }
}

fn counter(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Like => LIKES,
        Reaction::Repost => REPOSTS,
    }
}

fn other(reaction: Reaction) -> Reaction {
    match reaction {
        Reaction::Like => Reaction::Repost,
        Reaction::Repost => Reaction::Like,
    }
}

/// Returns the counters as read, with this change applied.
fn counted(stored: &StoredPost, reaction: Reaction, by: i64) -> Counters {
    let counters = stored.post.counters;
    counters.with_count(reaction, counters.count(reaction).saturating_add_signed(by))
}

fn reactions(counters: Counters, reaction: Reaction, exists: bool, other: bool) -> Reactions {
    match reaction {
        Reaction::Like => Reactions { counters, liked: exists, reposted: other },
        Reaction::Repost => Reactions { counters, liked: other, reposted: exists },
    }
}
