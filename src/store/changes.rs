//! What the table's stream tells: changes of items, as the values that they are.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::StoreError;
use super::conversation_items::{self, GROUP, RECEIVER_SUB, SENDER_SUB};
use super::items::{self, AUTHOR_SUB, DISPLAY_NAME, Item, PARENT_SUB, Reader, SUB, TRACE_CONTEXT};
use super::keys::{self, ACTIVITY, Entity, LIKE, MESSAGE, PAIR, PK, PROFILE, REPLY, SK};
use super::reactions::{CREATED_MS, OWNER_SUB};
use crate::domain::{Activity, DirectMessage, Handle, Id, Reply, Subject};

/// One record of the stream.
#[derive(Clone, Debug)]
pub struct Record {
    /// The `traceparent` of the request that wrote the item, or had written what is now removed.
    pub trace_context: Option<String>,
    /// What happened.
    pub change: Change,
}

/// A change that something follows from.
#[derive(Clone, Debug)]
pub enum Change {
    /// A post or a reply is there.
    Posted(Box<Posted>),
    /// A post or a reply was deleted before its time.
    Gone(Box<Posted>),
    /// Somebody likes something.
    Liked(Liked),
    /// Somebody likes it no more, or what was liked was deleted.
    Unliked(Liked),
    /// A user has a new name.
    Renamed {
        /// The user.
        sub: String,
    },
    /// A conversation was begun.
    Opened(Opened),
    /// A direct message was sent.
    Sent(Box<Sent>),
    /// Nothing follows from it.
    Other,
}

/// A post or a reply.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The post, or the reply as if it were one.
    pub activity: Activity,
    /// Which of the two it is.
    pub subject: Subject,
    /// Who wrote it.
    pub author_sub: String,
    /// Who wrote what it replies to.
    pub parent_sub: Option<String>,
    /// The `traceparent` of the request.
    pub trace_context: Option<String>,
}

/// A like.
#[derive(Clone, Debug)]
pub struct Liked {
    /// The post or reply.
    pub activity: Id,
    /// Who likes it, as others see it.
    pub user_uuid: Uuid,
    /// The same.
    pub handle: Handle,
    /// Who likes it.
    pub sub: String,
    /// Who wrote it.
    pub owner_sub: String,
    /// When, in whole milliseconds.
    pub at: Timestamp,
    /// When the like goes, with what is liked.
    pub expires_at: Timestamp,
    /// The `traceparent` of the request.
    pub trace_context: Option<String>,
}

/// The beginning of a conversation.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The conversation.
    pub group: Id,
    /// Who began it, as others see it.
    pub handle: Handle,
    /// Who began it.
    pub sub: String,
    /// With whom.
    pub receiver_sub: String,
    /// The `traceparent` of the request.
    pub trace_context: Option<String>,
}

/// A direct message.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The message.
    pub message: DirectMessage,
    /// Who wrote it.
    pub sender_sub: String,
    /// Who is to read it.
    pub receiver_sub: String,
}

/// A record that can never be understood. What it holds is not told: it may be private.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is no record of a stream with new and old images.
    #[error("a stream record without a usable `{0}`")]
    Part(&'static str),
    /// The item in it does not have the form that its keys promise.
    #[error(transparent)]
    Item(#[from] StoreError),
}

impl Record {
    /// Reads a record as Lambda's event has it.
    ///
    /// # Errors
    /// When it is none, or its item is not as it should be.
    pub fn read(record: &Value) -> Result<Self, Unreadable> {
        let part = |name| record.get("dynamodb").and_then(|change| change.get(name)).and_then(Value::as_object);
        let image = |name| part(name).map(image).ok_or(Unreadable::Part(name));
        let keys = image("Keys")?;
        let (Some(pk), Some(sk)) = (text(&keys, PK), text(&keys, SK)) else {
            return Err(Unreadable::Part("Keys"));
        };
        let Some(entity) = kind(pk, sk) else { return Ok(Self { trace_context: None, change: Change::Other }) };
        let event = record.get("eventName").and_then(Value::as_str).ok_or(Unreadable::Part("eventName"))?;
        let item = image(if event == "REMOVE" { "OldImage" } else { "NewImage" })?;
        let trace_context = text(&item, TRACE_CONTEXT).map(str::to_owned);
        let change = match event {
            "INSERT" => inserted(entity, &item)?,
            "MODIFY" if entity == PROFILE && text(&item, DISPLAY_NAME) != text(&image("OldImage")?, DISPLAY_NAME) => {
                Change::Renamed { sub: Reader { item: &item, entity }.text(SUB)?.to_owned() }
            }
            "MODIFY" => Change::Other,
            // What belonged to it and what was made of it expires with it, and TTL removes that without any cost.
            "REMOVE" if has_expired(record) => Change::Other,
            "REMOVE" => removed(entity, &item)?,
            _ => return Err(Unreadable::Part("eventName")),
        };
        Ok(Self { trace_context, change })
    }
}

impl Change {
    /// What the work on it is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Posted(_) => "activity-written",
            Self::Gone(_) => "activity-gone",
            Self::Liked(_) => "liked",
            Self::Unliked(_) => "unliked",
            Self::Renamed { .. } => "renamed",
            Self::Opened(_) => "conversation-opened",
            Self::Sent(_) => "message-sent",
            Self::Other => "other",
        }
    }
}

