use aws_sdk_dynamodb::types::{Put, ReturnConsumedCapacity, TransactWriteItem};

use super::keys::{self, HANDLE, PK, PROFILE, SK};
use super::{Store, StoreError, items};
use crate::domain::{Handle, Party, Profile};

impl Store {
    /// The user with that identity; a strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn profile(&self, sub: &str) -> Result<Option<Profile>, StoreError> {
        let key = keys::profile(sub);
        let found = self
            .client
            .get_item()
            .table_name(&*self.table)
            .key(PK, items::string(key.pk))
            .key(SK, items::string(key.sk))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        found.item().map(items::to_profile).transpose()
    }

    /// Who has a handle; a strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn party(&self, handle: &Handle) -> Result<Option<Party>, StoreError> {
        self.item(keys::handle(handle)).await?.as_ref().map(items::to_handle_claim).transpose()
    }

    /// Adds a user and claims the handle, both or neither.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`keys::PROFILE`] when the user is there already, on [`keys::HANDLE`] when somebody
    /// has the handle; and those of every write.
    pub async fn put_profile(&self, profile: &Profile) -> Result<(), StoreError> {
        let put = |item| {
            Put::builder()
                .table_name(&*self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build()
        };
        let writes = [put(items::of_profile(profile))?, put(items::of_handle_claim(profile))?];
        self.client
            .transact_write_items()
            .set_transact_items(Some(writes.map(|put| TransactWriteItem::builder().put(put).build()).into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| StoreError::of_transaction(error, &[PROFILE, HANDLE]))?;
        Ok(())
    }
}
