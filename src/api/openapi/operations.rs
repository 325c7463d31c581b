use axum::http::StatusCode;

use super::operation::Operation;
use crate::api::activities::{CreateActivityRequest, DeletedResponse};
use crate::api::activity_body::{ActivityResponse, CreatedResponse, ShowResponse};
use crate::api::health::HealthResponse;
use crate::api::message_body::{
    ConversationResponse, CreateMessageRequest, MessageResponse, OpenedResponse, SentResponse,
};
use crate::api::notifications::{NotificationResponse, ReadResponse};
use crate::api::profile::UpdateProfileRequest;
use crate::api::reactions::ReactionsResponse;
use crate::api::replies::CreateReplyRequest;
use crate::api::users::{ShortUserResponse, UserFeedResponse};
use crate::domain::Code;

const ACTIVITIES: &str = "activities";
const MESSAGES: &str = "messages";
const NOTIFICATIONS: &str = "notifications";
const SYSTEM: &str = "system";
const USERS: &str = "users";

pub(super) const TAGS: [(&str, &str); 5] = [
    (ACTIVITIES, "Posts, replies, likes and reposts."),
    (MESSAGES, "Conversations of two, which nobody else sees."),
    (NOTIFICATIONS, "What others did that concerns the user."),
    (USERS, "Users and their profiles."),
    (SYSTEM, "The API itself."),
];

const GONE: &[StatusCode] = &[StatusCode::NOT_FOUND];
const GONE_OR_NOT_ALLOWED: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::FORBIDDEN];
const NOT_WRITTEN: &[StatusCode] = &[StatusCode::FORBIDDEN, StatusCode::CONFLICT];
const GONE_OR_NOT_WRITTEN: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::CONFLICT];

const POST_CODES: &[Code] =
    &[Code::TtlBlank, Code::MessageBlank, Code::MessageExceedMaxChars, Code::MessageControlChars];
const REPLY_CODES: &[Code] = &[Code::MessageBlank, Code::MessageExceedMaxChars1024, Code::MessageControlChars];
const MESSAGE_CODES: &[Code] = &[
    Code::MessageBlank,
    Code::MessageExceedMaxChars1024,
    Code::MessageControlChars,
    Code::UserRecieverHandleBlank,
    Code::MessageGroupUuidBlank,
    Code::UserReceiverIsSender,
];
const PROFILE_CODES: &[Code] = &[
    Code::DisplayNameBlank,
    Code::DisplayNameExceedMaxChars,
    Code::DisplayNameControlChars,
    Code::BioExceedMaxChars,
    Code::BioControlChars,
];
const SEARCH_CODES: &[Code] = &[Code::SearchTermBlank, Code::SearchTermExceedMaxChars];

const OF_A_POST: &[&str] = &[
    "showActivity",
    "createReply",
    "likeActivity",
    "unlikeActivity",
    "repostActivity",
    "undoRepost",
    "deleteActivity",
];