/// Whether TTL removed the item.
fn has_expired(record: &Value) -> bool {
    let by = record.get("userIdentity").and_then(|by| by.get("principalId")).and_then(Value::as_str);
    by == Some("dynamodb.amazonaws.com")
}

/// The kinds of items that something follows from.
fn kind(pk: &str, sk: &str) -> Option<Entity> {
    let begins = |entity: Entity| {
        let fixed = |pattern: &'static str| pattern.split('<').next().unwrap_or_default();
        pk.starts_with(fixed(entity.pk)) && sk.starts_with(fixed(entity.sk))
    };
    [ACTIVITY, REPLY, LIKE, PROFILE, PAIR, MESSAGE].into_iter().find(|entity| begins(*entity))
}

fn inserted(entity: Entity, item: &Item) -> Result<Change, StoreError> {
    Ok(match entity {
        ACTIVITY => Change::Posted(Box::new(to_post(item)?)),
        REPLY => Change::Posted(Box::new(to_reply(item)?)),
        LIKE => Change::Liked(to_like(item)?),
        PAIR => Change::Opened(to_opened(item)?),
        MESSAGE => Change::Sent(Box::new(to_sent(item)?)),
        _ => Change::Other,
    })
}

fn removed(entity: Entity, item: &Item) -> Result<Change, StoreError> {
    Ok(match entity {
        ACTIVITY => Change::Gone(Box::new(to_post(item)?)),
        REPLY => Change::Gone(Box::new(to_reply(item)?)),
        LIKE => Change::Unliked(to_like(item)?),
        _ => Change::Other,
    })
}

fn to_post(item: &Item) -> Result<Posted, StoreError> {
    let activity = items::to_activity(item)?;
    let subject = Subject::Activity(activity.id());
    let author_sub = Reader { item, entity: ACTIVITY }.text(AUTHOR_SUB)?.to_owned();
    Ok(Posted { activity, subject, author_sub, parent_sub: None, trace_context: trace_context(item) })
}

fn to_reply(item: &Item) -> Result<Posted, StoreError> {
    let read = Reader { item, entity: REPLY };
    let reply: Reply = items::to_reply(item)?;
    let subject = Subject::Reply { parent: reply.parent(), id: reply.id() };
    let (id, author, message) = (reply.id(), reply.author().clone(), reply.message().clone());
    Ok(Posted {
        activity: Activity::from_parts(id, author, message, reply.expires_at(), reply.counters()),
        subject,
        author_sub: read.text(AUTHOR_SUB)?.to_owned(),
        parent_sub: read.optional(PARENT_SUB)?.map(str::to_owned),
        trace_context: trace_context(item),
    })
}

fn to_like(item: &Item) -> Result<Liked, StoreError> {
    let read = Reader { item, entity: LIKE };
    Ok(Liked {
        activity: read.with(PK, keys::parse_replies)?,
        user_uuid: read.with(items::USER_UUID, |text| text.parse().ok())?,
        handle: read.with(items::HANDLE, |text| Handle::parse(text).ok())?,
        sub: read.text(SUB)?.to_owned(),
        owner_sub: read.text(OWNER_SUB)?.to_owned(),
        at: read.time(CREATED_MS)?,
        expires_at: read.expires_at()?,
        trace_context: trace_context(item),
    })
}

fn to_opened(item: &Item) -> Result<Opened, StoreError> {
    let read = Reader { item, entity: PAIR };
    Ok(Opened {
        group: read.with(GROUP, Id::parse)?,
        handle: read.with(items::HANDLE, |text| Handle::parse(text).ok())?,
        sub: read.text(SUB)?.to_owned(),
        receiver_sub: read.text(RECEIVER_SUB)?.to_owned(),
        trace_context: trace_context(item),
    })
}

fn to_sent(item: &Item) -> Result<Sent, StoreError> {
    let read = Reader { item, entity: MESSAGE };
    Ok(Sent {
        message: conversation_items::to_message(item)?,
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

/// Texts and numbers: our items have no other attributes.
fn image(image: &Map<String, Value>) -> Item {
    let typed = |value: &Value| {
        let one = |kind| value.get(kind).and_then(Value::as_str).map(str::to_owned);
        one("S").map(AttributeValue::S).or_else(|| one("N").map(AttributeValue::N))
    };
    image.iter().filter_map(|(name, value)| Some((name.clone(), typed(value)?))).collect()
}
