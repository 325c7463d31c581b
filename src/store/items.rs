use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::StoreError;
use super::keys::{self, ACTIVITY, Entity, HANDLE as HANDLE_CLAIM, Key, LIST, LIST_SK, PK, PROFILE, REPLY, SK, TTL};
use crate::domain::{Activity, Author, Counters, Handle, Id, Message, Profile, Reply, User};

pub(super) type Item = HashMap<String, AttributeValue>;

/// The exact time; the TTL attribute has only whole seconds, and DynamoDB acts on it late.
pub(super) const EXPIRES_MS: &str = "expires_at_ms";
pub(super) const REPLIES: &str = "replies_count";
pub(super) const REPOSTS: &str = "reposts_count";
pub(super) const LIKES: &str = "likes_count";
pub(super) const USER_UUID: &str = "user_uuid";
pub(super) const HANDLE: &str = "handle";
pub(super) const DISPLAY_NAME: &str = "display_name";
pub(super) const MESSAGE: &str = "message";
pub(super) const PARENT: &str = "reply_to_activity_uuid";
/// Who wrote what a reply answers, for ourselves.
pub(super) const PARENT_SUB: &str = "parent_sub";
/// What the parent answers, where that is a reply itself: without it a reply's id does not say where the reply is.
pub(super) const GRANDPARENT: &str = "grandparent_uuid";
/// Who wrote it, for ourselves: it is never shown.
pub(super) const AUTHOR_SUB: &str = "author_sub";
/// The moment since which the author has had the name that is written beside, as the profile says.
pub(super) const NAMED_AT: &str = "named_at";
/// The `traceparent` of the span that wrote the item: what follows from the write is linked to it.
pub(super) const TRACE_CONTEXT: &str = "trace_context";
pub(super) const SUB: &str = "sub";
pub(super) const BIO: &str = "bio";

