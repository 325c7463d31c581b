//! All keys of the table. A test compares them with `docs/data-model.md`.

use std::fmt::Display;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::{Handle, Id};

/// The attribute of the partition key.
pub const PK: &str = "pk";
/// The attribute of the sort key.
pub const SK: &str = "sk";
/// The attribute of DynamoDB's TTL, in epoch seconds.
pub const TTL: &str = "expires_at";

/// The global secondary index. It contains the items that have both of its key attributes.
pub const LISTS: &str = "lists";
/// The attribute of the index's partition key: the list.
pub const LIST: &str = "list";
/// The attribute of the index's sort key: the position in the list.
pub const LIST_SK: &str = "list_sk";
/// The projected attributes besides keys. Counters are not projected, so that a like does not write to the index.
pub const LISTED: [&str; 8] = [
    "display_name",
    "expires_at_ms",
    "handle",
    "likes_count",
    "message",
    "replies_count",
    "reposts_count",
    "user_uuid",
];

/// A kind of item with the patterns of its keys. Patterns may be logged, keys may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity {
    /// The name in `docs/data-model.md` and in errors.
    pub name: &'static str,
    /// The pattern of the partition key.
    pub pk: &'static str,
    /// The pattern of the sort key.
    pub sk: &'static str,
}

/// A post without a parent.
pub const ACTIVITY: Entity = Entity { name: "activity", pk: "HOME#<bucket start>#<shard>", sk: "<created ms>#<uuid>" };
/// A reply.
pub const REPLY: Entity = Entity { name: "reply", pk: "ACTIVITY#<parent uuid>", sk: "REPLY#<created ms>#<uuid>" };
/// A user's profile.
pub const PROFILE: Entity = Entity { name: "profile", pk: "USER#<sub>", sk: "PROFILE" };
/// Reserves a handle for one user.
pub const HANDLE: Entity = Entity { name: "handle claim", pk: "HANDLE#<folded handle>", sk: "HANDLE" };
/// Maps the id of a reply to its parent, which is part of the reply's key.
pub const REPLY_LOCATOR: Entity = Entity { name: "reply locator", pk: "REPLY#<uuid>", sk: "REPLY" };
/// A like of a post by one user.
pub const LIKE: Entity = Entity { name: "like", pk: "LIKES#<sub>", sk: "<created ms>#<uuid>" };
/// A repost of a post by one user.
pub const REPOST: Entity = Entity { name: "repost", pk: "REPOSTS#<sub>", sk: "<created ms>#<uuid>" };
/// The outcome of a write with an idempotency key.
pub const IDEMPOTENCY: Entity = Entity { name: "idempotency", pk: "IDEMPOTENCY#<hash>", sk: "IDEMPOTENCY" };
/// The one conversation of two users.
pub const PAIR: Entity = Entity { name: "pair", pk: "PAIR#<smaller user uuid>#<greater user uuid>", sk: "PAIR" };
/// A conversation in the inbox of one of its members.
pub const MEMBERSHIP: Entity = Entity { name: "membership", pk: "USER#<sub>", sk: "GROUP#<group uuid>" };
/// A direct message.
pub const MESSAGE: Entity = Entity { name: "message", pk: "GROUP#<group uuid>", sk: "MESSAGE#<created ms>#<uuid>" };
/// A post in the search index under one of its words.
pub const WORD: Entity = Entity { name: "word", pk: "WORD#<word>#<bucket start>#<shard>", sk: "<created ms>#<uuid>" };
/// A notification of a user.
pub const NOTIFICATION: Entity = Entity { name: "notification", pk: "NOTIFICATIONS#<sub>", sk: "<ms>#<id>" };
/// The time up to which a user has read the notifications.
pub const NOTIFICATIONS_READ: Entity = Entity { name: "notifications read", pk: "USER#<sub>", sk: "NOTIFICATIONS" };
/// The version and the time of creation of the table's layout.
pub const LAYOUT: Entity = Entity { name: "layout", pk: "LAYOUT", sk: "LAYOUT" };
/// All kinds of items.
pub const ENTITIES: [Entity; 15] = [
    ACTIVITY,
    REPLY,
    REPLY_LOCATOR,
    LIKE,
    REPOST,
    PROFILE,
    HANDLE,
    IDEMPOTENCY,
    PAIR,
    MEMBERSHIP,
    MESSAGE,
    WORD,
    NOTIFICATION,
    NOTIFICATIONS_READ,
    LAYOUT,
];

