//! Posts and replies as clients see them: the original's field names, in its order.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::schema::{HandleText, IdText, TimeText};
use crate::domain::{Activity, Post, Reply};

/// A post in a list.
#[derive(Serialize, JsonSchema)]
pub(super) struct ActivityResponse {
    #[schemars(with = "IdText")]
    uuid: String,
    display_name: String,
    #[schemars(with = "HandleText")]
    handle: String,
    message: String,
    replies_count: u64,
    reposts_count: u64,
    likes_count: u64,
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
    replies: Option<Vec<ReplyResponse>>,
}

impl ActivityResponse {
    pub(super) fn with_replies(self, replies: &[Reply]) -> Self {
        Self { replies: Some(replies.iter().map(ReplyResponse::from).collect()), ..self }
    }
}

/// A post that was just made.
#[derive(Serialize, JsonSchema)]
pub(super) struct CreatedResponse {
    #[schemars(with = "IdText")]
    uuid: String,
    display_name: String,
    #[schemars(with = "HandleText")]
    handle: String,
    message: String,
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
struct ReplyResponse {
    #[schemars(with = "IdText")]
    uuid: String,
    display_name: String,
    #[schemars(with = "HandleText")]
    handle: String,
    message: String,
    replies_count: u64,
    reposts_count: u64,
    likes_count: u64,
    #[schemars(with = "IdText")]
    reply_to_activity_uuid: String,
    #[schemars(with = "TimeText")]
    created_at: String,
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

impl From<&Activity> for ActivityResponse {
    fn from(activity: &Activity) -> Self {
        Self {
            uuid: activity.id().to_string(),
            display_name: activity.author().display_name.clone(),
            handle: activity.author().handle.as_str().to_owned(),
            message: activity.message().as_str().to_owned(),
            replies_count: activity.counters().replies,
            reposts_count: activity.counters().reposts,
            likes_count: activity.counters().likes,
            expires_at: rfc3339(activity.expires_at()),
            created_at: rfc3339(activity.created_at()),
            reply_to_activity_uuid: None,
            liked: None,
            replies: None,
        }
    }
}

impl From<&Post> for ActivityResponse {
    fn from(post: &Post) -> Self {
        let reply = match post {
            Post::Activity(activity) => return activity.into(),
            Post::Reply(reply) => reply,
        };
        Self {
            uuid: reply.id().to_string(),
            display_name: reply.author().display_name.clone(),
            handle: reply.author().handle.as_str().to_owned(),
            message: reply.message().as_str().to_owned(),
            replies_count: reply.counters().replies,
            reposts_count: reply.counters().reposts,
            likes_count: reply.counters().likes,
            expires_at: rfc3339(reply.expires_at()),
            created_at: rfc3339(reply.created_at()),
            reply_to_activity_uuid: Some(reply.parent().to_string()),
            liked: None,
            replies: None,
        }
    }
}

impl From<&Activity> for CreatedResponse {
    fn from(activity: &Activity) -> Self {
        Self {
            uuid: activity.id().to_string(),
            display_name: activity.author().display_name.clone(),
            handle: activity.author().handle.as_str().to_owned(),
            message: activity.message().as_str().to_owned(),
            created_at: rfc3339(activity.created_at()),
            expires_at: rfc3339(activity.expires_at()),
            reply_to_activity_uuid: None,
        }
    }
}

impl From<&Reply> for CreatedResponse {
    fn from(reply: &Reply) -> Self {
        Self {
            uuid: reply.id().to_string(),
            display_name: reply.author().display_name.clone(),
            handle: reply.author().handle.as_str().to_owned(),
            message: reply.message().as_str().to_owned(),
            created_at: rfc3339(reply.created_at()),
            expires_at: rfc3339(reply.expires_at()),
            reply_to_activity_uuid: Some(reply.parent().to_string()),
        }
    }
}

impl ShowResponse {
    pub(super) fn new(post: &Post, replies: &[Reply]) -> Self {
        Self { activity: post.into(), replies: replies.iter().map(ReplyResponse::from).collect() }
    }
}

impl From<&Reply> for ReplyResponse {
    fn from(reply: &Reply) -> Self {
        Self {
            uuid: reply.id().to_string(),
            display_name: reply.author().display_name.clone(),
            handle: reply.author().handle.as_str().to_owned(),
            message: reply.message().as_str().to_owned(),
            replies_count: reply.counters().replies,
            reposts_count: reply.counters().reposts,
            likes_count: reply.counters().likes,
            reply_to_activity_uuid: reply.parent().to_string(),
            created_at: rfc3339(reply.created_at()),
        }
    }
}
