use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::{DeleteBuilder, PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{Delete, Put, ReturnConsumedCapacity, TransactWriteItem, Update};

use super::deadline;
use super::items::Item;
use super::keys::{ACTIVITY, Entity, REPLY};
use super::{Store, StoreError};

/// The pauses before retries after a conflict with another transaction. Jitter adds up to the same time again.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
];

/// Writes that succeed or fail together, each with the entity of its item.
pub(super) struct Transaction {
    table: Arc<str>,
    writes: Vec<(Entity, TransactWriteItem)>,
}

impl Transaction {
    /// Adds a put that fails if the item exists.
    pub(super) fn put_new(self, on: Entity, item: Item) -> Result<Self, BuildError> {
        self.put(on, |put| put.set_item(Some(item)).condition_expression("attribute_not_exists(pk)"))
    }

    pub(super) fn put(self, on: Entity, put: impl FnOnce(PutBuilder) -> PutBuilder) -> Result<Self, BuildError> {
        let put = put(Put::builder().table_name(&*self.table)).build()?;
        Ok(self.with(on, TransactWriteItem::builder().put(put).build()))
    }

    pub(super) fn update(
        self,
        on: Entity,
        update: impl FnOnce(UpdateBuilder) -> UpdateBuilder,
    ) -> Result<Self, BuildError> {
        let update = update(Update::builder().table_name(&*self.table)).build()?;
        Ok(self.with(on, TransactWriteItem::builder().update(update).build()))
    }

    pub(super) fn delete(
        self,
        on: Entity,
        delete: impl FnOnce(DeleteBuilder) -> DeleteBuilder,
    ) -> Result<Self, BuildError> {
        let delete = delete(Delete::builder().table_name(&*self.table)).build()?;
        Ok(self.with(on, TransactWriteItem::builder().delete(delete).build()))
    }

    fn with(mut self, on: Entity, write: TransactWriteItem) -> Self {
        self.writes.push((on, write));
        self
    }
}

impl Store {
    /// Creates an empty transaction. If several conditions fail, the error names the entity of the first write.
    pub(super) fn transaction(&self) -> Transaction {
        Transaction { table: self.table.clone(), writes: Vec::new() }
    }

    /// Executes a transaction. Retries while it conflicts with other transactions.
    pub(super) async fn commit(&self, transaction: &Transaction) -> Result<(), StoreError> {
        let (entities, writes): (Vec<_>, Vec<_>) = transaction.writes.iter().cloned().unzip();
        let _write = entities.iter().any(|entity| matches!(*entity, ACTIVITY | REPLY)).then(|| self.writes.begin());
        let mut pauses = PAUSES.into_iter();
        loop {
            // The SDK adds a client request token to each call. Its attempts share the token, so that an attempt after a
            // lost response does not write twice.
            let error = match self
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.clone()))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
            {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            match pauses.next() {
                Some(pause) if is_conflict(&error) && deadline::allows(pause * 2) => {
                    tokio::time::sleep(pause + jitter(pause)).await;
                }
                Some(_) | None => return Err(StoreError::from_transaction(error, &entities)),
            }
        }
    }
}

/// Returns whether conflicts with other transactions are the only reason of the failure.
fn is_conflict(error: &SdkError<TransactWriteItemsError, HttpResponse>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error() else {
        return false;
    };
    let mut reasons = canceled.cancellation_reasons().iter().filter_map(|reason| reason.code()).peekable();
    reasons.peek().is_some() && reasons.all(|reason| matches!(reason, "None" | "TransactionConflict"))
}

/// Returns a random part of `pause`, so that conflicting transactions do not retry at the same time.
fn jitter(pause: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().build_hasher().finish() >> 48).unwrap_or(u32::MAX);
    pause * random / (1 << 16)
}