/// The prefix of the sort keys of memberships.
pub const MEMBERSHIP_PREFIX: &str = "GROUP#";
/// The prefix of the sort keys of direct messages.
pub const MESSAGE_PREFIX: &str = "MESSAGE#";
/// The prefix of the sort keys of replies.
pub const REPLY_PREFIX: &str = "REPLY#";
/// A text that sorts after all results of [`time_sk`].
pub const AFTER_ALL: &str = "A";

/// The primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
}

/// Returns the sort key of an item with an id: sorts by time, then by id.
#[must_use]
pub fn time_sk(id: Id) -> String {
    format!("{:013}#{id}", id.created_at().as_millisecond())
}

/// Returns the id in a sort key of [`time_sk`].
#[must_use]
pub fn parse_time_sk(sk: &str) -> Option<Id> {
    let (_, uuid) = sk.split_once('#')?;
    Id::parse(uuid).filter(|id| time_sk(*id) == sk)
}

/// Returns the exclusive upper bound of the sort keys of all items that are older than `before`.
#[must_use]
pub fn before_sk(before: Option<Id>) -> String {
    before.map_or_else(|| AFTER_ALL.to_owned(), time_sk)
}

/// Returns a text that sorts after the sort keys of that millisecond, and before those of the next.
#[must_use]
pub fn after_ms(at: Timestamp) -> String {
    format!("{:013}$", at.as_millisecond())
}

/// Returns the inclusive lower bound of the sort keys of items created at or after `at`.
#[must_use]
pub fn since_sk(at: Timestamp) -> String {
    format!("{:013}", at.as_millisecond().max(0))
}

/// Returns the entity of a post with or without a parent.
#[must_use]
pub fn post_entity(parent: Option<Id>) -> Entity {
    if parent.is_some() { REPLY } else { ACTIVITY }
}

/// Returns a partition of the home feed. `start` is the first day of its bucket, in days since the epoch.
#[must_use]
pub fn home(start: i64, shard: u64) -> String {
    format!("HOME#{}#{shard}", day(start))
}

/// Returns the list of a user's posts without a parent.
#[must_use]
pub fn posts_of(user_uuid: Uuid) -> String {
    format!("AUTHOR#{user_uuid}")
}

/// Returns the list of a user's replies.
#[must_use]
pub fn replies_of(user_uuid: Uuid) -> String {
    format!("REPLIES#{user_uuid}")
}

/// Returns the partition of the replies to a post.
#[must_use]
pub fn dependents(id: Id) -> String {
    format!("ACTIVITY#{id}")
}

/// Returns the key of a reply.
#[must_use]
pub fn reply(parent: Id, id: Id) -> Key {
    Key { pk: dependents(parent), sk: format!("{REPLY_PREFIX}{}", time_sk(id)) }
}

/// Returns the id in the sort key of a reply.
#[must_use]
pub fn parse_reply_sk(sk: &str) -> Option<Id> {
    parse_time_sk(sk.strip_prefix(REPLY_PREFIX)?)
}

/// Returns the key of the locator of a reply.
#[must_use]
pub fn reply_locator(id: Id) -> Key {
    Key { pk: format!("REPLY#{id}"), sk: "REPLY".to_owned() }
}

/// Returns the partition of a user's likes.
#[must_use]
pub fn likes(sub: &str) -> String {
    format!("LIKES#{sub}")
}

/// Returns the identity in a partition key of [`likes`].
#[must_use]
pub fn parse_likes(pk: &str) -> Option<&str> {
    pk.strip_prefix("LIKES#")
}

/// Returns the key of a user's like of a post. Likes sort like their posts.
#[must_use]
pub fn like(sub: &str, post: Id) -> Key {
    Key { pk: likes(sub), sk: time_sk(post) }
}

/// Returns the partition of a user's reposts.
#[must_use]
pub fn reposts(sub: &str) -> String {
    format!("REPOSTS#{sub}")
}

/// Returns the key of a user's repost of a post.
#[must_use]
pub fn repost(sub: &str, post: Id) -> Key {
    Key { pk: reposts(sub), sk: time_sk(post) }
}

