//! The records of the table's stream.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::StoreError;
use super::conversation_items::{self, CONVERSATION, RECEIVER_SUB, SENDER_SUB};
use super::items::{self, AUTHOR_SUB, DISPLAY_NAME, Item, ItemReader, PARENT, PARENT_SUB, SUB, TRACE_CONTEXT};
use super::keys::{self, ACTIVITY, Entity, LIKE, MESSAGE, PAIR, PK, PROFILE, REPLY, SK};
use super::reactions::{CREATED_MS, OWNER_SUB};
use crate::domain::{DirectMessage, Handle, Id, Post};

/// A record of the table's stream.
#[derive(Clone, Debug)]
pub struct StreamRecord {
    /// The `traceparent` of the request that wrote the item.
    pub trace_context: Option<String>,
    /// The change of the item.
    pub change: ItemChange,
}

/// A change of an item, with the item's image where side effects need it.
#[derive(Clone, Debug)]
pub enum ItemChange {
    /// A post was created.
    PostCreated(Box<PostImage>),
    /// A post was deleted before it expired.
    PostDeleted(Box<PostImage>),
    /// A like was added.
    LikeAdded(LikeImage),
    /// A like was removed by the user.
    LikeRemoved(LikeImage),
    /// A user changed the display name.
    DisplayNameChanged {
        /// The user's identity.
        sub: String,
    },
    /// A conversation was opened.
    ConversationOpened(PairImage),
    /// A direct message was sent.
    MessageSent(Box<MessageImage>),
    /// A change without side effects.
    Ignored,
}

/// The image of a post.
#[derive(Clone, Debug)]
pub struct PostImage {
    /// The post.
    pub post: Post,
    /// The identity of the author.
    pub author_sub: String,
    /// The identity of the parent's author.
    pub parent_sub: Option<String>,
    /// The `traceparent` of the request.
    pub trace_context: Option<String>,
}

/// The image of a like.
#[derive(Clone, Debug)]
pub struct LikeImage {
    /// The liked post.
    pub post: Id,
    /// The parent of that post, if it is a reply.
    pub parent: Option<Id>,
    /// The public id of the user who likes the post.
    pub user_uuid: Uuid,
    /// The handle of that user.
    pub handle: Handle,
    /// The identity of that user.
    pub sub: String,
    /// The identity of the post's author.
    pub owner_sub: String,
    /// The time of the like, in whole milliseconds.
    pub at: Timestamp,
    /// The time at which the like expires with its post.
    pub expires_at: Timestamp,
    /// The `traceparent` of the request.
    pub trace_context: Option<String>,
}

/// The image of a new conversation.
#[derive(Clone, Debug)]
pub struct PairImage {
    /// The conversation.
    pub conversation: Id,
    /// The handle of the user who opened it.
    pub handle: Handle,
    /// The identity of that user.
    pub sub: String,
    /// The identity of the other user.
    pub receiver_sub: String,
    /// The `traceparent` of the request.
    pub trace_context: Option<String>,
}

/// The image of a direct message.
#[derive(Clone, Debug)]
pub struct MessageImage {
    /// The message.
    pub message: DirectMessage,
    /// The identity of the sender.
    pub sender_sub: String,
    /// The identity of the recipient.
    pub receiver_sub: String,
}

/// The error of [`StreamRecord::read`], which is permanent. It contains no values, since they may be private.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRecord {
    /// A part of the record is missing or has the wrong form.
    #[error("a stream record without a usable `{0}`")]
    Part(&'static str),
    /// The item does not match its entity.
    #[error(transparent)]
    Item(#[from] StoreError),
}

impl StreamRecord {
    /// Reads a record in the JSON form of Lambda's event.
    ///
    /// # Errors
    /// [`InvalidRecord`] if the record has no images, or if its item is corrupt.
    pub fn read(record: &Value) -> Result<Self, InvalidRecord> {
        let part = |name| record.get("dynamodb").and_then(|change| change.get(name)).and_then(Value::as_object);
        let image = |name| part(name).map(image).ok_or(InvalidRecord::Part(name));
        let keys = image("Keys")?;
        let (Some(pk), Some(sk)) = (text(&keys, PK), text(&keys, SK)) else {
            return Err(InvalidRecord::Part("Keys"));
        };
        let Some(entity) = entity(pk, sk) else { return Ok(Self { trace_context: None, change: ItemChange::Ignored }) };
        let event = record.get("eventName").and_then(Value::as_str).ok_or(InvalidRecord::Part("eventName"))?;
        let item = image(if event == "REMOVE" { "OldImage" } else { "NewImage" })?;
        let change = match event {
            "INSERT" => inserted(entity, &item)?,
            "MODIFY" if entity == PROFILE && text(&item, DISPLAY_NAME) != text(&image("OldImage")?, DISPLAY_NAME) => {
                ItemChange::DisplayNameChanged { sub: ItemReader { item: &item, entity }.text(SUB)?.to_owned() }
            }
            "MODIFY" => ItemChange::Ignored,
            // Everything derived from an expired item has the same expiry time, and TTL deletes it free of charge.
            "REMOVE" if has_expired(record) => ItemChange::Ignored,
            "REMOVE" => removed(entity, &item)?,
            _ => return Err(InvalidRecord::Part("eventName")),
        };
        Ok(Self { trace_context: trace_context(&item), change })
    }
}

impl ItemChange {
    /// Returns the name of the span that covers the side effects.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::PostCreated(_) => "activity-written",
            Self::PostDeleted(_) => "activity-gone",
            Self::LikeAdded(_) => "liked",
            Self::LikeRemoved(_) => "unliked",
            Self::DisplayNameChanged { .. } => "renamed",
            Self::ConversationOpened(_) => "conversation-opened",
            Self::MessageSent(_) => "message-sent",
            Self::Ignored => "other",
        }
    }
}

