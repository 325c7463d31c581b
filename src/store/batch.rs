//! Reads and writes of many items, within DynamoDB's limits of one request.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{
    DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    WriteRequest,
};
use futures_util::future::try_join_all;

use super::items::{self, Item};
use super::keys::{Key, PK, SK};
use super::{Store, StoreError};

/// The maximum number of requests for one batch. DynamoDB may leave a part of it unprocessed.
const MAX_REQUESTS: usize = 4;
/// The maximum number of keys of one `BatchGetItem`.
const MAX_READS: usize = 100;
/// The maximum number of writes of one `BatchWriteItem`.
pub(super) const MAX_WRITES: usize = 25;
/// The maximum number of concurrent `BatchWriteItem` calls.
const MAX_CONCURRENT: usize = 4;

/// The read consistency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consistency {
    /// Returns the result of all completed writes. Costs twice as much.
    Strong,
    /// May miss recent writes.
    Eventual,
}

impl Store {
    /// Returns the item with that key. Strongly consistent.
    pub(super) async fn item(&self, Key { pk, sk }: Key) -> Result<Option<Item>, StoreError> {
        let found = self
            .client
            .get_item()
            .table_name(&*self.table)
            .key(PK, items::string(pk))
            .key(SK, items::string(sk))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        Ok(found.item)
    }

    /// Writes the item unless one with its key exists, and returns that one.
    pub(super) async fn put_if_absent(&self, item: Item) -> Result<Option<Item>, StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match put {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Some(failed.item().cloned().unwrap_or_default()))
                }
                Some(_) | None => Err(error.into()),
            },
        }
    }

    /// Returns the items that exist, by key. The keys must be distinct. Eventually consistent.
    pub(super) async fn items(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, StoreError> {
        let reads = keys.chunks(MAX_READS).map(|batch| self.read_items(batch.to_vec(), Consistency::Eventual));
        let found = try_join_all(reads).await?.into_iter().flatten();
        Ok(found.filter_map(|item| Some((items::read_key(&item)?, item))).collect())
    }

    /// Returns the items that exist, in no particular order. There must be at most 100 keys, all distinct.
    pub(super) async fn read_items(&self, keys: Vec<Key>, consistency: Consistency) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        let mut wanted: Vec<Item> = keys.into_iter().take(MAX_READS).map(items::key_item).collect();
        for _ in 0..MAX_REQUESTS {
            if wanted.is_empty() {
                break;
            }
            let request = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .consistent_read(consistency == Consistency::Strong)
                .build()?;
            let output = self
                .client
                .batch_get_item()
                .request_items(&*self.table, request)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            found.extend(output.responses.into_iter().flat_map(HashMap::into_values).flatten());
            let unprocessed = output.unprocessed_keys.into_iter().flat_map(HashMap::into_values);
            wanted = unprocessed.flat_map(|unprocessed| unprocessed.keys).collect();
        }
        if wanted.is_empty() { Ok(found) } else { Err(StoreError::unprocessed()) }
    }

    /// Executes all writes, in no particular order and not as a transaction. Their keys must be distinct.
    pub(super) async fn write_all(&self, writes: Vec<WriteRequest>) -> Result<(), StoreError> {
        for group in writes.chunks(MAX_WRITES * MAX_CONCURRENT) {
            try_join_all(group.chunks(MAX_WRITES).map(|batch| self.write(batch.to_vec()))).await?;
        }
        Ok(())
    }

    async fn write(&self, mut batch: Vec<WriteRequest>) -> Result<(), StoreError> {
        for _ in 0..MAX_REQUESTS {
            let request = self.client.batch_write_item().request_items(&*self.table, batch);
            let output = request.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await?;
            batch = output.unprocessed_items.and_then(|mut items| items.remove(&*self.table)).unwrap_or_default();
            if batch.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::unprocessed())
    }
}

/// Returns whether the item has that key.
pub(super) fn has_key(item: &Item, key: &Key) -> bool {
    item.get(PK) == Some(&items::string(&key.pk)) && item.get(SK) == Some(&items::string(&key.sk))
}

pub(super) fn put_request(item: Item) -> Result<WriteRequest, StoreError> {
    Ok(WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build()?).build())
}

pub(super) fn delete_request(key: Item) -> Result<WriteRequest, StoreError> {
    Ok(WriteRequest::builder().delete_request(DeleteRequest::builder().set_key(Some(key)).build()?).build())
}
