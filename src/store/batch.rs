use std::collections::HashMap;

use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, ReturnConsumedCapacity, WriteRequest};

use super::items::{self, Item};
use super::keys::{Key, PK, SK};
use super::{Store, StoreError};

/// The maximum number of requests for one batch. DynamoDB may leave keys unprocessed.
const MAX_REQUESTS: usize = 4;
/// DynamoDB's limit for one request.
pub(super) const MAX_KEYS: usize = 100;

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

    /// Returns the items that exist, in no particular order. `keys` must be at most 100 distinct keys.
    pub(super) async fn read_items(&self, keys: Vec<Key>, consistency: Consistency) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        let mut wanted: Vec<Item> = keys.into_iter().take(MAX_KEYS).map(items::key_item).collect();
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
            let left = output.unprocessed_keys.into_iter().flat_map(HashMap::into_values);
            wanted = left.flat_map(|left| left.keys).collect();
        }
        if wanted.is_empty() { Ok(found) } else { Err(StoreError::unprocessed()) }
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
