use axum::http::StatusCode;
use axum::routing::on;

use super::activities::{self, CreateActivityRequest, DeletedResponse};
use super::activity_body::{ActivityResponse, CreatedResponse, ShowResponse};
use super::browser_spans::{self, ExportRequest, ExportResponse};
use super::home;
use super::message_body::{ConversationResponse, CreateMessageRequest, CreateMessageResponse, MessageResponse};
use super::messages;
use super::notifications::{self, NotificationResponse, ReadResponse};
use super::profile::{self, UpdateProfileRequest};
use super::reactions::{self, ReactionsResponse};
use super::replies::{self, CreateReplyRequest};
use super::route::{Access, Operation, Route};
use super::search;
use super::system::{self, HealthResponse};
use super::users::{self, ShortUserResponse, UserFeedResponse};
use crate::domain::Code;

/// The time for which caches may reuse a public response: as long as the anonymous home feed is kept in memory.
const LIST_SECONDS: u16 = 1;
/// The same for the API's description, which only a deployment changes.
const DESCRIPTION_SECONDS: u16 = 300;

/// All routes. The router and the API's description are made from these rows.
pub static ROUTES: [Route; 23] = [
    Route::get(
        "/api/health-check",
        Access::Public,
        |m| on(m, system::check_health),
        Operation::new(
            "checkHealth",
            SYSTEM,
            "Returns success if the function runs and, with `deep`, the database responds.",
        )
        .query(&["Deep"], &[])
        .returns::<HealthResponse>(),
    ),
    Route::get(
        "/api/openapi.json",
        Access::Public,
        |m| on(m, system::describe),
        Operation::new("describe", SYSTEM, "Returns this description.")
            .returns::<serde_json::Map<String, serde_json::Value>>(),
    )
    .public_for(DESCRIPTION_SECONDS),
    Route::get(
        "/api/activities/home",
        Access::Optional,
        |m| on(m, home::list),
        Operation::new(
            "homeActivities",
            ACTIVITIES,
            "Lists all posts, newest first. Authenticated users also see which posts they like.",
        )
        .paginated()
        .returns::<Vec<ActivityResponse>>()
        .leads_to(OPERATIONS_ON_A_POST, "activity_uuid", "/0/uuid"),
    )
    .public_for(LIST_SECONDS),
    Route::get(
        "/api/activities/notifications",
        Access::SignedIn,
        |m| on(m, notifications::list),
        Operation::new(
            "notifications",
            NOTIFICATIONS,
            "Lists replies, likes, mentions and new conversations, newest first.",
        )
        .paginated()
        .headers(&["Link", "UnreadCount"])
        .returns::<Vec<NotificationResponse>>(),
    ),
    Route::put(
        "/api/activities/notifications",
        Access::SignedIn,
        |m| on(m, notifications::mark_read),
        Operation::new("readNotifications", NOTIFICATIONS, "Marks all notifications as read.")
            .headers(&["UnreadCount"])
            .returns::<ReadResponse>(),
    ),
    Route::get(
        "/api/activities/search",
        Access::Optional,
        |m| on(m, search::search),
        Operation::new("searchActivities", ACTIVITIES, "Lists the posts that contain all words, newest first.")
            .query(&["Term", "Limit", "Cursor"], SEARCH_CODES)
            .headers(&["Link"])
            .returns::<Vec<ActivityResponse>>(),
    )
    .public_for(LIST_SECONDS),
    Route::get(
        "/api/activities/@{handle}",
        Access::Public,
        |m| on(m, users::feed),
        Operation::new("userFeed", USERS, "Returns a user and the user's posts, newest first.")
            .paginated()
            .returns::<UserFeedResponse>()
            .fails(NOT_FOUND),
    )
    .public_for(LIST_SECONDS),
    Route::get(
        "/api/activities/@{handle}/status/{activity_uuid}",
        Access::Public,
        |m| on(m, activities::show_status),
        Operation::new("showStatus", ACTIVITIES, "Returns a post of a user with the replies to it, oldest first.")
            .query(&["LimitOfReplies", "Cursor"], &[])
            .headers(&["Link"])
            .returns::<ShowResponse>()
            .fails(NOT_FOUND),
    )
    .public_for(LIST_SECONDS),
    Route::get(
        "/api/activities/{activity_uuid}",
        Access::Public,
        |m| on(m, activities::show),
        Operation::new("showActivity", ACTIVITIES, "Returns a post or reply with the replies to it, oldest first.")
            .query(&["LimitOfReplies", "Cursor"], &[])
            .headers(&["Link"])
            .returns::<ShowResponse>()
            .fails(NOT_FOUND),
    )
    .public_for(LIST_SECONDS),
    Route::post(
        "/api/activities",
        Access::SignedIn,
        |m| on(m, activities::create),
        Operation::new("createActivity", ACTIVITIES, "Creates a post.")
            .accepts::<CreateActivityRequest>(POST_CODES)
            .returns::<CreatedResponse>()
            .fails(FORBIDDEN_OR_CONFLICT)
            .leads_to(OPERATIONS_ON_A_POST, "activity_uuid", "/uuid"),
    ),
    Route::delete(
        "/api/activities/{activity_uuid}",
        Access::SignedIn,
        |m| on(m, activities::delete),
        Operation::new(
            "deleteActivity",
            ACTIVITIES,
            "Deletes a post or reply of the user, with its replies and likes.",
        )
        .returns::<DeletedResponse>()
        .fails(NOT_FOUND_OR_FORBIDDEN),
    ),
    Route::post(
        "/api/activities/{activity_uuid}/reply",
        Access::SignedIn,
        |m| on(m, replies::create),
        Operation::new(
            "createReply",
            ACTIVITIES,
            "Creates a reply to a post or to another reply. It expires together with its parent.",
        )
        .accepts::<CreateReplyRequest>(REPLY_CODES)
        .returns::<CreatedResponse>()
        .fails(NOT_FOUND_FORBIDDEN_OR_CONFLICT)
        .leads_to(OPERATIONS_ON_A_POST, "activity_uuid", "/uuid"),
    ),
    Route::put(
        "/api/activities/{activity_uuid}/like",
        Access::SignedIn,
        |m| on(m, reactions::like),
        Operation::new("likeActivity", ACTIVITIES, "Likes a post or reply. Repeating the request changes nothing.")
            .returns::<ReactionsResponse>()
            .fails(NOT_FOUND_OR_FORBIDDEN),
    ),
    Route::delete(
        "/api/activities/{activity_uuid}/like",
        Access::SignedIn,
        |m| on(m, reactions::unlike),
        Operation::new("unlikeActivity", ACTIVITIES, "Removes the user's like. Repeating the request changes nothing.")
            .returns::<ReactionsResponse>()
            .fails(NOT_FOUND_OR_FORBIDDEN),
    ),
    Route::put(
        "/api/activities/{activity_uuid}/repost",
        Access::SignedIn,
        |m| on(m, reactions::repost),
        Operation::new("repostActivity", ACTIVITIES, "Reposts a post or reply. Repeating the request changes nothing.")
            .returns::<ReactionsResponse>()
            .fails(NOT_FOUND_OR_FORBIDDEN),
    ),
    Route::delete(
        "/api/activities/{activity_uuid}/repost",
        Access::SignedIn,
        |m| on(m, reactions::undo_repost),
        Operation::new("undoRepost", ACTIVITIES, "Removes the user's repost. Repeating the request changes nothing.")
            .returns::<ReactionsResponse>()
            .fails(NOT_FOUND_OR_FORBIDDEN),
    ),
    Route::get(
        "/api/users/@{handle}/short",
        Access::Public,
        |m| on(m, users::short),
        Operation::new("shortUser", USERS, "Returns the id and names of a user.")
            .returns::<ShortUserResponse>()
            .fails(NOT_FOUND),
    )
    .public_for(LIST_SECONDS),
    Route::post(
        "/api/profile/update",
        Access::SignedIn,
        |m| on(m, profile::update),
        Operation::new("updateProfileByPost", USERS, "Does the same as PUT. Some clients send POST.")
            .accepts::<UpdateProfileRequest>(PROFILE_CODES)
            .returns::<ShortUserResponse>()
            .fails(FORBIDDEN_OR_CONFLICT),
    ),
    Route::put(
        "/api/profile/update",
        Access::SignedIn,
        |m| on(m, profile::update),
        Operation::new("updateProfile", USERS, "Changes the user's display name and bio.")
            .accepts::<UpdateProfileRequest>(PROFILE_CODES)
            .returns::<ShortUserResponse>()
            .fails(FORBIDDEN_OR_CONFLICT),
    ),
    Route::get(
        "/api/message_groups",
        Access::SignedIn,
        |m| on(m, messages::list_groups),
        Operation::new("messageGroups", MESSAGES, "Lists the user's conversations, ordered by their newest message.")
            .paginated()
            .returns::<Vec<ConversationResponse>>()
            .leads_to(&["messages"], "message_group_uuid", "/0/uuid"),
    ),
    Route::get(
        "/api/messages/{message_group_uuid}",
        Access::SignedIn,
        |m| on(m, messages::list),
        Operation::new(
            "messages",
            MESSAGES,
            "Lists the newest messages of a conversation, oldest first. Further pages contain older messages.",
        )
        .paginated()
        .returns::<Vec<MessageResponse>>()
        .fails(NOT_FOUND_OR_FORBIDDEN),
    ),
    Route::post(
        "/api/messages",
        Access::SignedIn,
        |m| on(m, messages::create),
        Operation::new(
            "createMessage",
            MESSAGES,
            "Sends a message to a conversation or a user. The first message to a user opens the conversation.",
        )
        .accepts::<CreateMessageRequest>(MESSAGE_CODES)
        .returns::<CreateMessageResponse>()
        .fails(NOT_FOUND_FORBIDDEN_OR_CONFLICT)
        .leads_to(&["messages"], "message_group_uuid", "/message_group_uuid"),
    ),
    Route::post(
        "/v1/traces",
        Access::Public,
        |m| on(m, browser_spans::receive),
        Operation::new(
            "sendSpans",
            SYSTEM,
            "Accepts spans of a web page in OTLP's JSON form. Invalid spans and unknown attributes are left out.",
        )
        .reads::<ExportRequest>()
        .returns::<ExportResponse>()
        .fails(BAD_REQUEST_FORBIDDEN_OR_NOT_FOUND),
    ),
];

