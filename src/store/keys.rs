//! Every key of the table. `docs/data-model.md` shows the same, and a test compares the two.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::domain::{Handle, Id};

/// The partition key's attribute.
pub const PK: &str = "pk";
/// The sort key's attribute.
pub const SK: &str = "sk";
/// The attribute of DynamoDB's TTL: epoch seconds.
pub const TTL: &str = "expires_at";

/// The one index: items that have both of the next attributes, by them.
pub const LISTS: &str = "lists";
/// The index's partition key: whose list of what the item is in.
pub const LIST: &str = "list";
/// The index's sort key: where it stands in the list.
pub const LIST_SK: &str = "list_sk";
/// What the index has besides keys. No counter: to count must not write the index too.
pub const LISTED: [&str; 5] = ["display_name", "expires_at_ms", "handle", "message", "user_uuid"];

/// Partitions that share the posts of one bucket, so that none takes all writes.
pub const SHARDS: u64 = 4;
/// The time that one bucket of the home feed spans.
pub const BUCKET: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A kind of item, with its keys as patterns. Patterns may be logged, keys may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity {
    /// What it is.
    pub name: &'static str,
    /// The form of its partition key.
    pub pk: &'static str,
    /// The form of its sort key.
    pub sk: &'static str,
}

/// A post.
pub const ACTIVITY: Entity = Entity { name: "activity", pk: "HOME#<bucket>#<shard>", sk: "<created ms>#<uuid>" };
/// A reply to a post.
pub const REPLY: Entity = Entity { name: "reply", pk: "ACTIVITY#<parent uuid>", sk: "REPLY#<created ms>#<uuid>" };
/// A user.
pub const PROFILE: Entity = Entity { name: "profile", pk: "USER#<sub>", sk: "PROFILE" };
/// The claim of a handle by one user.
pub const HANDLE: Entity = Entity { name: "handle claim", pk: "HANDLE#<handle>", sk: "HANDLE" };
/// Where a reply is, by its id.
pub const REPLY_LOCATOR: Entity = Entity { name: "reply locator", pk: "REPLY#<uuid>", sk: "REPLY" };
/// One user's like of a post or a reply.
pub const LIKE: Entity = Entity { name: "like", pk: "ACTIVITY#<uuid>", sk: "LIKE#<user uuid>" };
/// One user's repost of a post or a reply.
pub const REPOST: Entity = Entity { name: "repost", pk: "ACTIVITY#<uuid>", sk: "REPOST#<user uuid>" };
/// What was made under an idempotency key.
pub const IDEMPOTENCY: Entity = Entity { name: "idempotency", pk: "IDEMPOTENCY#<hash>", sk: "IDEMPOTENCY" };
/// The one conversation of two users.
pub const PAIR: Entity = Entity { name: "pair", pk: "PAIR#<smaller user uuid>#<greater user uuid>", sk: "PAIR" };
/// A conversation as one of its users has it.
pub const MEMBERSHIP: Entity = Entity { name: "membership", pk: "USER#<sub>", sk: "GROUP#<group uuid>" };
/// A direct message.
pub const MESSAGE: Entity = Entity { name: "message", pk: "GROUP#<group uuid>", sk: "MESSAGE#<created ms>#<uuid>" };
/// A post under one of its words, or under the beginning of one.
pub const WORD: Entity = Entity { name: "word", pk: "WORD#<word>#<bucket>#<shard>", sk: "<created ms>#<uuid>" };
/// Something that concerns a user.
pub const NOTIFICATION: Entity = Entity { name: "notification", pk: "NOTIFICATIONS#<sub>", sk: "<ms>#<id>" };
/// Up to where a user has read the notifications.
pub const NOTIFICATIONS_READ: Entity = Entity { name: "notifications read", pk: "USER#<sub>", sk: "NOTIFICATIONS" };
/// All kinds of items.
pub const ENTITIES: [Entity; 14] = [
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
];