/// A row for each row of the router's table.
pub(super) static OPERATIONS: [Operation; 22] = [
    Operation::new("GET", "/api/health-check", "checkHealth", SYSTEM)
        .about("Whether the function answers, and with `deep` whether the database does.")
        .takes(&["Deep"], &[])
        .answers::<HealthResponse>(),
    Operation::new("GET", "/api/openapi.json", "describe", SYSTEM)
        .about("This description.")
        .answers::<serde_json::Map<String, serde_json::Value>>(),
    Operation::new("GET", "/api/activities/home", "homeActivities", ACTIVITIES)
        .about("Everybody's posts, the newest first; to a user also whether the user likes them.")
        .lists()
        .answers::<Vec<ActivityResponse>>()
        .leads("/0/uuid", "activity_uuid", OF_A_POST),
    Operation::new("GET", "/api/activities/notifications", "notifications", NOTIFICATIONS)
        .about("Replies, likes, mentions and new conversations, the newest first.")
        .lists()
        .tells(&["Link", "UnreadCount"])
        .answers::<Vec<NotificationResponse>>(),
    Operation::new("PUT", "/api/activities/notifications", "readNotifications", NOTIFICATIONS)
        .about("The user has seen them all.")
        .tells(&["UnreadCount"])
        .answers::<ReadResponse>(),
    Operation::new("GET", "/api/activities/search", "searchActivities", ACTIVITIES)
        .about("The posts that have all the words, the newest first.")
        .takes(&["Term", "Limit", "Cursor"], SEARCH_CODES)
        .tells(&["Link"])
        .answers::<Vec<ActivityResponse>>(),
    Operation::new("GET", "/api/activities/@{handle}", "userFeed", USERS)
        .about("A user, and the user's posts, the newest first.")
        .lists()
        .answers::<UserFeedResponse>()
        .fails(GONE),
    Operation::new("GET", "/api/activities/@{handle}/status/{activity_uuid}", "showStatus", ACTIVITIES)
        .about("A post of that user with the replies to it, the oldest first.")
        .takes(&["LimitOfReplies", "Cursor"], &[])
        .tells(&["Link"])
        .answers::<ShowResponse>()
        .fails(GONE),
    Operation::new("GET", "/api/activities/{activity_uuid}", "showActivity", ACTIVITIES)
        .about("A post or a reply with the replies to it, the oldest first.")
        .takes(&["LimitOfReplies", "Cursor"], &[])
        .tells(&["Link"])
        .answers::<ShowResponse>()
        .fails(GONE),
    Operation::new("POST", "/api/activities", "createActivity", ACTIVITIES)
        .about("A new post.")
        .asks::<CreateActivityRequest>(POST_CODES)
        .answers::<CreatedResponse>()
        .fails(NOT_WRITTEN)
        .leads("/uuid", "activity_uuid", OF_A_POST),
    Operation::new("DELETE", "/api/activities/{activity_uuid}", "deleteActivity", ACTIVITIES)
        .about("Takes back what the user wrote, with its replies and likes.")
        .answers::<DeletedResponse>()
        .fails(GONE_OR_NOT_ALLOWED),
    Operation::new("POST", "/api/activities/{activity_uuid}/reply", "createReply", ACTIVITIES)
        .about("A reply to a post or to another reply; it expires with what it replies to.")
        .asks::<CreateReplyRequest>(REPLY_CODES)
        .answers::<CreatedResponse>()
        .fails(GONE_OR_NOT_WRITTEN)
        .leads("/uuid", "activity_uuid", OF_A_POST),
    Operation::new("PUT", "/api/activities/{activity_uuid}/like", "likeActivity", ACTIVITIES)
        .about("The user likes it, now or already.")
        .answers::<ReactionsResponse>()
        .fails(GONE_OR_NOT_ALLOWED),
    Operation::new("DELETE", "/api/activities/{activity_uuid}/like", "unlikeActivity", ACTIVITIES)
        .about("The user does not like it any more.")
        .answers::<ReactionsResponse>()
        .fails(GONE_OR_NOT_ALLOWED),
    Operation::new("PUT", "/api/activities/{activity_uuid}/repost", "repostActivity", ACTIVITIES)
        .about("The user passes it on, now or already.")
        .answers::<ReactionsResponse>()
        .fails(GONE_OR_NOT_ALLOWED),
    Operation::new("DELETE", "/api/activities/{activity_uuid}/repost", "undoRepost", ACTIVITIES)
        .about("The user passes it on no more.")
        .answers::<ReactionsResponse>()
        .fails(GONE_OR_NOT_ALLOWED),
    Operation::new("GET", "/api/users/@{handle}/short", "shortUser", USERS)
        .about("Who has that handle.")
        .answers::<ShortUserResponse>()
        .fails(GONE),
    Operation::new("POST", "/api/profile/update", "updateProfileByPost", USERS)
        .about("The same as PUT, which some clients send.")
        .asks::<UpdateProfileRequest>(PROFILE_CODES)
        .answers::<ShortUserResponse>()
        .fails(NOT_WRITTEN),
    Operation::new("PUT", "/api/profile/update", "updateProfile", USERS)
        .about("Changes the user's name and bio.")
        .asks::<UpdateProfileRequest>(PROFILE_CODES)
        .answers::<ShortUserResponse>()
        .fails(NOT_WRITTEN),
    Operation::new("GET", "/api/message_groups", "messageGroups", MESSAGES)
        .about("The user's conversations, that with the newest message first.")
        .lists()
        .answers::<Vec<ConversationResponse>>()
        .leads("/0/uuid", "message_group_uuid", &["messages"]),
    Operation::new("GET", "/api/messages/{message_group_uuid}", "messages", MESSAGES)
        .about(
            "The newest messages of a conversation, in the order in which they were written; further pages are older.",
        )
        .lists()
        .answers::<Vec<MessageResponse>>()
        .fails(GONE_OR_NOT_ALLOWED),
    Operation::new("POST", "/api/messages", "createMessage", MESSAGES)
        .about("Writes to a conversation, or to a user, with whom there is then one.")
        .asks::<CreateMessageRequest>(MESSAGE_CODES)
        .answers_either::<SentResponse, OpenedResponse>()
        .fails(GONE_OR_NOT_WRITTEN)
        .leads("/message_group_uuid", "message_group_uuid", &["messages"]),
];