const ACTIVITIES: &str = "activities";
const MESSAGES: &str = "messages";
const NOTIFICATIONS: &str = "notifications";
const SYSTEM: &str = "system";
const USERS: &str = "users";

/// The tags of the operations, with their descriptions.
#[cfg(feature = "openapi")]
pub(super) const TAGS: [(&str, &str); 5] = [
    (ACTIVITIES, "Posts, replies, likes and reposts."),
    (MESSAGES, "Private conversations between two users."),
    (NOTIFICATIONS, "Actions of other users that concern the user."),
    (USERS, "Users and their profiles."),
    (SYSTEM, "The API itself."),
];

const NOT_FOUND: &[StatusCode] = &[StatusCode::NOT_FOUND];
const BAD_REQUEST_FORBIDDEN_OR_NOT_FOUND: &[StatusCode] =
    &[StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
const NOT_FOUND_OR_FORBIDDEN: &[StatusCode] = &[StatusCode::NOT_FOUND, StatusCode::FORBIDDEN];
const FORBIDDEN_OR_CONFLICT: &[StatusCode] = &[StatusCode::FORBIDDEN, StatusCode::CONFLICT];
const NOT_FOUND_FORBIDDEN_OR_CONFLICT: &[StatusCode] =
    &[StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::CONFLICT];

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

const OPERATIONS_ON_A_POST: &[&str] = &[
    "showActivity",
    "createReply",
    "likeActivity",
    "unlikeActivity",
    "repostActivity",
    "undoRepost",
    "deleteActivity",
];
