//! The items of conversations and direct messages.

use super::StoreError;
use super::items::{self, Item, ItemReader, MESSAGE, NAMED_AT, SUB, USER_UUID, named, number, string};
use super::keys::{self, LIST, LIST_SK, MEMBERSHIP, PAIR, PK, SK};
use crate::domain::{Conversation, DirectMessage, Id, Profile, User};

pub(super) const CONVERSATION: &str = "message_group_uuid";
/// The identity of the other member. Private.
pub(super) const OTHER_SUB: &str = "other_sub";
/// The identity of a message's sender. Private.
pub(super) const SENDER_SUB: &str = "sender_sub";
/// The identity of a message's recipient. Private.
pub(super) const RECEIVER_SUB: &str = "receiver_sub";

pub(super) fn pair_item(conversation: Id, opener: &Profile, other: &Profile) -> Item {
    let mut item = items::key_item(keys::pair(opener.author.user_uuid, other.author.user_uuid));
    item.extend(items::author_attributes(&opener.author));
    item.extend(named([
        (CONVERSATION, string(conversation.to_string())),
        (SUB, string(&opener.sub)),
        (RECEIVER_SUB, string(&other.sub)),
    ]));
    item.extend(items::trace_context());
    item
}

/// Returns the item of a conversation in the inbox of `owner`.
pub(super) fn membership_item(owner: &Profile, other: &Profile, first: &DirectMessage) -> Item {
    let mut item = items::key_item(keys::membership(&owner.sub, first.conversation));
    item.extend(items::author_attributes(&other.author));
    item.extend(named([
        (OTHER_SUB, string(&other.sub)),
        (NAMED_AT, number(other.named_at.as_millisecond())),
        (MESSAGE, string(first.message.as_str())),
        (LIST, string(keys::inbox(&owner.sub))),
        (LIST_SK, string(keys::time_sk(first.id))),
    ]));
    item.extend(items::trace_context());
    item
}

pub(super) fn message_item(message: &DirectMessage, sender_sub: &str, receiver_sub: &str) -> Item {
    let mut item = items::key_item(keys::message(message.conversation, message.id));
    item.extend(named([
        (USER_UUID, string(message.sender)),
        (SENDER_SUB, string(sender_sub)),
        (RECEIVER_SUB, string(receiver_sub)),
        (MESSAGE, string(message.message.as_str())),
    ]));
    item.extend(items::trace_context());
    item
}

pub(super) fn read_pair(item: &Item) -> Result<Id, StoreError> {
    ItemReader { item, entity: PAIR }.with(CONVERSATION, Id::parse)
}

/// Reads the other member from a membership.
pub(super) fn read_other(item: &Item) -> Result<User, StoreError> {
    let read = ItemReader { item, entity: MEMBERSHIP };
    Ok(User { sub: read.text(OTHER_SUB)?.to_owned(), author: read.author()? })
}

/// Reads a conversation from a membership as projected into the index.
pub(super) fn read_conversation(item: &Item) -> Result<Conversation, StoreError> {
    let read = ItemReader { item, entity: MEMBERSHIP };
    Ok(Conversation {
        id: read.with(SK, keys::parse_membership_sk)?,
        other: read.author()?,
        message: read.message()?,
        last: read.with(LIST_SK, keys::parse_time_sk)?,
    })
}

pub(super) fn read_message(item: &Item) -> Result<DirectMessage, StoreError> {
    let read = ItemReader { item, entity: keys::MESSAGE };
    Ok(DirectMessage {
        id: read.with(SK, keys::parse_message_sk)?,
        conversation: read.with(PK, keys::parse_messages)?,
        sender: read.with(USER_UUID, |text| text.parse().ok())?,
        message: read.message()?,
    })
}
