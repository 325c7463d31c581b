use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use jiff::Timestamp;

use super::items::{self, EXPIRES_MS, REPLIES, number, string};
use super::keys::{self, ACTIVITY, REPLY, REPLY_PREFIX};
use super::{Store, StoreError};
use crate::domain::{Id, Profile, Reply};

impl Store {
    /// The first `limit` replies to a post, the oldest first, without those that have expired by `now`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn replies(&self, parent: Id, now: Timestamp, limit: u16) -> Result<Vec<Reply>, StoreError> {
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
            .limit(limit.into())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        found.items().iter().map(items::to_reply).collect()
    }

    /// Adds a reply of `writer` and counts it in its post, both or neither.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`keys::ACTIVITY`] when the post is not there or had expired when the reply was
    /// made, on [`keys::REPLY`] when the id is taken; and those of every write.
    pub async fn create_reply(&self, writer: &Profile, reply: &Reply) -> Result<(), StoreError> {
        let transaction =
            self.transaction().put_new(REPLY, items::of_reply(writer, reply))?.update(ACTIVITY, |update| {
                update
                    .set_key(Some(items::of_key(keys::activity(reply.parent()))))
                    .update_expression("ADD #replies :one")
                    .condition_expression("attribute_exists(pk) AND #expires > :now")
                    .expression_attribute_names("#replies", REPLIES)
                    .expression_attribute_names("#expires", EXPIRES_MS)
                    .expression_attribute_values(":one", number(1))
                    .expression_attribute_values(":now", number(reply.created_at().as_millisecond()))
            })?;
        self.commit(&transaction).await
    }
}