/// Returns the key of a user's profile.
#[must_use]
pub fn profile(sub: &str) -> Key {
    Key { pk: format!("USER#{sub}"), sk: "PROFILE".to_owned() }
}

/// Returns the key of the claim of a handle, which is the same for all spellings.
#[must_use]
pub fn handle(handle: &Handle) -> Key {
    Key { pk: format!("HANDLE#{}", handle.folded()), sk: "HANDLE".to_owned() }
}

/// Returns the key of the outcome of a write. `scope` is a hash of the idempotency key, the principal and the route.
#[must_use]
pub fn idempotency(scope: &str) -> Key {
    Key { pk: format!("IDEMPOTENCY#{scope}"), sk: "IDEMPOTENCY".to_owned() }
}

/// Returns the key of the conversation of two users. The order of the arguments does not matter.
#[must_use]
pub fn pair(a: Uuid, b: Uuid) -> Key {
    let (smaller, greater) = (a.min(b), a.max(b));
    Key { pk: format!("PAIR#{smaller}#{greater}"), sk: "PAIR".to_owned() }
}

/// Returns the key of a user's membership in a conversation.
#[must_use]
pub fn membership(sub: &str, conversation: Id) -> Key {
    Key { pk: format!("USER#{sub}"), sk: format!("{MEMBERSHIP_PREFIX}{conversation}") }
}

/// Returns the conversation in the sort key of a membership.
#[must_use]
pub fn parse_membership_sk(sk: &str) -> Option<Id> {
    Id::parse(sk.strip_prefix(MEMBERSHIP_PREFIX)?)
}

/// Returns the list of a user's conversations.
#[must_use]
pub fn inbox(sub: &str) -> String {
    format!("INBOX#{sub}")
}

/// Returns the key of a direct message.
#[must_use]
pub fn message(conversation: Id, id: Id) -> Key {
    Key { pk: messages(conversation), sk: message_sk(id) }
}

/// Returns the partition of the messages of a conversation.
#[must_use]
pub fn messages(conversation: Id) -> String {
    format!("GROUP#{conversation}")
}

/// Returns the conversation in a partition key of [`messages`].
#[must_use]
pub fn parse_messages(pk: &str) -> Option<Id> {
    Id::parse(pk.strip_prefix("GROUP#")?)
}

/// Returns the sort key of a direct message.
#[must_use]
pub fn message_sk(id: Id) -> String {
    format!("{MESSAGE_PREFIX}{}", time_sk(id))
}

/// Returns the id in the sort key of a direct message.
#[must_use]
pub fn parse_message_sk(sk: &str) -> Option<Id> {
    parse_time_sk(sk.strip_prefix(MESSAGE_PREFIX)?)
}

/// Returns a partition of the posts that contain a word. The results of [`word_prefix`] and [`shared_words`] are words too.
/// `start` is the first day of its bucket, in days since the epoch.
#[must_use]
pub fn posts_with_word(word: &str, start: i64, shard: u64) -> String {
    format!("WORD#{word}#{}#{shard}", day(start))
}

/// Returns the indexed form of the beginning of words: with a `*`, which no word contains.
#[must_use]
pub fn word_prefix(prefix: &str) -> String {
    format!("{prefix}*")
}

/// Returns the indexed form of one of the lists that many words share.
#[must_use]
pub fn shared_words(number: u32) -> String {
    format!("*{number}")
}

/// Returns the partition of a user's notifications.
#[must_use]
pub fn notifications(sub: &str) -> String {
    format!("NOTIFICATIONS#{sub}")
}

/// Returns the key of a notification.
#[must_use]
pub fn notification(sub: &str, id: Id) -> Key {
    Key { pk: notifications(sub), sk: time_sk(id) }
}

/// Returns the key of the time up to which a user has read the notifications.
#[must_use]
pub fn notifications_read(sub: &str) -> Key {
    Key { pk: format!("USER#{sub}"), sk: "NOTIFICATIONS".to_owned() }
}

/// Returns the key of the table's layout.
#[must_use]
pub fn layout() -> Key {
    Key { pk: LAYOUT.pk.to_owned(), sk: LAYOUT.sk.to_owned() }
}

/// Returns a day, in days since the epoch, as `2026-11-28`.
fn day(number: i64) -> impl Display {
    let midnight = Timestamp::from_second(number.saturating_mul(86_400)).unwrap_or_default();
    midnight.strftime("%F")
}
