//! Reads and writes of many items, within DynamoDB's limits per request.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, WriteRequest};
use futures_util::future::try_join_all;

use super::batch::{Consistency, MAX_KEYS};
use super::items::{self, Item};
use super::keys::Key;
use super::{Store, StoreError};

/// The maximum number of writes in one `BatchWriteItem`.
pub(super) const WRITES: usize = 25;
/// Maximum number of concurrent requests.
const PARALLEL: usize = 4;
/// Maximum number of requests for one batch. Each repeats the writes that DynamoDB left unprocessed.
const MAX_ATTEMPTS: usize = 4;

impl Store {
    /// Writes all items, not atomically and in no particular order. The keys must be distinct.
    pub(super) async fn write_all(&self, writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        for group in writes.chunks(WRITES * PARALLEL) {
            try_join_all(group.chunks(WRITES).map(|batch| self.write(batch.to_vec()))).await?;
        }
        Ok(())
    }

    async fn write(&self, mut batch: Vec<WriteRequest>) -> Result<(), StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            let request = self.client.batch_write_item().request_items(&*self.table, batch);
            let response = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await?;
            batch = response.unprocessed_items.and_then(|mut left| left.remove(&*self.table)).unwrap_or_default();
            if batch.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::unprocessed())
    }

    /// Returns the existing items with these keys. Eventually consistent. The keys must be distinct.
    pub(super) async fn items(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, StoreError> {
        let reads = keys.chunks(MAX_KEYS).map(|batch| self.read_items(batch.to_vec(), Consistency::Eventual));
        let found = try_join_all(reads).await?.into_iter().flatten();
        Ok(found.filter_map(|item| Some((items::read_key(&item)?, item))).collect())
    }
}
