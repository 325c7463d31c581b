use futures_util::future::try_join_all;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::conversation_items::OTHER_SUB;
use super::items::{self, DISPLAY_NAME, Item, NAMED_AT, number, string};
use super::keys::{self, Key, LIST, LISTS, MEMBERSHIP, MEMBERSHIP_PREFIX};
use super::removal::of_subject;
use super::writes::WRITES;
use super::{Store, StoreError};
use crate::domain::{Id, Profile, Subject};

/// Items that are read and rewritten at once.
const PAGE: i32 = 100;

/// Which of a user's posts and replies are written.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// Those that show another name, as far as the index knows.
    OfAnotherName,
    /// All.
    All,
}

impl Store {
    /// Writes a user's present name into all that carries it: posts, replies, and the conversations of others.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write.
    pub async fn rewrite_names(&self, sub: &str) -> Result<(), StoreError> {
        // The profile as it is now: a record that comes late must not bring an old name back.
        let Some(mut profile) = self.profile(sub).await? else { return Ok(()) };
        let mut whose = Which::OfAnotherName;
        loop {
            let user_uuid = profile.author.user_uuid;
            for list in [keys::posts_of(user_uuid), keys::replies_of(user_uuid)] {
                self.rewrite_list(&profile, list, whose).await?;
            }
            self.rewrite_memberships(&profile).await?;
            // Another change may have been followed while we wrote, and have found its name where ours stands now.
            let now = self.profile(sub).await?;
            match now.filter(|now| now.named_at != profile.named_at) {
                Some(now) => (profile, whose) = (now, Which::All),
                None => return Ok(()),
            }
        }
    }

    /// Writes the author's present name into a post or reply that was made while the name changed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write.
    pub async fn rewrite_name(&self, subject: Subject, shown: &str, author_sub: &str) -> Result<(), StoreError> {
        match of_subject(subject) {
            Some(key) => self.rewrite_name_at(key, shown, author_sub).await,
            None => Ok(()),
        }
    }

    /// Writes both users' present names into a conversation that was begun while they changed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read and write.
    pub async fn rewrite_names_of_conversation(&self, group: Id, one: &str, other: &str) -> Result<(), StoreError> {
        let rewrite = async |owner, shown| {
            let key = keys::membership(owner, group);
            let Some(membership) = self.item(key.clone()).await? else { return Ok(()) };
            let name = items::Reader { item: &membership, entity: MEMBERSHIP }.text(DISPLAY_NAME)?;
            self.rewrite_name_at(key, name, shown).await
        };
        tokio::try_join!(rewrite(one, other), rewrite(other, one))?;
        Ok(())
    }

    /// An item shows the name `shown` of the user `sub`. Until it is the present one when looked at after it was
    /// written: between a look and a write the name may change again, and what follows from that be done already.
    async fn rewrite_name_at(&self, key: Key, shown: &str, sub: &str) -> Result<(), StoreError> {
        let mut shown = shown.to_owned();
        while let Some(profile) = self.profile(sub).await?.filter(|profile| profile.author.display_name != shown) {
            self.rename(&profile, key.clone()).await?;
            shown = profile.author.display_name;
        }
        Ok(())
    }

    async fn rewrite_list(&self, profile: &Profile, list: String, which: Which) -> Result<(), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(LISTS)
            .key_condition_expression("#list = :list")
            .expression_attribute_names("#list", LIST)
            .expression_attribute_values(":list", string(&list));
        let query = match which {
            Which::OfAnotherName => query
                .filter_expression("#name <> :name")
                .expression_attribute_names("#name", DISPLAY_NAME)
                .expression_attribute_values(":name", string(&profile.author.display_name)),
            // The index may be behind the items: what it shows says nothing of what was written just now.
            Which::All => query,
        };
        self.rename_each(profile, query, |item| Ok(items::to_key(item))).await
    }

    async fn rewrite_memberships(&self, profile: &Profile) -> Result<(), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", string(keys::profile(&profile.sub).pk))
            .expression_attribute_values(":prefix", string(MEMBERSHIP_PREFIX))
            // One that was begun just now has asked for the name before it was changed.
            .consistent_read(true);
        self.rename_each(profile, query, |membership| of_other(membership).map(Some)).await
    }

    /// Writes the name into the item of which `key` tells the key, for each item that `query` finds.
    async fn rename_each(
        &self,
        profile: &Profile,
        query: QueryFluentBuilder,
        key: impl Fn(&Item) -> Result<Option<Key>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut start = None;
        loop {
            let query = query.clone().limit(PAGE).set_exclusive_start_key(start);
            let found = query.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await?;
            let keys = found.items().iter().filter_map(|item| key(item).transpose()).collect::<Result<_, _>>()?;
            self.rename_all(profile, keys).await?;
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
    let read = items::Reader { item: membership, entity: MEMBERSHIP };
    let group = read.with(keys::SK, keys::parse_membership_sk)?;
    Ok(keys::membership(read.text(OTHER_SUB)?, group))
}
