use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::StoreError;
use super::keys::{
    self, ACTIVITY, Entity, HANDLE as HANDLE_CLAIM, Key, LIST, LIST_SK, PK, PROFILE, REPLY, REPLY_PREFIX, SK, TTL,
};
use crate::domain::{Author, Counters, Handle, Id, Message, Post, Profile, User};

pub(super) type Item = HashMap<String, AttributeValue>;

/// The exact expiry time. The TTL attribute has whole seconds, and DynamoDB deletes expired items late.
pub(super) const EXPIRES_MS: &str = "expires_at_ms";
pub(super) const REPLIES: &str = "replies_count";
pub(super) const REPOSTS: &str = "reposts_count";
pub(super) const LIKES: &str = "likes_count";
pub(super) const USER_UUID: &str = "user_uuid";
pub(super) const HANDLE: &str = "handle";
pub(super) const DISPLAY_NAME: &str = "display_name";
pub(super) const MESSAGE: &str = "message";
pub(super) const PARENT: &str = "reply_to_activity_uuid";
/// The identity of the parent's author. Private.
pub(super) const PARENT_SUB: &str = "parent_sub";
/// The parent's parent, if the parent is a reply. The parent's key contains it.
pub(super) const GRANDPARENT: &str = "grandparent_uuid";
/// The identity of the author. Private.
pub(super) const AUTHOR_SUB: &str = "author_sub";
/// [`Profile::named_at`] of the display name in the same item.
pub(super) const NAMED_AT: &str = "named_at";
/// The `traceparent` of the request that wrote the item. The spans of the stream consumer are linked to it.
pub(super) const TRACE_CONTEXT: &str = "trace_context";
pub(super) const SUB: &str = "sub";
pub(super) const BIO: &str = "bio";

pub(super) fn string(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn named<const N: usize>(
    attributes: [(&'static str, AttributeValue); N],
) -> impl Iterator<Item = (String, AttributeValue)> {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value))
}

/// Returns an item that contains only its key.
pub(super) fn key_item(Key { pk, sk }: Key) -> Item {
    HashMap::from([(PK.to_owned(), string(pk)), (SK.to_owned(), string(sk))])
}

/// Returns the attribute with the trace context of the current request, if it is traced.
pub(super) fn trace_context() -> Option<(String, AttributeValue)> {
    let mut headers = Default::default();
    lambda_spans::inject(&mut headers);
    let traceparent = headers.get("traceparent")?.to_str().ok()?;
    Some((TRACE_CONTEXT.to_owned(), string(traceparent)))
}

/// Returns the item of a post by `writer`. The caller adds the data of a reply's parent.
pub(super) fn post_item(key: Key, writer: &Profile, post: &Post) -> Item {
    let user_uuid = post.author.user_uuid;
    let list = if post.parent.is_some() { keys::replies_of(user_uuid) } else { keys::posts_of(user_uuid) };
    let list_attributes = named([(LIST, string(list)), (LIST_SK, string(&key.sk))]);
    let mut item = key_item(key);
    item.extend(list_attributes);
    item.extend(author_attributes(&post.author));
    item.extend(expiry_attributes(post.expires_at));
    item.extend(named([
        (AUTHOR_SUB, string(&writer.sub)),
        (NAMED_AT, number(writer.named_at.as_millisecond())),
        (MESSAGE, string(post.message.as_str())),
        (REPLIES, number(post.counters.replies)),
        (REPOSTS, number(post.counters.reposts)),
        (LIKES, number(post.counters.likes)),
    ]));
    item.extend(post.parent.map(|parent| (PARENT.to_owned(), string(parent.to_string()))));
    item.extend(trace_context());
    item
}

pub(super) fn profile_item(profile: &Profile) -> Item {
    let mut item = key_item(keys::profile(&profile.sub));
    item.extend(author_attributes(&profile.author));
    item.extend(named([
        (SUB, string(&profile.sub)),
        (BIO, string(&profile.bio)),
        (NAMED_AT, number(profile.named_at.as_millisecond())),
    ]));
    item.extend(trace_context());
    item
}

pub(super) fn handle_claim_item(profile: &Profile) -> Item {
    let mut item = key_item(keys::handle(&profile.author.handle));
    item.extend(author_attributes(&profile.author));
    item.extend(named([(SUB, string(&profile.sub))]));
    item
}

pub(super) fn author_attributes(author: &Author) -> impl Iterator<Item = (String, AttributeValue)> {
    named([
        (USER_UUID, string(author.user_uuid)),
        (HANDLE, string(author.handle.as_str())),
        (DISPLAY_NAME, string(&author.display_name)),
    ])
}

/// Returns the expiry time twice: exact for reads, and in whole seconds for DynamoDB's TTL.
pub(super) fn expiry_attributes(expires_at: Timestamp) -> impl Iterator<Item = (String, AttributeValue)> {
    // Rounded up, so that DynamoDB never deletes a live item.
    let ttl = expires_at.as_second() + i64::from(expires_at.subsec_nanosecond() > 0);
    named([(TTL, number(ttl)), (EXPIRES_MS, number(expires_at.as_millisecond()))])
}

/// Reads the item of a post with or without a parent.
pub(super) fn read_post(item: &Item) -> Result<Post, StoreError> {
    let is_reply = ItemReader { item, entity: ACTIVITY }.text(SK)?.starts_with(REPLY_PREFIX);
    let read = ItemReader { item, entity: if is_reply { REPLY } else { ACTIVITY } };
    Ok(Post {
        id: read.with(SK, if is_reply { keys::parse_reply_sk } else { keys::parse_time_sk })?,
        parent: if is_reply { Some(read.with(PARENT, Id::parse)?) } else { None },
        author: read.author()?,
        message: read.message()?,
        expires_at: read.expires_at()?,
        counters: read.counters()?,
    })
}

/// Reads the id of a post without a parent, or of its entry in the search index, from the sort key.
pub(super) fn read_position(item: &Item) -> Result<Id, StoreError> {
    ItemReader { item, entity: ACTIVITY }.with(SK, keys::parse_time_sk)
}

pub(super) fn read_user(claim: &Item) -> Result<User, StoreError> {
    let read = ItemReader { item: claim, entity: HANDLE_CLAIM };
    Ok(User { sub: read.text(SUB)?.to_owned(), author: read.author()? })
}

pub(super) fn read_profile(item: &Item) -> Result<Profile, StoreError> {
    let read = ItemReader { item, entity: PROFILE };
    Ok(Profile {
        sub: read.text(SUB)?.to_owned(),
        author: read.author()?,
        bio: read.text(BIO)?.to_owned(),
        named_at: read.time(NAMED_AT)?,
    })
}

pub(super) fn read_key(item: &Item) -> Option<Key> {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    Some(Key { pk: part(PK)?, sk: part(SK)? })
}

/// Reads the attributes of an item. Errors name its entity and the attribute.
pub(super) struct ItemReader<'a> {
    pub(super) item: &'a Item,
    pub(super) entity: Entity,
}

