use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use jiff::Timestamp;

use super::batch::{Consistency, has_key};
use super::idempotency::{IdempotencyKey, WriteOutcome, WriteRecord};
use super::items::{
    self, AUTHOR_SUB, EXPIRES_MS, GRANDPARENT, Item, ItemReader, MESSAGE, PARENT, PARENT_SUB, REPLIES, number, string,
};
use super::keys::{self, ACTIVITY, Entity, Key, REPLY, REPLY_LOCATOR, REPLY_PREFIX};
use super::pages::Page;
use super::{Store, StoreError};
use crate::domain::{Id, Post, Profile};

/// The attributes that are equal in two attempts to write the same post. Counters and names can change in between.
const IMMUTABLE: [&str; 3] = [AUTHOR_SUB, EXPIRES_MS, MESSAGE];

/// A post with the data that never leaves the store.
#[derive(Clone, Debug)]
pub struct StoredPost {
    /// The public data.
    pub post: Post,
    pub(super) author_sub: String,
    pub(super) key: Key,
    /// The key of the post's parent.
    pub(super) parent: Option<Key>,
}

impl StoredPost {
    /// Returns whether the user with that identity is the author.
    #[must_use]
    pub fn is_by(&self, sub: &str) -> bool {
        self.author_sub == sub
    }

    pub(super) fn key(&self) -> Key {
        self.key.clone()
    }

    pub(super) fn entity(&self) -> Entity {
        keys::post_entity(self.post.parent)
    }
}

