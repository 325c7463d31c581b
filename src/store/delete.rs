use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::items::{self, AUTHOR_SUB, REPLIES, number, string};
use super::keys::{self, ACTIVITY, Key, PK, REPLY, REPLY_LOCATOR, SK};
use super::posts::StoredPost;
use super::{Store, StoreError};
use crate::domain::Id;

impl Store {
    /// Removes a post that the user `sub` wrote; a reply is no longer counted by what it answers.
    ///
    /// What belongs to it (replies, likes, reposts) goes later, by the stream. Twice is no error for a post.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on the post's kind when somebody else wrote it, and when it is a reply that is not there;
    /// and those of every write.
    pub async fn delete(&self, sub: &str, stored: &StoredPost) -> Result<(), StoreError> {
        let Some(parent) = &stored.parent else { return self.delete_activity(sub, stored).await };
        let deleted = self.delete_reply(sub, stored, Some(parent)).await;
        match deleted {
            // The parent went a moment ago, and there is nothing that counts any more.
            Err(error) if error.is_conflict_on(ACTIVITY) => self.delete_reply(sub, stored, None).await,
            Ok(()) | Err(_) => deleted,
        }
    }

    async fn delete_activity(&self, sub: &str, stored: &StoredPost) -> Result<(), StoreError> {
        let key = stored.key();
        let deleted = self
            .client
            .delete_item()
            .table_name(&*self.table)
            .key(PK, string(key.pk))
            .key(SK, string(key.sk))
            // One that is gone is well: a second attempt after a lost answer finds it so.
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
        let id: Id = stored.post.id();
        let mut transaction = self
            .transaction()
            .delete(REPLY, |delete| {
                delete
                    .set_key(Some(items::of_key(stored.key())))
                    .condition_expression("#author = :sub")
                    .expression_attribute_names("#author", AUTHOR_SUB)
                    .expression_attribute_values(":sub", string(sub))
            })?
            .delete(REPLY_LOCATOR, |delete| delete.set_key(Some(items::of_key(keys::reply_locator(id)))))?;
        if let Some(parent) = parent {
            transaction = transaction.update(ACTIVITY, |update| {
                update
                    .set_key(Some(items::of_key(parent.clone())))
                    .update_expression("ADD #replies :one")
                    .condition_expression("attribute_exists(pk)")
                    .expression_attribute_names("#replies", REPLIES)
                    .expression_attribute_values(":one", number(-1))
            })?;
        }
        self.commit(&transaction).await
    }
}