impl<'a> ItemReader<'a> {
    pub(super) fn has(&self, attribute: &str) -> bool {
        self.item.contains_key(attribute)
    }

    pub(super) fn text(&self, attribute: &'static str) -> Result<&'a str, StoreError> {
        match self.item.get(attribute) {
            Some(AttributeValue::S(text)) => Ok(text),
            _ => Err(self.corrupt(attribute)),
        }
    }

    pub(super) fn number<T: FromStr>(&self, attribute: &'static str) -> Result<T, StoreError> {
        let number = match self.item.get(attribute) {
            Some(AttributeValue::N(digits)) => digits.parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| self.corrupt(attribute))
    }

    pub(super) fn with<T>(&self, attribute: &'static str, parse: impl Fn(&str) -> Option<T>) -> Result<T, StoreError> {
        parse(self.text(attribute)?).ok_or_else(|| self.corrupt(attribute))
    }

    /// Returns `None` if the attribute is missing.
    pub(super) fn optional(&self, attribute: &'static str) -> Result<Option<&'a str>, StoreError> {
        if self.has(attribute) { self.text(attribute).map(Some) } else { Ok(None) }
    }

    /// Returns `None` if the attribute is missing.
    pub(super) fn optional_id(&self, attribute: &'static str) -> Result<Option<Id>, StoreError> {
        if self.has(attribute) { self.with(attribute, Id::parse).map(Some) } else { Ok(None) }
    }

    pub(super) fn author(&self) -> Result<Author, StoreError> {
        Ok(Author {
            user_uuid: self.with(USER_UUID, |text| text.parse().ok())?,
            handle: self.handle()?,
            display_name: self.text(DISPLAY_NAME)?.to_owned(),
        })
    }

    pub(super) fn handle(&self) -> Result<Handle, StoreError> {
        self.with(HANDLE, |text| Handle::parse(text).ok())
    }

    pub(super) fn message(&self) -> Result<Message, StoreError> {
        Ok(Message::unchecked(self.text(MESSAGE)?.to_owned()))
    }

    pub(super) fn trace_context(&self) -> Result<Option<String>, StoreError> {
        Ok(self.optional(TRACE_CONTEXT)?.map(str::to_owned))
    }

    pub(super) fn expires_at(&self) -> Result<Timestamp, StoreError> {
        self.time(EXPIRES_MS)
    }

    pub(super) fn time(&self, attribute: &'static str) -> Result<Timestamp, StoreError> {
        let ms = self.number(attribute)?;
        Timestamp::from_millisecond(ms).ok().ok_or_else(|| self.corrupt(attribute))
    }

    fn counters(&self) -> Result<Counters, StoreError> {
        Ok(Counters { replies: self.number(REPLIES)?, reposts: self.number(REPOSTS)?, likes: self.number(LIKES)? })
    }

    fn corrupt(&self, attribute: &'static str) -> StoreError {
        StoreError::Corrupt { entity: self.entity, attribute }
    }
}
