use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use jiff::Timestamp;

use super::batch::delete_request;
use super::conversation_items::{CONVERSATION, OTHER_SUB};
use super::items::{self, AUTHOR_SUB, Item, ItemReader, SUB, string};
use super::keys::{self, HANDLE, Key, LIST, LISTS, MEMBERSHIP, PK, post_entity};
use super::{Store, StoreError};
use crate::domain::{Profile, Reaction};

/// The attributes that a deletion needs, besides the keys.
const PROJECTED: &str = "pk, sk, #other, #uuid, #group, #author";

impl Store {
    /// Deletes everything that belongs to a user, and returns the number of items that this call found.
    ///
    /// It deletes the posts and replies, the reactions, the conversations with all messages of both members, the
    /// notifications, the handle claim and the profile. The stream consumer then deletes the side effects: index entries,
    /// replies to the posts, and notifications of others. Idempotency items expire within 24 hours. Lists come from the
    /// index, which is eventually consistent: repeat the call until it returns 0.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write. The next call continues.
    pub async fn delete_user(&self, sub: &str, now: Timestamp) -> Result<usize, StoreError> {
        // The profile is deleted last, so that a failed call can be repeated with the user's public id.
        let profile = self.profile(sub).await?;
        let mut deleted = self.delete_conversations(sub, profile.as_ref()).await?;
        for reaction in [Reaction::Like, Reaction::Repost] {
            deleted += self.delete_reactions(reaction, sub, profile.as_ref(), now).await?;
        }
        if let Some(profile) = &profile {
            let user = profile.author.user_uuid;
            for list in [keys::posts_of(user), keys::replies_of(user)] {
                deleted += self.delete_posts(sub, &list, now).await?;
            }
        }
        deleted += self.delete_partition(&keys::notifications(sub)).await?;
        if let Some(profile) = &profile {
            deleted += self.delete_claim(profile).await?;
        }
        Ok(deleted + self.delete_partition(&keys::profile(sub).pk).await?)
    }

    async fn delete_conversations(&self, sub: &str, profile: Option<&Profile>) -> Result<usize, StoreError> {
        let mut deleted = 0;
        for item in self.every_item(None, &keys::profile(sub).pk).await? {
            let Some(conversation) = items::read_key(&item).and_then(|key| keys::parse_membership_sk(&key.sk)) else {
                continue;
            };
            let membership = ItemReader { item: &item, entity: MEMBERSHIP };
            let other = membership.text(OTHER_SUB)?;
            deleted += self.delete_partition(&keys::messages(conversation)).await?;
            let about = conversation.to_string();
            let notifications = self.every_item(None, &keys::notifications(other)).await?;
            let about = |item: &Item| item.get(CONVERSATION).and_then(|value| value.as_s().ok()) == Some(&about);
            deleted += self.delete_all(notifications.into_iter().filter(about).collect()).await?;
            let mut left = vec![keys::membership(other, conversation), keys::membership(sub, conversation)];
            if let Some(profile) = profile {
                let other = membership.with(items::USER_UUID, |text| text.parse().ok())?;
                left.push(keys::pair(profile.author.user_uuid, other));
            }
            deleted += self.delete_all(left.into_iter().map(items::key_item).collect()).await?;
        }
        Ok(deleted)
    }

    /// Removes the reactions and decrements the counters of live posts.
    async fn delete_reactions(
        &self,
        reaction: Reaction,
        sub: &str,
        profile: Option<&Profile>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let partition = match reaction {
            Reaction::Like => keys::likes(sub),
            Reaction::Repost => keys::reposts(sub),
        };
        let reactions = self.every_item(None, &partition).await?;
        if let Some(user) = profile {
            for post in reactions.iter().filter_map(items::read_key).filter_map(|key| keys::parse_time_sk(&key.sk)) {
                let Some(stored) = self.post(post, now).await? else { continue };
                match self.remove_reaction(reaction, user, &stored, now).await {
                    Err(error) if error.is_conflict_on(stored.entity()) => {}
                    removed => drop(removed?),
                }
            }
        }
        // Those of deleted and expired posts.
        self.delete_all(reactions).await
    }

