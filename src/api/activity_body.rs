//! The JSON bodies of posts, with the field names of the original API.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::schema::{HandleText, IdText, TimeText};
use crate::domain::{Counters, Post};

// Flattened into all bodies with a post. A doc comment would become the description of a body without its own.
#[derive(Serialize, JsonSchema)]
struct PostFields {
    #[schemars(with = "IdText")]
    uuid: String,
    display_name: String,
    #[schemars(with = "HandleText")]
    handle: String,
    message: String,
}

#[derive(Serialize, JsonSchema)]
struct CounterFields {
    replies_count: u64,
    reposts_count: u64,
    likes_count: u64,
}

/// A post in a list.
#[derive(Serialize, JsonSchema)]
pub(super) struct ActivityResponse {
    #[serde(flatten)]
    post: PostFields,
    #[serde(flatten)]
    counters: CounterFields,
    #[schemars(with = "TimeText")]
    expires_at: String,
    #[schemars(with = "TimeText")]
    created_at: String,
    /// Only of a reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<IdText>")]
    reply_to_activity_uuid: Option<String>,
    /// Only where a user asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) liked: Option<bool>,
    /// Only for the client of the original's first weeks, which adds a reply to the list that it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub(super) replies: Option<Vec<ReplyResponse>>,
}

/// A post that was just made.
#[derive(Serialize, JsonSchema)]
pub(super) struct CreatedResponse {
    #[serde(flatten)]
    post: PostFields,
    #[schemars(with = "TimeText")]
    created_at: String,
    #[schemars(with = "TimeText")]
    expires_at: String,
    #[schemars(with = "Option<IdText>")]
    reply_to_activity_uuid: Option<String>,
}

/// A post with its replies.
#[derive(Serialize, JsonSchema)]
pub(super) struct ShowResponse {
    activity: ActivityResponse,
    replies: Vec<ReplyResponse>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ReplyResponse {
    #[serde(flatten)]
    post: PostFields,
    #[serde(flatten)]
    counters: CounterFields,
    #[schemars(with = "IdText")]
    reply_to_activity_uuid: Option<String>,
    #[schemars(with = "TimeText")]
    created_at: String,
}

/// Formats a time as RFC 3339 in UTC with milliseconds.
pub(super) fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn parent(post: &Post) -> Option<String> {
    post.parent.map(|parent| parent.to_string())
}

impl From<&Post> for PostFields {
    fn from(post: &Post) -> Self {
        Self {
            uuid: post.id.to_string(),
            display_name: post.author.display_name.clone(),
            handle: post.author.handle.as_str().to_owned(),
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
            expires_at: rfc3339(post.expires_at),
            created_at: rfc3339(post.id.created_at()),
            reply_to_activity_uuid: parent(post),
            liked: None,
            replies: None,
        }
    }
}

impl From<&Post> for CreatedResponse {
    fn from(post: &Post) -> Self {
        Self {
            post: post.into(),
            created_at: rfc3339(post.id.created_at()),
            expires_at: rfc3339(post.expires_at),
            reply_to_activity_uuid: parent(post),
        }
    }
}

impl From<&Post> for ReplyResponse {
    fn from(post: &Post) -> Self {
        Self {
            post: post.into(),
            counters: post.counters.into(),
            reply_to_activity_uuid: parent(post),
            created_at: rfc3339(post.id.created_at()),
        }
    }
}

impl ShowResponse {
    pub(super) fn new(post: &Post, replies: &[Post]) -> Self {
        Self { activity: post.into(), replies: replies.iter().map(ReplyResponse::from).collect() }
    }
}
