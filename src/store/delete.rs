use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::batch::{MAX_WRITES, delete_request};
use super::items::{self, AUTHOR_SUB, Item, REPLIES, number, string};
use super::keys::{self, ACTIVITY, Key, PK, REPLY, REPLY_LOCATOR, SK};
use super::posts::StoredPost;
use super::{Store, StoreError};
use crate::domain::{Id, Post};

/// The maximum number of items that one call of [`Store::delete_dependents`] deletes.
const MAX_DEPENDENTS: usize = 2_500;

impl Store {
    /// Deletes a post of the user `sub`. For a reply, it also decrements the counter of the parent.
    ///
    /// The stream consumer deletes the replies later. Likes and reposts remain until the post would have expired, and
    /// nothing reads them. Deleting a post without a parent twice is not an error.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on the post's entity if another user is the author or the reply does not exist, and
    /// those of every write.
    pub async fn delete_post(&self, sub: &str, stored: &StoredPost) -> Result<(), StoreError> {
        let Some(parent) = &stored.parent else { return self.delete_activity(sub, stored).await };
        let deleted = self.delete_reply(sub, stored, Some(parent)).await;
        match deleted {
            // The parent was deleted in the meantime, so there is no counter to decrement.
            Err(error) if error.is_conflict_on(ACTIVITY) => self.delete_reply(sub, stored, None).await,
            Ok(()) | Err(_) => deleted,
        }
    }

    /// Deletes the replies to a deleted post, and the locator of a deleted reply.
    ///
    /// The deletion of a reply is a stream record too, so that this is called for each level of a thread.
    ///
    /// # Errors
    /// [`StoreError::Throttled`] if more than 2,500 items exist, and those of every read and write. The next call
    /// continues.
    pub async fn delete_dependents(&self, post: &Post) -> Result<(), StoreError> {
        if post.parent.is_some() {
            self.write_all(vec![delete_request(items::key_item(keys::reply_locator(post.id)))?]).await?;
        }
        let mut deleted = 0;
        loop {
            let found = self.dependents(post.id).await?;
            if found.is_empty() {
                return Ok(());
            }
            if deleted >= MAX_DEPENDENTS {
                return Err(StoreError::unprocessed());
            }
            deleted += found.len();
            self.write_all(found.into_iter().map(delete_request).collect::<Result<_, _>>()?).await?;
        }
    }

    async fn delete_activity(&self, sub: &str, stored: &StoredPost) -> Result<(), StoreError> {
        let key = stored.key();
        let _write = self.writes.begin();
        let deleted = self
            .client
            .delete_item()
            .table_name(&*self.table)
            .key(PK, string(key.pk))
            .key(SK, string(key.sk))
            // A missing item is a success: the response of an earlier attempt may have been lost.
            .condition_expression("attribute_not_exists(pk) OR #author = :sub")
            .expression_attribute_names("#author", AUTHOR_SUB)
            .expression_attribute_values(":sub", string(sub))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Err(StoreError::Conflict { on: ACTIVITY })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn delete_reply(&self, sub: &str, stored: &StoredPost, parent: Option<&Key>) -> Result<(), StoreError> {
        let mut transaction = self
            .transaction()
            .delete(REPLY, |delete| {
                delete
                    .set_key(Some(items::key_item(stored.key())))
                    .condition_expression("#author = :sub")
                    .expression_attribute_names("#author", AUTHOR_SUB)
                    .expression_attribute_values(":sub", string(sub))
            })?
            .delete(REPLY_LOCATOR, |delete| {
                delete.set_key(Some(items::key_item(keys::reply_locator(stored.post.id))))
            })?;
        if let Some(parent) = parent {
            transaction = transaction.update(ACTIVITY, |update| {
                update
                    .set_key(Some(items::key_item(parent.clone())))
                    .update_expression("ADD #replies :one")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_names("#replies", REPLIES)
                    .expression_attribute_values(":one", number(-1))
            })?;
        }
        self.commit(&transaction).await
    }

    async fn dependents(&self, id: Id) -> Result<Vec<Item>, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(keys::dependents(id)))
            .projection_expression("pk, sk")
            // An eventually consistent read could return items that the previous round deleted.
            .consistent_read(true)
            .limit(i32::try_from(MAX_WRITES * 4).unwrap_or(i32::MAX))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        Ok(found.items.unwrap_or_default())
    }
}
