use futures_util::future::try_join_all;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::batch::MAX_WRITES;
use super::conversation_items::OTHER_SUB;
use super::items::{self, DISPLAY_NAME, Item, ItemReader, NAMED_AT, number, string};
use super::keys::{self, Key, LIST, LISTS, MEMBERSHIP, MEMBERSHIP_PREFIX, SK};
use super::{Store, StoreError};
use crate::domain::{Id, Post, Profile};

/// The `Limit` of each `Query`.
const PAGE: i32 = 100;

/// The posts of a user that are updated.
#[derive(Clone, Copy, Debug)]
enum PostSelection {
    /// Posts whose name in the index differs from the present one.
    Outdated,
    /// All posts.
    All,
}

impl Store {
    /// Copies a user's present display name into the user's posts and into the inboxes of others.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write.
    pub async fn propagate_display_name(&self, sub: &str) -> Result<(), StoreError> {
        // Read the present profile, so that a late record does not restore an old name.
        let Some(mut profile) = self.profile(sub).await? else { return Ok(()) };
        let mut selection = PostSelection::Outdated;
        loop {
            let user_uuid = profile.author.user_uuid;
            for list in [keys::posts_of(user_uuid), keys::replies_of(user_uuid)] {
                self.update_posts(&profile, list, selection).await?;
            }
            self.update_inboxes(&profile).await?;
            // The consumer of a concurrent change skips posts that have its name in the index, which may not contain
            // the updates of this call yet. Repeat for all posts.
            let now = self.profile(sub).await?;
            match now.filter(|now| now.named_at != profile.named_at) {
                Some(now) => (profile, selection) = (now, PostSelection::All),
                None => return Ok(()),
            }
        }
    }

    /// Corrects the author's display name in a post that was created while the name changed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write.
    pub async fn correct_author_name(&self, post: &Post, author_sub: &str) -> Result<(), StoreError> {
        let key = self.schedule.post(post.id, post.parent);
        self.correct_name(key, &post.author.display_name, author_sub).await
    }

    /// Corrects the members' display names in a conversation that was opened while a name changed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write.
    pub async fn correct_member_names(&self, conversation: Id, one: &str, other: &str) -> Result<(), StoreError> {
        let correct = async |owner, named| {
            let key = keys::membership(owner, conversation);
            let Some(membership) = self.item(key.clone()).await? else { return Ok(()) };
            let name = ItemReader { item: &membership, entity: MEMBERSHIP }.text(DISPLAY_NAME)?;
            self.correct_name(key, name, named).await
        };
        tokio::try_join!(correct(one, other), correct(other, one))?;
        Ok(())
    }

    /// Updates the name of the user `sub` in an item until it equals the name in the profile after the update. Between
    /// a read of the profile and the update the name may change again, and its propagation may have finished.
    async fn correct_name(&self, key: Key, written: &str, sub: &str) -> Result<(), StoreError> {
        let mut written = written.to_owned();
        while let Some(profile) = self.profile(sub).await?.filter(|profile| profile.author.display_name != written) {
            self.update_name(&profile, key.clone()).await?;
            written = profile.author.display_name;
        }
        Ok(())
    }

    async fn update_posts(&self, profile: &Profile, list: String, selection: PostSelection) -> Result<(), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(LISTS)
            .key_condition_expression("#list = :list")
            .expression_attribute_names("#list", LIST)
            .expression_attribute_values(":list", string(list));
        let query = match selection {
            PostSelection::Outdated => query
                .filter_expression("#name <> :name")
                .expression_attribute_names("#name", DISPLAY_NAME)
                .expression_attribute_values(":name", string(&profile.author.display_name)),
            // The index is eventually consistent and may not contain the latest updates yet.
            PostSelection::All => query,
        };
        self.update_each(profile, query, |item| Ok(items::read_key(item))).await
    }

    async fn update_inboxes(&self, profile: &Profile) -> Result<(), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", string(keys::profile(&profile.sub).pk))
            .expression_attribute_values(":prefix", string(MEMBERSHIP_PREFIX))
            // A conversation that was opened just now may contain the old name.
            .consistent_read(true);
        self.update_each(profile, query, |membership| opposite(membership).map(Some)).await
    }

    /// Updates the item at `key(item)` for each item that `query` returns.
    async fn update_each(
        &self,
        profile: &Profile,
        query: QueryFluentBuilder,
        key: impl Fn(&Item) -> Result<Option<Key>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut start = None;
        loop {
            let query = query.clone().limit(PAGE).set_exclusive_start_key(start);
            let found = query.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await?;
            let keys: Vec<Key> =
                found.items().iter().filter_map(|item| key(item).transpose()).collect::<Result<_, _>>()?;
            for batch in keys.chunks(MAX_WRITES) {
                try_join_all(batch.iter().map(|key| self.update_name(profile, key.clone()))).await?;
            }
            start = found.last_evaluated_key;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    async fn update_name(&self, profile: &Profile, key: Key) -> Result<(), StoreError> {
        let _write = self.writes.begin();
        let update = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(items::key_item(key)))
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

/// Returns the key of the other member's membership, which contains this user's name.
fn opposite(membership: &Item) -> Result<Key, StoreError> {
    let read = ItemReader { item: membership, entity: MEMBERSHIP };
    let conversation = read.with(SK, keys::parse_membership_sk)?;
    Ok(keys::membership(read.text(OTHER_SUB)?, conversation))
}