impl Store {
    /// Returns the post with that id unless it has expired at `now`. Strongly consistent.
    ///
    /// A reply takes two round trips, since its id does not contain its key.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn post(&self, id: Id, now: Timestamp) -> Result<Option<StoredPost>, StoreError> {
        let (activity, locator) = (self.schedule.activity(id), keys::reply_locator(id));
        let found = self.read_items(vec![activity.clone(), locator.clone()], Consistency::Strong).await?;
        let stored = match found.iter().find(|item| has_key(item, &activity)) {
            Some(item) => Some(self.read_stored_post(item)?),
            None => match found.iter().find(|item| has_key(item, &locator)) {
                Some(item) => {
                    let parent = ItemReader { item, entity: REPLY_LOCATOR }.with(PARENT, Id::parse)?;
                    let reply = self.item(keys::reply(parent, id)).await?;
                    reply.as_ref().map(|item| self.read_stored_post(item)).transpose()?
                }
                None => None,
            },
        };
        Ok(stored.filter(|stored| stored.post.is_live(now)))
    }

    /// Returns a post by its id and its parent's, expired or not. Strongly consistent, in one round trip.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read.
    pub async fn post_of(&self, id: Id, parent: Option<Id>) -> Result<Option<Post>, StoreError> {
        self.item(self.schedule.post(id, parent)).await?.as_ref().map(items::read_post).transpose()
    }

    /// Returns whether the post's item exists, expired or not. Strongly consistent.
    ///
    /// # Errors
    /// Those of every read.
    pub async fn post_exists(&self, post: &Post) -> Result<bool, StoreError> {
        Ok(self.item(self.schedule.post(post.id, post.parent)).await?.is_some())
    }

    /// Returns the oldest `limit` direct replies to a post that are live at `now` and newer than `after`.
    /// Eventually consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn replies(
        &self,
        parent: Id,
        now: Timestamp,
        limit: u16,
        after: Option<Id>,
    ) -> Result<Page<Post>, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            // Replies expire with their parent: the filter removes either all of them or none.
            .filter_expression("#expires > :now")
            .expression_attribute_names("#expires", EXPIRES_MS)
            .expression_attribute_values(":pk", string(keys::dependents(parent)))
            .expression_attribute_values(":prefix", string(REPLY_PREFIX))
            .expression_attribute_values(":now", number(now.as_millisecond()))
            .set_exclusive_start_key(after.map(|after| items::key_item(keys::reply(parent, after))))
            // The additional row shows whether there is a next page.
            .limit(i32::from(limit).saturating_add(1))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let replies = found.items().iter().map(items::read_post).collect::<Result<_, _>>()?;
        Ok(Page::cut(replies, limit, |reply: &Post| reply.id))
    }

    /// Creates a post without a parent, at most once per idempotency key. Repeating the same write is not an error.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`ACTIVITY`] if the id is taken, [`StoreError::KeyReused`], and those of every write.
    pub async fn create_post(
        &self,
        writer: &Profile,
        post: &Post,
        key: Option<&IdempotencyKey>,
    ) -> Result<WriteOutcome, StoreError> {
        let item = items::post_item(self.schedule.post(post.id, post.parent), writer, post);
        let record =
            WriteRecord { id: post.id, author: post.author.clone(), expires_at: None, message_group_uuid: None };
        match key {
            Some(_) => {
                self.commit_idempotent(key, record, |transaction| Ok(transaction.put_new(ACTIVITY, item)?)).await
            }
            // A transaction costs twice as much as a single write.
            None => self.put_post(item).await.map(|()| WriteOutcome::first(record)),
        }
    }

    /// Creates a reply to `parent` and increments its counter in one transaction, at most once per idempotency key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`ACTIVITY`] if the parent does not exist or had expired when the reply was created,
    /// on [`REPLY`] if the id is taken; [`StoreError::KeyReused`], and those of every write.
    pub async fn create_reply(
        &self,
        writer: &Profile,
        parent: &StoredPost,
        reply: &Post,
        key: Option<&IdempotencyKey>,
    ) -> Result<WriteOutcome, StoreError> {
        let (author, expires_at) = (reply.author.clone(), Some(reply.expires_at));
        let record = WriteRecord { id: reply.id, author, expires_at, message_group_uuid: None };
        self.commit_idempotent(key, record, |transaction| {
            let transaction = transaction
                .put_new(REPLY, reply_item(writer, parent, reply))?
                .put_new(REPLY_LOCATOR, locator_item(parent, reply))?
                .update(ACTIVITY, |update| {
                    update
                        .set_key(Some(items::key_item(parent.key())))
                        .update_expression("ADD #replies :one")
                        .condition_expression("attribute_exists(pk) AND #expires > :now")
                        .expression_attribute_names("#replies", REPLIES)
                        .expression_attribute_names("#expires", EXPIRES_MS)
                        .expression_attribute_values(":one", number(1))
                        .expression_attribute_values(":now", number(reply.id.created_at().as_millisecond()))
                })?;
            Ok(transaction)
        })
        .await
    }

    fn read_stored_post(&self, item: &Item) -> Result<StoredPost, StoreError> {
        let post = items::read_post(item)?;
        let read = ItemReader { item, entity: keys::post_entity(post.parent) };
        let grandparent = read.optional_id(GRANDPARENT)?;
        let parent = post.parent.map(|parent| self.schedule.post(parent, grandparent));
        let key = self.schedule.post(post.id, post.parent);
        Ok(StoredPost { post, author_sub: read.text(AUTHOR_SUB)?.to_owned(), key, parent })
    }

    async fn put_post(&self, item: Item) -> Result<(), StoreError> {
        let _write = self.writes.begin();
        match self.put_if_absent(item.clone()).await? {
            Some(stored) if IMMUTABLE.iter().any(|name| stored.get(*name) != item.get(*name)) => {
                Err(StoreError::Conflict { on: ACTIVITY })
            }
            // An equal item is that of an earlier attempt of the SDK, whose response was lost.
            Some(_) | None => Ok(()),
        }
    }
}

fn reply_item(writer: &Profile, parent: &StoredPost, reply: &Post) -> Item {
    let mut item = items::post_item(keys::reply(parent.post.id, reply.id), writer, reply);
    item.insert(PARENT_SUB.to_owned(), string(&parent.author_sub));
    item.extend(parent.post.parent.map(|grandparent| (GRANDPARENT.to_owned(), string(grandparent.to_string()))));
    item
}

fn locator_item(parent: &StoredPost, reply: &Post) -> Item {
    let mut item = items::key_item(keys::reply_locator(reply.id));
    item.insert(PARENT.to_owned(), string(parent.post.id.to_string()));
    item.extend(items::expiry_attributes(reply.expires_at));
    item
}
