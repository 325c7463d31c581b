//! Many items at once, within DynamoDB's limits.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity, WriteRequest};
use futures_util::future::try_join_all;

use super::items::{self, Item};
use super::keys::Key;
use super::{Store, StoreError};

/// The most that one `BatchWriteItem` takes.
pub(super) const WRITES: usize = 25;
/// The most that one `BatchGetItem` takes.
const READS: usize = 100;
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
        Err(StoreError::left_over())
    }

    /// The items that are there of those, by their keys; eventually consistent. No key may be given twice.
    pub(super) async fn items(&self, keys: Vec<Key>) -> Result<HashMap<Key, Item>, StoreError> {
        let batches = try_join_all(keys.chunks(READS).map(|batch| self.read(batch))).await?;
        Ok(batches.into_iter().flatten().collect())
    }

    async fn read(&self, keys: &[Key]) -> Result<Vec<(Key, Item)>, StoreError> {
        let mut wanted: Vec<Item> = keys.iter().cloned().map(items::of_key).collect();
        let mut found = Vec::new();
        for _ in 0..ROUNDS {
            let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).build()?;
            let request = self.client.batch_get_item().request_items(&*self.table, keys);
            let answer = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await?;
            let items = answer.responses.and_then(|mut tables| tables.remove(&*self.table)).unwrap_or_default();
            found.extend(items.into_iter().filter_map(|item| Some((items::to_key(&item)?, item))));
            let left = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&*self.table));
            wanted = left.map(|left| left.keys).unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
        }
        Err(StoreError::left_over())
    }
}