    async fn delete_posts(&self, sub: &str, list: &str, now: Timestamp) -> Result<usize, StoreError> {
        let posts = self.every_item(Some(LISTS), list).await?;
        let mut expired = Vec::new();
        for item in &posts {
            let Some(key) = items::read_key(item) else { continue };
            let id = keys::parse_reply_sk(&key.sk).or_else(|| keys::parse_time_sk(&key.sk));
            let live = match id {
                Some(id) => self.post(id, now).await?,
                None => None,
            };
            let Some(stored) = live.filter(|stored| stored.is_by(sub)) else {
                expired.push(key);
                continue;
            };
            match self.delete_post(sub, &stored).await {
                // Deleted in the meantime.
                Err(error) if error.is_conflict_on(post_entity(stored.post.parent)) => {}
                deleted => deleted?,
            }
        }
        // Their side effects expire too. The index may still list a post that is already deleted.
        let found = posts.len();
        self.delete_expired(sub, expired).await?;
        Ok(found)
    }

    async fn delete_expired(&self, sub: &str, keys: Vec<Key>) -> Result<(), StoreError> {
        let mut of_user = Vec::new();
        for key in keys {
            let author = self.item(key.clone()).await?;
            let author = author.as_ref().and_then(|item| item.get(AUTHOR_SUB)).and_then(|value| value.as_s().ok());
            if author.is_some_and(|author| author == sub) {
                let locator = keys::parse_reply_sk(&key.sk).map(keys::reply_locator);
                of_user.extend(locator.into_iter().chain([key]).map(items::key_item));
            }
        }
        self.delete_all(of_user).await.map(drop)
    }

    async fn delete_partition(&self, pk: &str) -> Result<usize, StoreError> {
        let found = self.every_item(None, pk).await?;
        self.delete_all(found).await
    }

    /// Deletes the handle claim. After an earlier call that failed, the claim may belong to another user.
    async fn delete_claim(&self, profile: &Profile) -> Result<usize, StoreError> {
        let deletion = self.transaction().delete(HANDLE, |delete| {
            delete
                .set_key(Some(items::key_item(keys::handle(&profile.author.handle))))
                .condition_expression("#sub = :sub")
                .expression_attribute_names("#sub", SUB)
                .expression_attribute_values(":sub", string(&profile.sub))
        })?;
        match self.commit(&deletion).await {
            Ok(()) => Ok(1),
            Err(error) if error.is_conflict_on(HANDLE) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn delete_all(&self, found: Vec<Item>) -> Result<usize, StoreError> {
        let keys: Vec<_> = found.iter().filter_map(items::read_key).map(items::key_item).collect();
        let count = keys.len();
        self.write_all(keys.into_iter().map(delete_request).collect::<Result<_, _>>()?).await?;
        Ok(count)
    }

    /// Returns the keys of every item of a partition of the table or of an index, without a limit.
    async fn every_item(&self, index: Option<&str>, partition: &str) -> Result<Vec<Item>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .set_index_name(index.map(str::to_owned))
            .key_condition_expression("#pk = :pk")
            .projection_expression(if index.is_some() { "pk, sk" } else { PROJECTED })
            .expression_attribute_names("#pk", if index.is_some() { LIST } else { PK })
            .expression_attribute_values(":pk", string(partition))
            .consistent_read(index.is_none())
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        let query = match index {
            Some(_) => query,
            None => query
                .expression_attribute_names("#other", OTHER_SUB)
                .expression_attribute_names("#uuid", items::USER_UUID)
                .expression_attribute_names("#group", CONVERSATION)
                .expression_attribute_names("#author", AUTHOR_SUB),
        };
        let (mut found, mut start) = (Vec::new(), None);
        loop {
            let page = query.clone().set_exclusive_start_key(start).send().await?;
            found.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}
