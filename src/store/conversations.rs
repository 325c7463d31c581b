use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use uuid::Uuid;

use super::conversation_items::{self, membership_item, message_item, pair_item};
use super::idempotency::{IdempotencyKey, WriteOutcome, WriteRecord};
use super::items::{self, string};
use super::keys::{self, LIST, LIST_SK, LISTS, MEMBERSHIP, MESSAGE, PAIR};
use super::pages::Page;
use super::records::MessageImage;
use super::{Store, StoreError};
use crate::domain::{Conversation, DirectMessage, Id, Profile, User};

/// A text that sorts after the sort keys of all messages.
const AFTER_ALL_MESSAGES: &str = "MESSAGE$";

impl Store {
    /// Returns the conversation of two users, if it exists. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn conversation_between(&self, one: Uuid, other: Uuid) -> Result<Option<Id>, StoreError> {
        let found = self.item(keys::pair(one, other)).await?;
        found.as_ref().map(conversation_items::read_pair).transpose()
    }

    /// Returns the other member of a conversation. `None` if `sub` is not a member. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn other_member(&self, sub: &str, conversation: Id) -> Result<Option<User>, StoreError> {
        let found = self.item(keys::membership(sub, conversation)).await?;
        found.as_ref().map(conversation_items::read_other).transpose()
    }

    /// Returns the `limit` conversations of a user with the latest messages, among those whose latest message is older
    /// than `before`. Eventually consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn conversations(
        &self,
        sub: &str,
        limit: u16,
        before: Option<Id>,
    ) -> Result<Page<Conversation>, StoreError> {
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .index_name(LISTS)
            .key_condition_expression("#list = :list AND list_sk < :before")
            .expression_attribute_names("#list", LIST)
            .expression_attribute_values(":list", string(keys::inbox(sub)))
            .expression_attribute_values(":before", string(keys::before_sk(before)))
            .scan_index_forward(false)
            // The additional row shows whether there is a next page.
            .limit(i32::from(limit) + 1)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let conversations = found.items().iter().map(conversation_items::read_conversation);
        let conversations = conversations.collect::<Result<_, _>>()?;
        Ok(Page::cut(conversations, limit, |conversation: &Conversation| conversation.last))
    }

    /// Returns the newest `limit` messages of a conversation that are older than `before`, oldest first. The next page
    /// has older messages. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Rejected`.
    pub async fn messages(
        &self,
        conversation: Id,
        limit: u16,
        before: Option<Id>,
    ) -> Result<Page<DirectMessage>, StoreError> {
        let upper = before.map_or_else(|| AFTER_ALL_MESSAGES.to_owned(), keys::message_sk);
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk < :before")
            .expression_attribute_values(":pk", string(keys::messages(conversation)))
            .expression_attribute_values(":before", string(upper))
            .scan_index_forward(false)
            .consistent_read(true)
            // The additional row shows whether there is a next page.
            .limit(i32::from(limit) + 1)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let messages = found.items().iter().map(conversation_items::read_message).collect::<Result<_, _>>()?;
        let mut page = Page::cut(messages, limit, |message: &DirectMessage| message.id);
        page.rows.reverse();
        Ok(page)
    }

    /// Opens the conversation of two users with its first message in one transaction, at most once per idempotency key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] on [`PAIR`] if the conversation exists, [`StoreError::KeyReused`], and those of every
    /// write.
    pub async fn open_conversation(
        &self,
        opener: &Profile,
        other: &Profile,
        first: &DirectMessage,
        key: Option<&IdempotencyKey>,
    ) -> Result<WriteOutcome, StoreError> {
        self.commit_idempotent(key, write_record(opener, first), |transaction| {
            let transaction = transaction
                .put_new(PAIR, pair_item(first.conversation, opener, other))?
                .put_new(MEMBERSHIP, membership_item(opener, other, first))?
                .put_new(MEMBERSHIP, membership_item(other, opener, first))?
                .put_new(MESSAGE, message_item(first, &opener.sub, &other.sub))?;
            Ok(transaction)
        })
        .await
    }

    /// Adds a message to an existing conversation, at most once per idempotency key.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`], and those of every write.
    pub async fn append_message(
        &self,
        message: &DirectMessage,
        sender: &Profile,
        receiver_sub: &str,
        key: Option<&IdempotencyKey>,
    ) -> Result<WriteOutcome, StoreError> {
        let item = message_item(message, &sender.sub, receiver_sub);
        let record = write_record(sender, message);
        if key.is_some() {
            return self.commit_idempotent(key, record, |transaction| Ok(transaction.put_new(MESSAGE, item)?)).await;
        }
        // A transaction costs twice as much as a single write. The id is new, so an existing item is the same message.
        self.client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        Ok(WriteOutcome::first(record))
    }

    /// Updates the latest message of a conversation in both inboxes, unless they already contain a newer one.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn update_latest_message(&self, sent: &MessageImage) -> Result<(), StoreError> {
        let inbox = |sub| self.update_inbox(sub, &sent.message);
        tokio::try_join!(inbox(&sent.sender_sub), inbox(&sent.receiver_sub))?;
        Ok(())
    }

    async fn update_inbox(&self, sub: &str, latest: &DirectMessage) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(items::key_item(keys::membership(sub, latest.conversation))))
            .update_expression("SET #message = :message, #position = :position")
            // Positions are unique, so that records in any order have the same result. A repeated record must not fail
            // the condition, because the failure would be an error in the trace.
            .condition_expression("attribute_exists(pk) AND #position <= :position")
            .expression_attribute_names("#message", items::MESSAGE)
            .expression_attribute_names("#position", LIST_SK)
            .expression_attribute_values(":message", string(latest.message.as_str()))
            .expression_attribute_values(":position", string(keys::time_sk(latest.id)))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        StoreError::unless_unchanged(update)
    }
}

fn write_record(sender: &Profile, message: &DirectMessage) -> WriteRecord {
    let message_group_uuid = Some(message.conversation);
    WriteRecord { id: message.id, author: sender.author.clone(), expires_at: None, message_group_uuid }
}
