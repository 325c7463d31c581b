//! The table's layout: the version of its keys and items, and the time from which on it has posts.

use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;

use super::items::{self, Item, ItemReader, number};
use super::keys::{self, LAYOUT};
use super::{Store, StoreError};
use crate::domain::Ttl;

/// The layout of this version of the program. Increase it with each change of keys or items that older versions, or the
/// items that they wrote, do not satisfy.
const VERSION: u32 = 1;
const VERSION_ATTRIBUTE: &str = "version";
const CREATED_MS: &str = "created_at_ms";

/// The time of creation of the table's layout, once it is known. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout(Arc<OnceLock<Timestamp>>);

impl Layout {
    /// Returns the time of the oldest post that can be live at `now`.
    pub(super) fn oldest(&self, now: Timestamp) -> Timestamp {
        let oldest = now - Ttl::MAX;
        self.0.get().map_or(oldest, |created_at| oldest.max(*created_at))
    }

    fn remember(&self, item: &Item) -> Result<(), StoreError> {
        let read = ItemReader { item, entity: LAYOUT };
        let found = read.number(VERSION_ATTRIBUTE)?;
        if found != VERSION {
            return Err(StoreError::OtherLayout { found, expected: VERSION });
        }
        // If another request was faster, it read the same time.
        let _known = self.0.set(read.time(CREATED_MS)?);
        Ok(())
    }
}

impl Store {
    /// Opens a connection before the first request by reading the table's layout.
    ///
    /// # Errors
    /// [`StoreError::OtherLayout`] if the table has the layout of another version of the program, which no request can
    /// use; and those of every read.
    pub async fn warm_up(&self) -> Result<(), StoreError> {
        match self.item(keys::layout()).await? {
            Some(item) => self.layout.remember(&item),
            None => Ok(()),
        }
    }

    /// Returns whether the table's layout was read, and is that of this version of the program.
    #[must_use]
    pub fn knows_layout(&self) -> bool {
        self.layout.0.get().is_some()
    }

    /// Warms up, and ignores that the table does not respond: it may respond when the first request arrives.
    ///
    /// # Errors
    /// [`StoreError::OtherLayout`] as [`warm_up`](Self::warm_up).
    pub async fn checked(self) -> Result<Self, StoreError> {
        self.warm_up().await.or_else(unless_other)?;
        Ok(self)
    }

    /// Reads the table's layout. If the table has none, it is new, and gets the layout of this version of the program,
    /// created at `created_at`: lists do not read older buckets. Ignores that the table does not respond.
    ///
    /// # Errors
    /// [`StoreError::OtherLayout`] as [`warm_up`](Self::warm_up).
    pub async fn ensure_layout(&self, created_at: Timestamp) -> Result<(), StoreError> {
        match self.warm_up().await {
            Ok(()) if !self.knows_layout() => self.create_layout(created_at).await.or_else(unless_other),
            result @ (Ok(()) | Err(_)) => result.or_else(unless_other),
        }
    }

    async fn create_layout(&self, created_at: Timestamp) -> Result<(), StoreError> {
        let mut item = items::key_item(keys::layout());
        item.extend(items::named([
            (VERSION_ATTRIBUTE, number(VERSION)),
            (CREATED_MS, number(created_at.as_millisecond())),
        ]));
        let put = self
            .client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item.clone()))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match put {
            Ok(_) => self.layout.remember(&item),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    // Another environment of the function was faster.
                    failed.item().map_or(Ok(()), |item| self.layout.remember(item))
                }
                Some(_) | None => Err(error.into()),
            },
        }
    }
}

fn unless_other(error: StoreError) -> Result<(), StoreError> {
    if matches!(error, StoreError::OtherLayout { .. }) { Err(error) } else { Ok(()) }
}
