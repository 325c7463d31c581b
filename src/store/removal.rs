use aws_sdk_dynamodb::types::{DeleteRequest, ReturnConsumedCapacity, WriteRequest};

use super::items::{self, Item, string};
use super::keys::{self, Key};
use super::writes::WRITES;
use super::{Store, StoreError};
use crate::domain::{Id, Subject};

/// Items that one call removes at most. Where there are more, the next call goes on; and all expire by themselves.
const MAX_ITEMS: usize = 2_500;

impl Store {
    /// Removes what belongs to a post or a reply that is gone: replies, likes, reposts, and where a reply is found.
    /// A reply that is removed is in turn one that is gone.
    ///
    /// # Errors
    /// [`StoreError::Throttled`] when so many belong to it that more are left; and those of every read and write.
    pub async fn remove_belongings(&self, subject: Subject) -> Result<(), StoreError> {
        if let Subject::Reply { id, .. } = subject {
            self.write_all(vec![deletion(items::of_key(keys::reply_locator(id)))?]).await?;
        }
        let mut removed = 0;
        loop {
            let found = self.belongings(subject.id()).await?;
            if found.is_empty() {
                return Ok(());
            }
            if removed >= MAX_ITEMS {
                return Err(StoreError::left_over());
            }
            removed += found.len();
            self.write_all(found.into_iter().map(deletion).collect::<Result<_, _>>()?).await?;
        }
    }

    /// Whether a post or a reply is there, expired or not; a strongly consistent read.
    ///
    /// # Errors
    /// Those of every read.
    pub async fn is_there(&self, subject: Subject) -> Result<bool, StoreError> {
        let Some(key) = of_subject(subject) else { return Ok(true) };
        Ok(self.item(key).await?.is_some())
    }

    async fn belongings(&self, id: Id) -> Result<Vec<Item>, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", string(keys::replies(id)))
            .projection_expression("pk, sk")
            // What was deleted in the last round must not come again.
            .consistent_read(true)
            .limit(i32::try_from(WRITES * 4).unwrap_or(i32::MAX))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        Ok(found.items.unwrap_or_default())
    }
}

/// The item of a post or a reply. A conversation has none of its own, and is never removed.
pub(super) fn of_subject(subject: Subject) -> Option<Key> {
    match subject {
        Subject::Activity(id) => Some(keys::activity(id)),
        Subject::Reply { parent, id } => Some(keys::reply(parent, id)),
        Subject::Group(_) => None,
    }
}

pub(super) fn deletion(key: Item) -> Result<WriteRequest, StoreError> {
    Ok(WriteRequest::builder().delete_request(DeleteRequest::builder().set_key(Some(key)).build()?).build())
}
