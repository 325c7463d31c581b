//! Conversations and direct messages as items.

use super::StoreError;
use super::items::{self, Item, MESSAGE, NAMED_AT, Reader, SUB, USER_UUID, named, number, string};
use super::keys::{self, LIST, LIST_SK, MEMBERSHIP, PAIR, PK, SK};
use crate::domain::{Author, Conversation, DirectMessage, Id, Message, Profile, User};

/// The conversation of a pair.
pub(super) const GROUP: &str = "message_group_uuid";
/// The identity of the other user, for ourselves: it is never shown.
pub(super) const OTHER_SUB: &str = "other_sub";
/// Who wrote a message and who is to read it, for ourselves.
pub(super) const SENDER_SUB: &str = "sender_sub";
pub(super) const RECEIVER_SUB: &str = "receiver_sub";

/// The conversation that `opener` begins with `other`.
pub(super) fn of_pair(group: Id, opener: &Profile, other: &Profile) -> Item {
    let mut item = items::of_key(keys::pair(opener.author.user_uuid, other.author.user_uuid));
    item.extend(items::author_attributes(&opener.author));
    item.extend(named([
        (GROUP, string(group.to_string())),
        (SUB, string(&opener.sub)),
        (RECEIVER_SUB, string(&other.sub)),
    ]));
    item.extend(items::trace_context());
    item
}

/// The conversation as `owner` has it, which begins with that message.
pub(super) fn of_membership(owner: &Profile, other: &Profile, first: &DirectMessage) -> Item {
    let mut item = items::of_key(keys::membership(&owner.sub, first.group));
    item.extend(items::author_attributes(&other.author));
    item.extend(named([
        (OTHER_SUB, string(&other.sub)),
        (NAMED_AT, number(other.named_at.as_millisecond())),
        (MESSAGE, string(first.message.as_str())),
        (LIST, string(keys::inbox(&owner.sub))),
        (LIST_SK, string(keys::activity_sk(first.id))),
    ]));
    item.extend(items::trace_context());
    item
}

pub(super) fn of_message(message: &DirectMessage, sender_sub: &str, receiver_sub: &str) -> Item {
    let mut item = items::of_key(keys::message(message.group, message.id));
    item.extend(named([
        (USER_UUID, string(message.sender)),
        (SENDER_SUB, string(sender_sub)),
        (RECEIVER_SUB, string(receiver_sub)),
        (MESSAGE, string(message.message.as_str())),
    ]));
    item.extend(items::trace_context());
    item
}

pub(super) fn to_pair(item: &Item) -> Result<Id, StoreError> {
    Reader { item, entity: PAIR }.with(GROUP, Id::parse)
}

/// The other user, from the conversation's own item.
pub(super) fn to_other(item: &Item) -> Result<User, StoreError> {
    let read = Reader { item, entity: MEMBERSHIP };
    Ok(User { sub: read.text(OTHER_SUB)?.to_owned(), author: read.author()? })
}

/// A row of the list of conversations, as the index has it.
pub(super) fn to_conversation(item: &Item) -> Result<Conversation, StoreError> {
    let read = Reader { item, entity: MEMBERSHIP };
    let other: Author = read.author()?;
    let group = read.with(SK, keys::parse_membership_sk)?;
    let last = read.with(LIST_SK, keys::parse_activity_sk)?;
    Ok(Conversation { group, other, message: Message::accepted(read.text(MESSAGE)?.to_owned()), last })
}

pub(super) fn to_message(item: &Item) -> Result<DirectMessage, StoreError> {
    let read = Reader { item, entity: keys::MESSAGE };
    Ok(DirectMessage {
        id: read.with(SK, keys::parse_message_sk)?,
        group: read.with(PK, keys::parse_messages)?,
        sender: read.with(USER_UUID, |text| text.parse().ok())?,
        message: Message::accepted(read.text(MESSAGE)?.to_owned()),
    })
}
