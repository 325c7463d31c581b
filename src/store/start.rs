//! The first access to the table.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;

use super::layout::layout_item;
use super::{Store, StoreError, keys};

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
        self.layout.is_known()
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
        let item = layout_item(created_at);
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
