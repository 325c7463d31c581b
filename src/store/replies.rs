use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use jiff::Timestamp;

use super::idempotency::{Made, Once, Written};
use super::items::{self, EXPIRES_MS, GRANDPARENT, Item, PARENT, PARENT_SUB, REPLIES, number, string};
use super::keys::{self, ACTIVITY, REPLY, REPLY_LOCATOR, REPLY_PREFIX};
use super::posts::StoredPost;
use super::{Store, StoreError, pages};
use crate::domain::{Id, Post, Profile, Reply};

/// A part of the replies to a post.
#[derive(Clone, Debug)]
pub struct RepliesPage {
    /// Replies, the oldest first.
    pub replies: Vec<Reply>,
    /// Where the next page begins: after this id. `None` when there is no more.
    pub next: Option<Id>,
}

impl Store {
    /// The first `limit` replies to a post or a reply that are newer than `after`, if it is given; the oldest first,
    /// without those that have expired by `now`. An eventually consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn replies(
        &self,
        parent: Id,
        now: Timestamp,
        limit: u16,
        after: Option<Id>,
    ) -> Result<RepliesPage, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            // All replies expire with their post, so the filter never makes a page short of what is live.
            .filter_expression("#expires > :now")
            .expression_attribute_names("#expires", EXPIRES_MS)
            .expression_attribute_values(":pk", string(keys::replies(parent)))
            .expression_attribute_values(":prefix", string(REPLY_PREFIX))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .set_exclusive_start_key(after.map(|after| items::of_key(keys::reply(parent, after))))
            // One more than is shown tells whether there is more.
            .limit(i32::from(limit).saturating_add(1))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let mut replies = found.items().iter().map(items::to_reply).collect::<Result<Vec<_>, _>>()?;
        let next = pages::cut(&mut replies, limit, Reply::id);
        Ok(RepliesPage { replies, next })
    }

    /// Adds a reply of `writer` to `parent`, under the key at most once, and counts it there, all or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`keys::ACTIVITY`] when the parent is not there or had expired when the reply was
    /// made, on [`keys::REPLY`] when the id is taken, [`StoreError::KeyReused`]; and those of every write.
    pub async fn create_reply(
        &self,
        writer: &Profile,
        parent: &StoredPost,
        reply: &Reply,
        once: Option<&Once>,
    ) -> Result<Written, StoreError> {
        let (id, author, expires_at) = (reply.id(), reply.author().clone(), Some(reply.expires_at()));
        let made = Made { id, author, expires_at, message_group_uuid: None };
        self.commit_once(once, made, |transaction| {
            let written = transaction
                .put_new(REPLY, of_reply(writer, parent, reply))?
                .put_new(REPLY_LOCATOR, of_locator(reply))?
                .update(ACTIVITY, |update| {
                    update
                        .set_key(Some(items::of_key(parent.key())))
                        .update_expression("ADD #replies :one")
                        .condition_expression("attribute_exists(pk) AND #expires > :now")
                        .expression_attribute_names("#replies", REPLIES)
                        .expression_attribute_names("#expires", EXPIRES_MS)
                        .expression_attribute_values(":one", number(1))
                        .expression_attribute_values(":now", number(reply.created_at().as_millisecond()))
                })?;
            Ok(written)
        })
        .await
    }
}

fn of_reply(writer: &Profile, parent: &StoredPost, reply: &Reply) -> Item {
    let mut item = items::of_reply(writer, reply);
    item.extend(items::named([(PARENT_SUB, string(&parent.author_sub))]));
    if let Post::Reply(between) = &parent.post {
        item.extend(items::named([(GRANDPARENT, string(between.parent().to_string()))]));
    }
    item
}

fn of_locator(reply: &Reply) -> Item {
    let mut item = items::of_key(keys::reply_locator(reply.id()));
    item.extend(items::named([(PARENT, string(reply.parent().to_string()))]));
    item.extend(items::expiry_attributes(reply.expires_at()));
    item
}
