use aws_sdk_dynamodb::types::{Put, ReturnConsumedCapacity, TransactWriteItem};

use jiff::{SignedDuration, Timestamp};

use super::idempotency::{IdempotencyKey, WriteOutcome, WriteRecord};
use super::items::{BIO, DISPLAY_NAME, NAMED_AT, SUB, number, string};
use super::keys::{self, HANDLE, Key, PROFILE};
use super::{Store, StoreError, items};
use crate::domain::{Author, Handle, Id, Profile, ProfileEdit, User};

/// The maximum number of attempts of an update that conflicts with others.
const MAX_ATTEMPTS: usize = 10;

impl Store {
    /// Returns the profile of the user with that identity. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn profile(&self, sub: &str) -> Result<Option<Profile>, StoreError> {
        let found = self.item(keys::profile(sub)).await?;
        found.as_ref().map(items::read_profile).transpose()
    }

    /// Returns the user with that handle. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn user(&self, handle: &Handle) -> Result<Option<User>, StoreError> {
        let found = self.item(keys::handle(handle)).await?;
        found.as_ref().map(items::read_user).transpose()
    }

    /// Returns the identities of the users with these handles. Unknown handles are ignored. Eventually consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read.
    pub async fn subs_by_handle(&self, handles: &[Handle]) -> Result<Vec<String>, StoreError> {
        let keys: Vec<Key> = handles.iter().map(keys::handle).collect();
        let found = self.items(&keys).await?;
        let claims = keys.iter().filter_map(|key| found.get(key));
        claims.map(|claim| Ok(items::read_user(claim)?.sub)).collect()
    }

    /// Updates the profile and the handle claim in one transaction, at most once per idempotency key. Of concurrent
    /// updates, the last one wins. `id` identifies the update.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`PROFILE`] if the profile does not exist or all attempts conflict with other
    /// updates; [`StoreError::KeyReused`], and those of every read and write.
    pub async fn update_profile(
        &self,
        id: Id,
        mut profile: Profile,
        edit: &ProfileEdit,
        key: Option<&IdempotencyKey>,
    ) -> Result<WriteOutcome, StoreError> {
        for _ in 1..MAX_ATTEMPTS {
            match self.try_update_profile(id, &profile, edit, key).await {
                Err(error) if error.is_conflict_on(PROFILE) => {}
                result @ (Ok(_) | Err(_)) => return result,
            }
            profile = self.profile(&profile.sub).await?.ok_or(StoreError::Conflict { on: PROFILE })?;
        }
        self.try_update_profile(id, &profile, edit, key).await
    }

    async fn try_update_profile(
        &self,
        id: Id,
        profile: &Profile,
        edit: &ProfileEdit,
        key: Option<&IdempotencyKey>,
    ) -> Result<WriteOutcome, StoreError> {
        let author = Author { display_name: edit.display_name.clone(), ..profile.author.clone() };
        let named_at = named_at(profile, edit, id.created_at());
        let record = WriteRecord { id, author, expires_at: None, message_group_uuid: None };
        let context = items::trace_context();
        let set_context = if context.is_some() { ", trace_context = :context" } else { "" };
        self.commit_idempotent(key, record, |transaction| {
            let transaction = transaction
                .update(PROFILE, |update| {
                    let update = update
                        .set_key(Some(items::key_item(keys::profile(&profile.sub))))
                        .update_expression(format!("SET #name = :name, #bio = :bio, #named = :named{set_context}"))
                        // The profile is unchanged since it was read. Otherwise `named_at` might not increase.
                        .condition_expression("#named = :read")
                        .expression_attribute_names("#name", DISPLAY_NAME)
                        .expression_attribute_names("#bio", BIO)
                        .expression_attribute_names("#named", NAMED_AT)
                        .expression_attribute_values(":name", string(&edit.display_name))
                        .expression_attribute_values(":bio", string(&edit.bio))
                        .expression_attribute_values(":named", number(named_at.as_millisecond()))
                        .expression_attribute_values(":read", number(profile.named_at.as_millisecond()));
                    context
                        .into_iter()
                        .fold(update, |update, (_, context)| update.expression_attribute_values(":context", context))
                })?
                .update(HANDLE, |update| {
                    update
                        .set_key(Some(items::key_item(keys::handle(&profile.author.handle))))
                        .update_expression("SET #name = :name")
                        .condition_expression("#sub = :sub")
                        .expression_attribute_names("#name", DISPLAY_NAME)
                        .expression_attribute_names("#sub", SUB)
                        .expression_attribute_values(":name", string(&edit.display_name))
                        .expression_attribute_values(":sub", string(&profile.sub))
                })?;
            Ok(transaction)
        })
        .await
    }

    /// Creates a profile and claims its handle in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`PROFILE`] if the profile exists, on [`HANDLE`] if the handle is taken; and those of
    /// every write.
    pub async fn create_profile(&self, profile: &Profile) -> Result<(), StoreError> {
        let put = |item| {
            Put::builder()
                .table_name(&*self.table)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk)")
                .build()
        };
        let writes = [put(items::profile_item(profile))?, put(items::handle_claim_item(profile))?];
        self.client
            .transact_write_items()
            .set_transact_items(Some(writes.map(|put| TransactWriteItem::builder().put(put).build()).into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| StoreError::from_transaction(error, &[PROFILE, HANDLE]))?;
        Ok(())
    }
}

/// Returns the time of the name after the edit. A new name has a later time than the one before, even if clocks differ.
fn named_at(profile: &Profile, edit: &ProfileEdit, now: Timestamp) -> Timestamp {
    if edit.display_name == profile.author.display_name {
        return profile.named_at;
    }
    now.max(profile.named_at + SignedDuration::from_millis(1))
}
