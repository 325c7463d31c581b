//! Many items at once, within DynamoDB's limits.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, WriteRequest};
use futures_util::future::try_join_all;

use super::batch::{Consistency, MAX_KEYS};
use super::items::{self, Item};
use super::keys::Key;
use super::{Store, StoreError};

/// The most that one `BatchWriteItem` takes.
pub(super) const WRITES: usize = 25;
/// Requests under way at once.
const PARALLEL: usize = 4;
/// How often what DynamoDB has left over is sent again.
const ROUNDS: usize = 4;

impl Store {
    /// Writes all; each write by itself, and in no order. No two may be of one key.
    pub(super) async fn write_all(&self, writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        for group in writes.chunks(WRITES * PARALLEL) {
            try_join_all(group.chunks(WRITES).map(|batch| self.write(batch.to_vec()))).await?;
        }
        Ok(())
    }

    async fn write(&self, mut batch: Vec<WriteRequest>) -> Result<(), StoreError> {
        for _ in 0..ROUNDS {
            let request = self.client.batch_write_item().request_items(&*self.table, batch);
            let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await?;
            batch = answer.unprocessed_items.and_then(|mut left| left.remove(&*self.table)).unwrap_or_default();
            if batch.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::unprocessed())
    }

    /// The items that are there of those, by their keys; eventually consistent. No key may be given twice.
    pub(super) async fn items(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, StoreError> {
        let reads = keys.chunks(MAX_KEYS).map(|batch| self.read_items(batch.to_vec(), Consistency::Eventual));
        let found = try_join_all(reads).await?.into_iter().flatten();
        Ok(found.filter_map(|item| Some((items::read_key(&item)?, item))).collect())
    }
}
