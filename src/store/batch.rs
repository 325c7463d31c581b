use std::collections::HashMap;

use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnConsumedCapacity};

use super::items::{self, Item};
use super::keys::{Key, PK, SK};
use super::{Store, StoreError};

/// DynamoDB may leave some keys for a later request; so many requests are made at most.
const MAX_REQUESTS: usize = 4;
/// DynamoDB's own limit of one request.
pub(super) const MAX_KEYS: usize = 100;

/// How old what is read may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consistency {
    /// Every write that has been answered is seen. It costs twice as much.
    Strong,
    /// What was written just now may be missing.
    Eventual,
}

impl Store {
    /// One item; a strongly consistent read.
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

    /// Those of the items that are there, in no order; of at most 100 different keys.
    pub(super) async fn read_items(&self, keys: Vec<Key>, consistency: Consistency) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        let mut wanted: Vec<Item> = keys.into_iter().take(MAX_KEYS).map(items::of_key).collect();
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
        if wanted.is_empty() { Ok(found) } else { Err(StoreError::Throttled { source: "keys are left over".into() }) }
    }
}

/// Whether that is the item's key.
pub(super) fn is_at(item: &Item, key: &Key) -> bool {
    item.get(PK) == Some(&items::string(&key.pk)) && item.get(SK) == Some(&items::string(&key.sk))
}
