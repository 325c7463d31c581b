use aws_sdk_dynamodb::types::{Put, ReturnConsumedCapacity, TransactWriteItem};

use jiff::{SignedDuration, Timestamp};

use super::idempotency::{Made, Once, Written};
use super::items::{BIO, DISPLAY_NAME, NAMED_AT, SUB, number, string};
use super::keys::{self, HANDLE, PROFILE};
use super::{Store, StoreError, items};
use crate::domain::{Author, Handle, Id, Profile, ProfileEdit, User};

/// How often a change is tried that others get in the way of.
const MAX_TRIES: usize = 10;

impl Store {
    /// The user with that identity; a strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn profile(&self, sub: &str) -> Result<Option<Profile>, StoreError> {
        let found = self.item(keys::profile(sub)).await?;
        found.as_ref().map(items::to_profile).transpose()
    }

    /// The user who has that handle; a strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn user(&self, handle: &Handle) -> Result<Option<User>, StoreError> {
        let found = self.item(keys::handle(handle)).await?;
        found.as_ref().map(items::to_user).transpose()
    }

    /// Changes what the user `profile` was read as, in the profile and in the claim of the handle, under the key at most
    /// once. Of two changes at once the later one stays. `id` is that of the change.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`keys::PROFILE`] when the user is not there, or others change the name without end,
    /// [`StoreError::KeyReused`]; and those of every read and write.
    pub async fn update_profile(
        &self,
        id: Id,
        mut profile: Profile,
        edit: &ProfileEdit,
        once: Option<&Once>,
    ) -> Result<Written, StoreError> {
        for _ in 1..MAX_TRIES {
            match self.try_update_profile(id, &profile, edit, once).await {
                Err(error) if error.is_conflict_on(PROFILE) => {}
                result @ (Ok(_) | Err(_)) => return result,
            }
            profile = self.profile(&profile.sub).await?.ok_or(StoreError::Conflict { on: PROFILE })?;
        }
        self.try_update_profile(id, &profile, edit, once).await
    }

    async fn try_update_profile(
        &self,
        id: Id,
        profile: &Profile,
        edit: &ProfileEdit,
        once: Option<&Once>,
    ) -> Result<Written, StoreError> {
        let author = Author { display_name: edit.display_name.clone(), ..profile.author.clone() };
        let named_at = named_at(profile, edit, id.created_at());
        let made = Made { id, author, expires_at: None, message_group_uuid: None };
        let context = items::trace_context();
        let set_context = if context.is_some() { ", trace_context = :context" } else { "" };
        self.commit_once(once, made, |transaction| {
            let written = transaction
                .update(PROFILE, |update| {
                    let update = update
                        .set_key(Some(items::of_key(keys::profile(&profile.sub))))
                        .update_expression(format!("SET #name = :name, #bio = :bio, #named = :named{set_context}"))
                        // As it was read: else the name would get a time that is not later than that of another name.
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
                        .set_key(Some(items::of_key(keys::handle(&profile.author.handle))))
                        .update_expression("SET #name = :name")
                        .condition_expression("#sub = :sub")
                        .expression_attribute_names("#name", DISPLAY_NAME)
                        .expression_attribute_names("#sub", SUB)
                        .expression_attribute_values(":name", string(&edit.display_name))
                        .expression_attribute_values(":sub", string(&profile.sub))
                })?;
            Ok(written)
        })
        .await
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

/// A new name's time is later than that of the name before, whatever the clocks say.
fn named_at(profile: &Profile, edit: &ProfileEdit, now: Timestamp) -> Timestamp {
    if edit.display_name == profile.author.display_name {
        return profile.named_at;
    }
    now.max(profile.named_at + SignedDuration::from_millis(1))
}
