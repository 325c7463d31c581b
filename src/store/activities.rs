use aws_sdk_dynamodb::types::{Put, ReturnConsumedCapacity, TransactWriteItem, Update};
use jiff::Timestamp;

use super::items::{self, CRUDS, number};
use super::keys::{self, ACTIVITY, PK, PROFILE, SK};
use super::{Store, StoreError};
use crate::domain::{Activity, Id};

impl Store {
    /// One post, unless it has expired by `now`; a strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn activity(&self, id: Id, now: Timestamp) -> Result<Option<Activity>, StoreError> {
        let key = keys::activity(id);
        let found = self
            .client
            .get_item()
            .table_name(&*self.table)
            .key(PK, items::string(key.pk))
            .key(SK, items::string(key.sk))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let activity = found.item().map(items::to_activity).transpose()?;
        Ok(activity.filter(|activity| activity.is_live(now)))
    }

    /// Adds a post and counts it in the profile of its author, both or neither.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`keys::PROFILE`] when there is no user `sub`, on [`keys::ACTIVITY`] when the id is
    /// taken; and those of every write.
    pub async fn create_activity(&self, sub: &str, activity: &Activity) -> Result<(), StoreError> {
        let put = Put::builder()
            .table_name(&*self.table)
            .set_item(Some(items::of_activity(activity)))
            .condition_expression("attribute_not_exists(pk)")
            .build()?;
        let count = Update::builder()
            .table_name(&*self.table)
            .set_key(Some(items::of_key(keys::profile(sub))))
            .update_expression("ADD #cruds :one")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#cruds", CRUDS)
            .expression_attribute_values(":one", number(1))
            .build()?;
        self.client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put).build())
            .transact_items(TransactWriteItem::builder().update(count).build())
            // A second attempt after a lost answer is the same write, not a conflict.
            .client_request_token(activity.id().to_string())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| StoreError::of_transaction(error, &[ACTIVITY, PROFILE]))?;
        Ok(())
    }
}