pub(super) fn string(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn of_key(Key { pk, sk }: Key) -> Item {
    HashMap::from([(PK.to_owned(), string(pk)), (SK.to_owned(), string(sk))])
}

/// The key of an item that was read.
pub(super) fn to_key(item: &Item) -> Option<Key> {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    Some(Key { pk: part(PK)?, sk: part(SK)? })
}

/// The context of the request that is being answered, where it is traced.
pub(super) fn trace_context() -> Option<(String, AttributeValue)> {
    let mut headers = Default::default();
    lambda_spans::inject(&mut headers);
    let traceparent = headers.get("traceparent")?.to_str().ok()?;
    Some((TRACE_CONTEXT.to_owned(), string(traceparent)))
}

/// A post that `writer` makes.
pub(super) fn of_activity(writer: &Profile, activity: &Activity) -> Item {
    let key = keys::activity(activity.id());
    let mut item = listed(keys::posts_of(activity.author().user_uuid), key);
    item.extend(writer_attributes(writer));
    item.extend(author_attributes(activity.author()));
    item.extend(post_attributes(activity.message(), activity.expires_at(), activity.counters()));
    item
}

/// A reply that `writer` makes.
pub(super) fn of_reply(writer: &Profile, reply: &Reply) -> Item {
    let key = keys::reply(reply.parent(), reply.id());
    let mut item = listed(keys::replies_of(reply.author().user_uuid), key);
    item.extend(writer_attributes(writer));
    item.extend(author_attributes(reply.author()));
    item.extend(post_attributes(reply.message(), reply.expires_at(), reply.counters()));
    item.insert(PARENT.to_owned(), string(reply.parent().to_string()));
    item
}

pub(super) fn of_profile(profile: &Profile) -> Item {
    let mut item = of_key(keys::profile(&profile.sub));
    item.extend(author_attributes(&profile.author));
    item.extend(named([
        (SUB, string(&profile.sub)),
        (BIO, string(&profile.bio)),
        (NAMED_AT, number(profile.named_at.as_millisecond())),
    ]));
    item.extend(trace_context());
    item
}

pub(super) fn of_handle_claim(profile: &Profile) -> Item {
    let mut item = of_key(keys::handle(&profile.author.handle));
    item.extend(author_attributes(&profile.author));
    item.extend(named([(SUB, string(&profile.sub))]));
    item
}

pub(super) fn to_activity(item: &Item) -> Result<Activity, StoreError> {
    let read = Reader { item, entity: ACTIVITY };
    let id = read.with(SK, keys::parse_activity_sk)?;
    let message = Message::accepted(read.text(MESSAGE)?.to_owned());
    Ok(Activity::from_parts(id, read.author()?, message, read.expires_at()?, read.counters()?))
}

/// The post of which this is the key.
pub(super) fn to_position(key: &Item) -> Result<Id, StoreError> {
    Reader { item: key, entity: ACTIVITY }.with(SK, keys::parse_activity_sk)
}

pub(super) fn to_reply(item: &Item) -> Result<Reply, StoreError> {
    let read = Reader { item, entity: REPLY };
    let id = read.with(SK, keys::parse_reply_sk)?;
    let parent = read.with(PARENT, Id::parse)?;
    let message = Message::accepted(read.text(MESSAGE)?.to_owned());
    Ok(Reply::from_parts(id, parent, read.author()?, message, read.expires_at()?, read.counters()?))
}

pub(super) fn to_user(claim: &Item) -> Result<User, StoreError> {
    let read = Reader { item: claim, entity: HANDLE_CLAIM };
    Ok(User { sub: read.text(SUB)?.to_owned(), author: read.author()? })
}

pub(super) fn to_profile(item: &Item) -> Result<Profile, StoreError> {
    let read = Reader { item, entity: PROFILE };
    Ok(Profile {
        sub: read.text(SUB)?.to_owned(),
        author: read.author()?,
        bio: read.text(BIO)?.to_owned(),
        named_at: read.time(NAMED_AT)?,
    })
}

/// An item in that list of the index, in the order of its own sort key.
fn listed(list: String, key: Key) -> Item {
    let list_sk = string(&key.sk);
    let mut item = of_key(key);
    item.extend(named([(LIST, string(list)), (LIST_SK, list_sk)]));
    item
}

fn writer_attributes(writer: &Profile) -> impl Iterator<Item = (String, AttributeValue)> {
    let known = [(AUTHOR_SUB, string(&writer.sub)), (NAMED_AT, number(writer.named_at.as_millisecond()))];
    named(known).chain(trace_context())
}

pub(super) fn author_attributes(author: &Author) -> impl Iterator<Item = (String, AttributeValue)> {
    named([
        (USER_UUID, string(author.user_uuid)),
        (HANDLE, string(author.handle.as_str())),
        (DISPLAY_NAME, string(&author.display_name)),
    ])
}

fn post_attributes(
    message: &Message,
    expires_at: Timestamp,
    counters: Counters,
) -> impl Iterator<Item = (String, AttributeValue)> {
    expiry_attributes(expires_at).chain(named([
        (MESSAGE, string(message.as_str())),
        (REPLIES, number(counters.replies)),
        (REPOSTS, number(counters.reposts)),
        (LIKES, number(counters.likes)),
    ]))
}

/// When an item goes, exactly for our reads and in whole seconds for DynamoDB.
pub(super) fn expiry_attributes(expires_at: Timestamp) -> impl Iterator<Item = (String, AttributeValue)> {
    // Rounded up: DynamoDB must not delete what is still to be seen.
    let ttl = expires_at.as_second() + i64::from(expires_at.subsec_nanosecond() > 0);
    named([(TTL, number(ttl)), (EXPIRES_MS, number(expires_at.as_millisecond()))])
}

pub(super) fn named<const N: usize>(
    attributes: [(&'static str, AttributeValue); N],
) -> impl Iterator<Item = (String, AttributeValue)> {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value))
}

/// Reads one item, and names its kind where it is not as it should be.
pub(super) struct Reader<'a> {
    pub(super) item: &'a Item,
    pub(super) entity: Entity,
}

impl<'a> Reader<'a> {
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

    /// Nothing where the attribute is missing.
    pub(super) fn optional(&self, attribute: &'static str) -> Result<Option<&'a str>, StoreError> {
        if self.has(attribute) { self.text(attribute).map(Some) } else { Ok(None) }
    }

    pub(super) fn author(&self) -> Result<Author, StoreError> {
        Ok(Author {
            user_uuid: self.with(USER_UUID, |text| text.parse().ok())?,
            handle: self.with(HANDLE, |text| Handle::parse(text).ok())?,
            display_name: self.text(DISPLAY_NAME)?.to_owned(),
        })
    }

    pub(super) fn expires_at(&self) -> Result<Timestamp, StoreError> {
        self.time(EXPIRES_MS)
    }

    pub(super) fn time(&self, attribute: &'static str) -> Result<Timestamp, StoreError> {
        let ms = self.number(attribute)?;
        Timestamp::from_millisecond(ms).ok().ok_or_else(|| self.corrupt(attribute))
    }

    pub(super) fn counters(&self) -> Result<Counters, StoreError> {
        Ok(Counters { replies: self.number(REPLIES)?, reposts: self.number(REPOSTS)?, likes: self.number(LIKES)? })
    }

    pub(super) fn corrupt(&self, attribute: &'static str) -> StoreError {
        StoreError::Corrupt { entity: self.entity, attribute }
    }
}
