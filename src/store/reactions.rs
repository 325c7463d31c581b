use std::collections::HashSet;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use jiff::Timestamp;

use super::items::{self, EXPIRES_MS, HANDLE, Item, ItemReader, LIKES, PARENT, REPOSTS, USER_UUID, number, string};
use super::keys::{self, Entity, Key, LIKE, REPOST};
use super::pages::Page;
use super::posts::StoredPost;
use super::transaction::Transaction;
use super::{Store, StoreError};
use crate::domain::{Counters, Id, Post, Profile, Reaction, Reactions};

/// The identity of the post's author. Private.
pub(super) const OWNER_SUB: &str = "owner_sub";
/// The time of the reaction.
pub(super) const CREATED_MS: &str = "created_at_ms";
/// The maximum number of `Query` calls for the likes within a page whose posts are older than the user's newest likes.
/// Each reads up to 1 MB, some 3,000 likes.
const MAX_OLDER_QUERIES: usize = 4;

/// The posts that a user likes, down to a position.
struct Likes {
    posts: HashSet<Id>,
    /// The user may like older posts than this one. `None` if all likes were read.
    stopped_at: Option<Id>,
}

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

    /// Returns the same as [`home`](Self::home), and the posts among them that the user with that identity likes.
    ///
    /// The user's newest likes are read in parallel with the page. Likes sort like their posts, so that a second round
    /// trip is necessary only if the user likes more posts than the page shows.
    ///
    /// # Errors
    /// Those of [`home`](Self::home).
    pub async fn home_with_likes(
        &self,
        sub: &str,
        now: Timestamp,
        limit: u16,
        before: Option<Id>,
    ) -> Result<(Page<Post>, HashSet<Id>), StoreError> {
        let newest = self
            .likes("pk = :pk AND sk < :before", sub)
            .expression_attribute_values(":before", string(keys::before_sk(before)))
            .limit(i32::from(limit) + 1);
        let (page, mut likes) = tokio::try_join!(self.home(now, limit, before), read_likes(newest))?;
        let Some(oldest) = page.rows.last() else { return Ok((page, HashSet::new())) };
        for _ in 0..MAX_OLDER_QUERIES {
            let Some(stopped_at) = likes.stopped_at.filter(|stopped_at| *stopped_at > oldest.id) else { break };
            let older = self
                .likes("pk = :pk AND sk BETWEEN :oldest AND :newest", sub)
                .expression_attribute_values(":oldest", string(keys::time_sk(oldest.id)))
                .expression_attribute_values(":newest", string(keys::time_sk(stopped_at)));
            let older = read_likes(older).await?;
            likes.posts.extend(older.posts);
            likes.stopped_at = older.stopped_at;
        }
        Ok((page, likes.posts))
    }

    /// Returns the time at which the user with that identity liked a post, if the like exists. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read.
    pub async fn liked_at(&self, sub: &str, post: Id) -> Result<Option<Timestamp>, StoreError> {
        let like = self.item(keys::like(sub, post)).await?;
        like.map(|item| ItemReader { item: &item, entity: LIKE }.time(CREATED_MS)).transpose()
    }

    fn likes(&self, condition: &str, sub: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&*self.table)
            .key_condition_expression(condition)
            .expression_attribute_values(":pk", string(keys::likes(sub)))
            .projection_expression("sk")
            .scan_index_forward(false)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
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
    // Small, because the home feed of a user reads many.
    item.extend(items::named([
        (USER_UUID, string(user.author.user_uuid)),
        (HANDLE, string(user.author.handle.as_str())),
        (OWNER_SUB, string(&stored.author_sub)),
        (CREATED_MS, number(now.as_millisecond())),
    ]));
    item.extend(stored.post.parent.map(|parent| (PARENT.to_owned(), string(parent.to_string()))));
    item.extend(items::expiry_attributes(stored.post.expires_at));
    item.extend(items::trace_context());
    item
}

fn key(reaction: Reaction, user: &Profile, stored: &StoredPost) -> Key {
    match reaction {
        Reaction::Like => keys::like(&user.sub, stored.post.id),
        Reaction::Repost => keys::repost(&user.sub, stored.post.id),
    }
}

async fn read_likes(query: QueryFluentBuilder) -> Result<Likes, StoreError> {
    let output = query.send().await?;
    let posts = output.items().iter().map(items::read_position).collect::<Result<_, _>>()?;
    let stopped_at = output.last_evaluated_key().map(items::read_position).transpose()?;
    Ok(Likes { posts, stopped_at })
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
