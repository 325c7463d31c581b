use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::changes::Sent;
use super::conversation_items::{of_message, to_message};
use super::conversations::made;
use super::idempotency::{Once, Written};
use super::items::{self, string};
use super::keys::{self, LIST_SK, MESSAGE};
use super::{Store, StoreError, pages};
use crate::domain::{DirectMessage, Id, Profile};

/// Greater than every sort key of a message.
const AFTER_ALL: &str = "MESSAGE$";

/// A part of a conversation.
#[derive(Clone, Debug)]
pub struct MessagePage {
    /// Messages, the oldest first.
    pub messages: Vec<DirectMessage>,
    /// Where the page of older ones ends: before this message. `None` when there is no older one.
    pub next: Option<Id>,
}

impl Store {
    /// The newest `limit` messages of a conversation, of those that are older than `before` if it is given; a strongly
    /// consistent read.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and those of every read: `Throttled`, `Unavailable`, `Refused`.
    pub async fn messages(&self, group: Id, limit: u16, before: Option<Id>) -> Result<MessagePage, StoreError> {
        let upper = before.map_or_else(|| AFTER_ALL.to_owned(), keys::message_sk);
        let found = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("pk = :pk AND sk < :before")
            .expression_attribute_values(":pk", string(keys::messages(group)))
            .expression_attribute_values(":before", string(upper))
            .scan_index_forward(false)
            .consistent_read(true)
            // One more than is shown tells whether there is more.
            .limit(i32::from(limit) + 1)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        let mut messages = found.items().iter().map(to_message).collect::<Result<Vec<_>, _>>()?;
        let next = pages::cut(&mut messages, limit, |message| message.id);
        messages.reverse();
        Ok(MessagePage { messages, next })
    }

    /// Adds a message of `sender` to a conversation that is there, under the key at most once.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`], and those of every write.
    pub async fn append_message(
        &self,
        message: &DirectMessage,
        sender: &Profile,
        receiver_sub: &str,
        once: Option<&Once>,
    ) -> Result<Written, StoreError> {
        let item = of_message(message, &sender.sub, receiver_sub);
        let made = made(sender, message);
        if once.is_some() {
            return self.commit_once(once, made, |transaction| Ok(transaction.put_new(MESSAGE, item)?)).await;
        }
        // One item needs no transaction, which costs twice as much. The id is new: what stands under it is this.
        self.client
            .put_item()
            .table_name(&*self.table)
            .set_item(Some(item))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await?;
        Ok(Written::now(made))
    }

    /// Shows a message as the last one of its conversation in both users' lists, unless a newer one is shown.
    ///
    /// # Errors
    /// Those of every write.
    pub async fn summarise(&self, sent: &Sent) -> Result<(), StoreError> {
        let to = |sub| self.show_last(sub, &sent.message);
        tokio::try_join!(to(&sent.sender_sub), to(&sent.receiver_sub))?;
        Ok(())
    }

    async fn show_last(&self, sub: &str, last: &DirectMessage) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(items::of_key(keys::membership(sub, last.group))))
            .update_expression("SET #message = :message, #position = :position")
            // The position is time and id of the last message: of two at one time the same one stays, in any order. The
            // message itself again is no failure, which would be one in the trace.
            .condition_expression("attribute_exists(pk) AND #position <= :position")
            .expression_attribute_names("#message", items::MESSAGE)
            .expression_attribute_names("#position", LIST_SK)
            .expression_attribute_values(":message", string(last.message.as_str()))
            .expression_attribute_values(":position", string(keys::activity_sk(last.id)))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        StoreError::unless_unchanged(update)
    }
}