/// What all sort keys of memberships begin with.
pub const MEMBERSHIP_PREFIX: &str = "GROUP#";
/// What all sort keys of messages begin with.
pub const MESSAGE_PREFIX: &str = "MESSAGE#";
/// The longest beginning of a word that has a list of its own, in characters.
pub const MAX_PREFIX: usize = 3;

/// What all sort keys of replies begin with.
pub const REPLY_PREFIX: &str = "REPLY#";
/// Greater than every sort key of a post.
pub const AFTER_ALL_ACTIVITIES: &str = "A";

/// The primary key of one item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

/// The key of a post, which follows from its id alone.
#[must_use]
pub fn activity(id: Id) -> Key {
    Key { pk: home(bucket(id.created_at()), shard(id)), sk: activity_sk(id) }
}

/// The sort key of a post: sorts by time, then by id.
#[must_use]
pub fn activity_sk(id: Id) -> String {
    format!("{:013}#{id}", id.created_at().as_millisecond())
}

/// Greater than every such sort key of that millisecond, and smaller than those of the next.
#[must_use]
pub fn after_ms(at: Timestamp) -> String {
    format!("{:013}$", at.as_millisecond())
}

/// What no sort key of a post since then is less than.
#[must_use]
pub fn activities_since(at: Timestamp) -> String {
    format!("{:013}", at.as_millisecond().max(0))
}

/// The post whose sort key this is.
#[must_use]
pub fn parse_activity_sk(sk: &str) -> Option<Id> {
    let (_, uuid) = sk.split_once('#')?;
    Id::parse(uuid).filter(|id| activity_sk(*id) == sk)
}

/// One partition of the home feed.
#[must_use]
pub fn home(bucket: i64, shard: u64) -> String {
    format!("HOME#{bucket}#{shard}")
}

/// The bucket of the home feed that holds posts of that time.
#[must_use]
pub fn bucket(created_at: Timestamp) -> i64 {
    created_at.as_second().div_euclid(BUCKET.as_secs())
}

/// The buckets from the one of `newest` down to the one of `oldest`; none if they are the wrong way round.
pub fn buckets(newest: Timestamp, oldest: Timestamp) -> impl Iterator<Item = i64> {
    (bucket(oldest)..=bucket(newest)).rev()
}

/// The list of a user's posts.
#[must_use]
pub fn posts_of(user_uuid: Uuid) -> String {
    format!("AUTHOR#{user_uuid}")
}

/// The list of a user's replies.
#[must_use]
pub fn replies_of(user_uuid: Uuid) -> String {
    format!("REPLIES#{user_uuid}")
}

/// The key of a reply.
#[must_use]
pub fn reply(parent: Id, id: Id) -> Key {
    Key { pk: replies(parent), sk: format!("{REPLY_PREFIX}{}", activity_sk(id)) }
}

/// The partition of what belongs to a post or a reply: replies, likes, reposts.
#[must_use]
pub fn replies(parent: Id) -> String {
    format!("ACTIVITY#{parent}")
}

/// The reply whose sort key this is.
#[must_use]
pub fn parse_reply_sk(sk: &str) -> Option<Id> {
    parse_activity_sk(sk.strip_prefix(REPLY_PREFIX)?)
}

/// The post or reply whose replies and likes are in that partition.
#[must_use]
pub fn parse_replies(pk: &str) -> Option<Id> {
    Id::parse(pk.strip_prefix("ACTIVITY#")?)
}

/// The key of a user's profile.
#[must_use]
pub fn profile(sub: &str) -> Key {
    Key { pk: format!("USER#{sub}"), sk: "PROFILE".to_owned() }
}

/// The key of the claim of a handle.
#[must_use]
pub fn handle(handle: &Handle) -> Key {
    Key { pk: format!("HANDLE#{}", handle.as_str()), sk: "HANDLE".to_owned() }
}

/// The key of where the reply with that id is.
#[must_use]
pub fn reply_locator(id: Id) -> Key {
    Key { pk: format!("REPLY#{id}"), sk: "REPLY".to_owned() }
}

