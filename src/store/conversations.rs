use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use uuid::Uuid;

use super::conversation_items::{self, of_membership, of_message, of_pair};
use super::idempotency::{Made, Once, Written};
use super::items::string;
use super::keys::{self, AFTER_ALL_ACTIVITIES, LISTS, MEMBERSHIP, MESSAGE, PAIR};
use super::transaction::Transaction;
use super::{Store, StoreError, pages};
use crate::domain::{Conversation, DirectMessage, Id, Profile, User};

/// A part of a user's list of conversations.
#[derive(Clone, Debug)]
pub struct InboxPage {
    /// Conversations, that with the newest message first.
    pub conversations: Vec<Conversation>,
    /// Where the next page begins: before this message. `None` when there is no more.
    pub next: Option<Id>,
}

impl Store {
    /// The conversation of two users, if they have one; a strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn conversation_of(&self, one: Uuid, other: Uuid) -> Result<Option<Id>, StoreError> {
        let found = self.item(keys::pair(one, other)).await?;
        found.as_ref().map(conversation_items::to_pair).transpose()
    }

    /// The other user of a conversation, if `sub` is the one; a strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn partner(&self, sub: &str, group: Id) -> Result<Option<User>, StoreError> {
        let found = self.item(keys::membership(sub, group)).await?;
        found.as_ref().map(conversation_items::to_other).transpose()
    }

    /// Begins the one conversation of two users with its first message, all or nothing, under the key at most once.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`keys::PAIR`] when they have one already, [`StoreError::KeyReused`]; and those of
    /// every write.
    pub async fn open_conversation(
        &self,
        opener: &Profile,
        other: &Profile,
        first: &DirectMessage,
        once: Option<&Once>,
    ) -> Result<Written, StoreError> {
        let made = made(opener, first);
        let writes = |transaction: Transaction| {
            let transaction = transaction
                .put_new(PAIR, of_pair(first.group, opener, other))?
                .put_new(MEMBERSHIP, of_membership(opener, other, first))?
                .put_new(MEMBERSHIP, of_membership(other, opener, first))?;
            Ok(transaction.put_new(MESSAGE, of_message(first, &opener.sub, &other.sub))?)
        };
        self.commit_once(once, made, writes).await
    }

    /// The `limit` conversations of a user with the newest messages, of those whose last message is older than
    /// `before` if it is given; eventually consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn conversations(&self, sub: &str, limit: u16, before: Option<Id>) -> Result<InboxPage, StoreError> {
        let upper = before.map_or_else(|| AFTER_ALL_ACTIVITIES.to_owned(), keys::activity_sk);
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(LISTS)
            .key_condition_expression("#list = :list AND list_sk < :before")
            .expression_attribute_names("#list", keys::LIST)
            .expression_attribute_values(":list", string(keys::inbox(sub)))
            .expression_attribute_values(":before", string(upper))
            .scan_index_forward(false)
            // One more than is shown tells whether there is more.
            .limit(i32::from(limit) + 1)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let mut conversations =
            found.items().iter().map(conversation_items::to_conversation).collect::<Result<Vec<_>, _>>()?;
        let next = pages::cut(&mut conversations, limit, |conversation| conversation.last);
        Ok(InboxPage { conversations, next })
    }
}

pub(super) fn made(sender: &Profile, message: &DirectMessage) -> Made {
    let author = sender.author.clone();
    Made { id: message.id, author, expires_at: None, message_group_uuid: Some(message.group.uuid()) }
}
