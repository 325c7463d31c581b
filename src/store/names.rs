use futures_util::future::try_join_all;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::conversation_items::OTHER_SUB;
use super::items::{self, DISPLAY_NAME, Item, NAMED_AT, number, string};
use super::keys::{self, Key, LIST, LISTS, MEMBERSHIP_PREFIX};
use super::removal::of_subject;
use super::writes::WRITES;
use super::{Store, StoreError};
use crate::domain::{Profile, Subject};

/// Items that are read and rewritten at once.
const PAGE: i32 = 100;

impl Store {
    /// Writes a user's present name into all that carries it: posts, replies, and the conversations of others.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write.
    pub async fn rewrite_names(&self, sub: &str) -> Result<(), StoreError> {
        // The profile as it is now: a record that comes late must not bring an old name back.
        let Some(profile) = self.profile(sub).await? else { return Ok(()) };
        let user_uuid = profile.author.user_uuid;
        for list in [keys::posts_of(user_uuid), keys::replies_of(user_uuid)] {
            self.rewrite_list(&profile, list).await?;
        }
        self.rewrite_memberships(&profile).await
    }

    /// Writes the author's present name into a post or reply that was made while the name changed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write.
    pub async fn rewrite_name(&self, subject: Subject, shown: &str, author_sub: &str) -> Result<(), StoreError> {
        let profile = self.profile(author_sub).await?.filter(|profile| profile.author.display_name != shown);
        match (profile, of_subject(subject)) {
            (Some(profile), Some(key)) => self.rename(&profile, key).await,
            (Some(_) | None, _) => Ok(()),
        }
    }

    async fn rewrite_list(&self, profile: &Profile, list: String) -> Result<(), StoreError> {
        let mut start = None;
        loop {
            let found = self
                .client
                .query()
                .table_name(&*self.table)
                .index_name(LISTS)
                .key_condition_expression("#list = :list")
                .filter_expression("#name <> :name")
                .expression_attribute_names("#list", LIST)
                .expression_attribute_names("#name", DISPLAY_NAME)
                .expression_attribute_values(":list", string(&list))
                .expression_attribute_values(":name", string(&profile.author.display_name))
                .limit(PAGE)
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            self.rename_all(profile, found.items().iter().filter_map(items::to_key).collect()).await?;
            start = found.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn rewrite_memberships(&self, profile: &Profile) -> Result<(), StoreError> {
        let mut start = None;
        loop {
            let found = self
                .client
                .query()
                .table_name(&*self.table)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":pk", string(keys::profile(&profile.sub).pk))
                .expression_attribute_values(":prefix", string(MEMBERSHIP_PREFIX))
                .limit(PAGE)
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await?;
            let others = found.items().iter().map(of_other).collect::<Result<_, _>>()?;
            self.rename_all(profile, others).await?;
            start = found.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn rename_all(&self, profile: &Profile, keys: Vec<Key>) -> Result<(), StoreError> {
        for batch in keys.chunks(WRITES) {
            try_join_all(batch.iter().map(|key| self.rename(profile, key.clone()))).await?;
        }
        Ok(())
    }

    async fn rename(&self, profile: &Profile, key: Key) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(items::of_key(key)))
            .update_expression("SET #name = :name, #since = :since")
            .condition_expression("attribute_exists(pk) AND (attribute_not_exists(#since) OR #since <= :since)")
            .expression_attribute_names("#name", DISPLAY_NAME)
            .expression_attribute_names("#since", NAMED_AT)
            .expression_attribute_values(":name", string(&profile.author.display_name))
            .expression_attribute_values(":since", number(profile.named_at.as_millisecond()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        StoreError::unless_unchanged(update)
    }
}

/// The same conversation as the other user has it, where this user's name is shown.
fn of_other(membership: &Item) -> Result<Key, StoreError> {
    let read = items::Reader { item: membership, entity: keys::MEMBERSHIP };
    let group = read.with(keys::SK, keys::parse_membership_sk)?;
    Ok(keys::membership(read.text(OTHER_SUB)?, group))
}