/// The key of a user's like of a post or a reply.
#[must_use]
pub fn like(id: Id, user_uuid: Uuid) -> Key {
    Key { pk: replies(id), sk: format!("LIKE#{user_uuid}") }
}

/// The key of a user's repost of a post or a reply.
#[must_use]
pub fn repost(id: Id, user_uuid: Uuid) -> Key {
    Key { pk: replies(id), sk: format!("REPOST#{user_uuid}") }
}

/// The key of what was made under an idempotency key; `scope` is a hash of that key and of whose and what for it is.
#[must_use]
pub fn idempotency(scope: &str) -> Key {
    Key { pk: format!("IDEMPOTENCY#{scope}"), sk: "IDEMPOTENCY".to_owned() }
}

/// The key of what two users have together; the same whichever of them comes first.
#[must_use]
pub fn pair(a: Uuid, b: Uuid) -> Key {
    let (smaller, greater) = (a.min(b), a.max(b));
    Key { pk: format!("PAIR#{smaller}#{greater}"), sk: "PAIR".to_owned() }
}

/// The key of a user's part in a conversation.
#[must_use]
pub fn membership(sub: &str, group: Id) -> Key {
    Key { pk: format!("USER#{sub}"), sk: format!("{MEMBERSHIP_PREFIX}{group}") }
}

/// The conversation whose membership has this sort key.
#[must_use]
pub fn parse_membership_sk(sk: &str) -> Option<Id> {
    Id::parse(sk.strip_prefix(MEMBERSHIP_PREFIX)?)
}

/// The list of a user's conversations, in the index.
#[must_use]
pub fn inbox(sub: &str) -> String {
    format!("INBOX#{sub}")
}

/// The key of a direct message.
#[must_use]
pub fn message(group: Id, id: Id) -> Key {
    Key { pk: messages(group), sk: message_sk(id) }
}

/// The partition of a conversation's messages.
#[must_use]
pub fn messages(group: Id) -> String {
    format!("GROUP#{group}")
}

/// The conversation whose messages are in that partition.
#[must_use]
pub fn parse_messages(pk: &str) -> Option<Id> {
    Id::parse(pk.strip_prefix("GROUP#")?)
}

/// The sort key of a direct message.
#[must_use]
pub fn message_sk(id: Id) -> String {
    format!("{MESSAGE_PREFIX}{}", activity_sk(id))
}

/// The message whose sort key this is.
#[must_use]
pub fn parse_message_sk(sk: &str) -> Option<Id> {
    parse_activity_sk(sk.strip_prefix(MESSAGE_PREFIX)?)
}

/// One partition of the posts that have a word; of [`word_prefix`]es too.
#[must_use]
pub fn posts_with_word(word: &str, bucket: i64, shard: u64) -> String {
    format!("WORD#{word}#{bucket}#{shard}")
}

/// The key of a post under a word.
#[must_use]
pub fn word(word: &str, id: Id) -> Key {
    Key { pk: posts_with_word(word, bucket(id.created_at()), shard(id)), sk: activity_sk(id) }
}

/// What stands for all words that begin like this one, by its first characters; no word has a star.
#[must_use]
pub fn word_prefix(word: &str, characters: usize) -> String {
    word.chars().take(characters).chain(['*']).collect()
}

/// The partition of what concerns a user.
#[must_use]
pub fn notifications(sub: &str) -> String {
    format!("NOTIFICATIONS#{sub}")
}

/// The key of something that concerns a user.
#[must_use]
pub fn notification(sub: &str, id: Id) -> Key {
    Key { pk: notifications(sub), sk: activity_sk(id) }
}

/// The key of the mark up to which a user has read.
#[must_use]
pub fn notifications_read(sub: &str) -> Key {
    Key { pk: format!("USER#{sub}"), sk: "NOTIFICATIONS".to_owned() }
}

/// Spreads by the id's last eight bytes. Stored keys depend on it: it must never change.
fn shard(id: Id) -> u64 {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    let (_, tail) = id.uuid().as_u64_pair();
    (tail.wrapping_mul(GOLDEN_RATIO) >> 32) % SHARDS
}
