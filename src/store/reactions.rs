use std::collections::HashSet;

use jiff::Timestamp;

use super::batch::{Consistency, is_at};
use super::items::{self, EXPIRES_MS, Item, LIKES, REPOSTS, number, string};
use super::keys::{self, Entity, Key, LIKE, REPOST};
use super::posts::StoredPost;
use super::transaction::Transaction;
use super::{Store, StoreError};
use crate::domain::{Counters, Id, Profile, Reaction, Reactions};

/// Who wrote what is liked, for ourselves.
pub(super) const OWNER_SUB: &str = "owner_sub";
/// When, in epoch milliseconds.
pub(super) const CREATED_MS: &str = "created_at_ms";

impl Store {
    /// Adds the user's reaction to a post and counts it, both or neither. One that is there is left as it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on the post's kind when it is gone or has expired by `now`; and those of every write.
    pub async fn react(
        &self,
        reaction: Reaction,
        user: &Profile,
        stored: &StoredPost,
        now: Timestamp,
    ) -> Result<Reactions, StoreError> {
        let transaction = self
            .transaction()
            .put_new(entity(reaction), of_reaction(reaction, user, stored, now))?
            .update(stored.entity(), |update| {
                update
                    .set_key(Some(items::of_key(stored.key())))
                    .update_expression("ADD #count :one")
                    .condition_expression("attribute_exists(pk) AND #expires > :now")
                    .expression_attribute_names("#count", counter(reaction))
                    .expression_attribute_names("#expires", EXPIRES_MS)
                    .expression_attribute_values(":one", number(1))
                    .expression_attribute_values(":now", number(now.as_millisecond()))
            })?;
        self.change(&transaction, reaction, true, user, stored, now).await
    }

    /// Takes the user's reaction to a post back and no longer counts it, both or neither. None there is no error.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on the post's kind when it is gone or has expired by `now`; and those of every write.
    pub async fn take_back(
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
                    .set_key(Some(items::of_key(key(reaction, user, stored))))
                    .condition_expression("attribute_exists(pk)")
            })?
            .update(stored.entity(), |update| {
                update
                    .set_key(Some(items::of_key(stored.key())))
                    .update_expression("ADD #count :one")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_names("#count", counter(reaction))
                    .expression_attribute_values(":one", number(-1))
            })?;
        self.change(&transaction, reaction, false, user, stored, now).await
    }

    /// Those of the posts, of which there may be 100, that the user likes. An eventually consistent read.
    ///
    /// # Errors
    /// Those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn liked(&self, user: &Profile, ids: &[Id]) -> Result<HashSet<Id>, StoreError> {
        let like = |id: Id| keys::like(id, user.author.user_uuid);
        let found = self.read_items(ids.iter().copied().map(like).collect(), Consistency::Eventual).await?;
        Ok(ids.iter().copied().filter(|id| found.iter().any(|item| is_at(item, &like(*id)))).collect())
    }

    /// Carries out what makes the reaction be there or not, and tells what there is afterwards.
    async fn change(
        &self,
        transaction: &Transaction,
        reaction: Reaction,
        is: bool,
        user: &Profile,
        stored: &StoredPost,
        now: Timestamp,
    ) -> Result<Reactions, StoreError> {
        let (written, other) = tokio::join!(self.commit(transaction), self.has_reacted(other(reaction), user, stored));
        let counters = match written {
            Ok(()) => changed(stored, reaction, if is { 1 } else { -1 }),
            Err(error) if error.is_conflict_on(entity(reaction)) => self.recount(stored, now).await?,
            Err(error) => return Err(error),
        };
        Ok(of_both(counters, reaction, is, other?))
    }

    async fn has_reacted(&self, reaction: Reaction, user: &Profile, stored: &StoredPost) -> Result<bool, StoreError> {
        let found = self.item(key(reaction, user, stored)).await?;
        Ok(found.is_some())
    }

    /// The counts now: nothing was changed, so what was read before may be of any time.
    async fn recount(&self, stored: &StoredPost, now: Timestamp) -> Result<Counters, StoreError> {
        let found = self.post(stored.post.id(), now).await?;
        found.map(|found| found.post.counters()).ok_or(StoreError::Conflict { on: stored.entity() })
    }
}

fn of_reaction(reaction: Reaction, user: &Profile, stored: &StoredPost, now: Timestamp) -> Item {
    let mut item = items::of_key(key(reaction, user, stored));
    item.extend(items::author_attributes(&user.author));
    item.extend(items::named([
        (items::SUB, string(&user.sub)),
        (OWNER_SUB, string(&stored.author_sub)),
        (CREATED_MS, number(now.as_millisecond())),
    ]));
    item.extend(items::expiry_attributes(stored.post.expires_at()));
    item.extend(items::trace_context());
    item
}

fn key(reaction: Reaction, user: &Profile, stored: &StoredPost) -> Key {
    let (id, user_uuid) = (stored.post.id(), user.author.user_uuid);
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

/// What was read, and this one change.
fn changed(stored: &StoredPost, reaction: Reaction, by: i64) -> Counters {
    let counters = stored.post.counters();
    counters.with(reaction, counters.of(reaction).saturating_add_signed(by))
}

fn of_both(counters: Counters, reaction: Reaction, is: bool, other: bool) -> Reactions {
    match reaction {
        Reaction::Like => Reactions { counters, liked: is, reposted: other },
        Reaction::Repost => Reactions { counters, liked: other, reposted: is },
    }
}
