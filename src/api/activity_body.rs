//! The response bodies of posts, with the field names of the original API.

use serde::Serialize;

use super::Compat;
use super::fields::{HandleText, IdText, TimeText};
use crate::domain::{Counters, Post};

// Flattened into all bodies with a post. A doc comment would become the description of a body without its own.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct PostFields {
    uuid: IdText,
    display_name: String,
    handle: HandleText,
    message: String,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct CounterFields {
    replies_count: u64,
    reposts_count: u64,
    likes_count: u64,
}

/// A post in a list.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct ActivityResponse {
    #[serde(flatten)]
    post: PostFields,
    #[serde(flatten)]
    counters: CounterFields,
    expires_at: TimeText,
    created_at: TimeText,
    /// Present for replies.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_activity_uuid: Option<IdText>,
    /// Present if the request is authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) liked: Option<bool>,
    /// Present only for the client of the original's first weeks, which appends new replies to this list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(skip))]
    pub(super) replies: Option<Vec<ReplyResponse>>,
}

/// A new post or reply.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct CreatedResponse {
    #[serde(flatten)]
    post: PostFields,
    created_at: TimeText,
    expires_at: TimeText,
    reply_to_activity_uuid: Option<IdText>,
    /// Present only for the client of the original's first weeks, which appends new replies to this list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schemars(skip))]
    replies: Option<[ReplyResponse; 0]>,
}

/// A post or reply with the replies to it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct ShowResponse {
    activity: ActivityResponse,
    replies: Vec<ReplyResponse>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct ReplyResponse {
    #[serde(flatten)]
    post: PostFields,
    #[serde(flatten)]
    counters: CounterFields,
    #[cfg_attr(feature = "openapi", schemars(with = "IdText"))]
    reply_to_activity_uuid: Option<IdText>,
    created_at: TimeText,
}

impl From<&Post> for PostFields {
    fn from(post: &Post) -> Self {
        Self {
            uuid: post.id.into(),
            display_name: post.author.display_name.clone(),
            handle: (&post.author.handle).into(),
            message: post.message.as_str().to_owned(),
        }
    }
}

impl From<Counters> for CounterFields {
    fn from(Counters { replies, reposts, likes }: Counters) -> Self {
        Self { replies_count: replies, reposts_count: reposts, likes_count: likes }
    }
}

impl From<&Post> for ActivityResponse {
    fn from(post: &Post) -> Self {
        Self {
            post: post.into(),
            counters: post.counters.into(),
            expires_at: post.expires_at.into(),
            created_at: post.id.created_at().into(),
            reply_to_activity_uuid: post.parent.map(IdText::from),
            liked: None,
            replies: None,
        }
    }
}

impl CreatedResponse {
    pub(super) fn new(post: &Post, compat: Compat) -> Self {
        Self {
            post: post.into(),
            created_at: post.id.created_at().into(),
            expires_at: post.expires_at.into(),
            reply_to_activity_uuid: post.parent.map(IdText::from),
            replies: (compat == Compat::Week2).then_some([]),
        }
    }
}

impl From<&Post> for ReplyResponse {
    fn from(post: &Post) -> Self {
        Self {
            post: post.into(),
            counters: post.counters.into(),
            reply_to_activity_uuid: post.parent.map(IdText::from),
            created_at: post.id.created_at().into(),
        }
    }
}

impl ShowResponse {
    pub(super) fn new(post: &Post, replies: &[Post]) -> Self {
        Self { activity: post.into(), replies: replies.iter().map(ReplyResponse::from).collect() }
    }
}