/// Returns whether TTL deleted the item.
fn has_expired(record: &Value) -> bool {
    let principal = record.get("userIdentity").and_then(|identity| identity.get("principalId")).and_then(Value::as_str);
    principal == Some("dynamodb.amazonaws.com")
}

/// Returns the entity if its changes can have side effects.
fn entity(pk: &str, sk: &str) -> Option<Entity> {
    let matches = |entity: &Entity| {
        let prefix = |pattern: &'static str| pattern.split('<').next().unwrap_or_default();
        pk.starts_with(prefix(entity.pk)) && sk.starts_with(prefix(entity.sk))
    };
    [ACTIVITY, REPLY, LIKE, PROFILE, PAIR, MESSAGE].into_iter().find(matches)
}

fn inserted(entity: Entity, item: &Item) -> Result<ItemChange, StoreError> {
    Ok(match entity {
        ACTIVITY | REPLY => ItemChange::PostCreated(Box::new(read_post(entity, item)?)),
        LIKE => ItemChange::LikeAdded(read_like(item)?),
        PAIR => ItemChange::ConversationOpened(read_pair(item)?),
        MESSAGE => ItemChange::MessageSent(Box::new(read_message(item)?)),
        _ => ItemChange::Ignored,
    })
}

fn removed(entity: Entity, item: &Item) -> Result<ItemChange, StoreError> {
    Ok(match entity {
        ACTIVITY | REPLY => ItemChange::PostDeleted(Box::new(read_post(entity, item)?)),
        LIKE => ItemChange::LikeRemoved(read_like(item)?),
        _ => ItemChange::Ignored,
    })
}

fn read_post(entity: Entity, item: &Item) -> Result<PostImage, StoreError> {
    let read = ItemReader { item, entity };
    Ok(PostImage {
        post: items::read_post(item)?,
        author_sub: read.text(AUTHOR_SUB)?.to_owned(),
        parent_sub: read.optional(PARENT_SUB)?.map(str::to_owned),
        trace_context: trace_context(item),
    })
}

fn read_like(item: &Item) -> Result<LikeImage, StoreError> {
    let read = ItemReader { item, entity: LIKE };
    Ok(LikeImage {
        post: read.with(SK, keys::parse_time_sk)?,
        parent: read.optional_id(PARENT)?,
        user_uuid: read.with(items::USER_UUID, |text| text.parse().ok())?,
        handle: read.handle()?,
        sub: read.with(PK, |pk| keys::parse_likes(pk).map(str::to_owned))?,
        owner_sub: read.text(OWNER_SUB)?.to_owned(),
        at: read.time(CREATED_MS)?,
        expires_at: read.expires_at()?,
        trace_context: trace_context(item),
    })
}

fn read_pair(item: &Item) -> Result<PairImage, StoreError> {
    let read = ItemReader { item, entity: PAIR };
    Ok(PairImage {
        conversation: read.with(CONVERSATION, Id::parse)?,
        handle: read.handle()?,
        sub: read.text(SUB)?.to_owned(),
        receiver_sub: read.text(RECEIVER_SUB)?.to_owned(),
        trace_context: trace_context(item),
    })
}

fn read_message(item: &Item) -> Result<MessageImage, StoreError> {
    let read = ItemReader { item, entity: MESSAGE };
    Ok(MessageImage {
        message: conversation_items::read_message(item)?,
        sender_sub: read.text(SENDER_SUB)?.to_owned(),
        receiver_sub: read.text(RECEIVER_SUB)?.to_owned(),
    })
}

fn trace_context(item: &Item) -> Option<String> {
    text(item, TRACE_CONTEXT).map(str::to_owned)
}

fn text<'a>(item: &'a Item, attribute: &str) -> Option<&'a str> {
    item.get(attribute).and_then(|value| value.as_s().ok()).map(String::as_str)
}

/// Converts strings and numbers, the only types of our attributes.
fn image(image: &Map<String, Value>) -> Item {
    let typed = |value: &Value| {
        let one = |kind| value.get(kind).and_then(Value::as_str).map(str::to_owned);
        one("S").map(AttributeValue::S).or_else(|| one("N").map(AttributeValue::N))
    };
    image.iter().filter_map(|(name, value)| Some((name.clone(), typed(value)?))).collect()
}
