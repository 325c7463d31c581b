//! Conversations and direct messages as clients see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::activity_body::rfc3339;
use super::schema::{self, HandleText, IdText, TimeText};
use crate::domain::{Author, Conversation, DirectMessage, Id, Invalid, Message, MessageDraft};

/// What a client sends to write to somebody. What is missing is treated as blank.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    example = json!({ "message": "Qapla'!", "handle": "worf" }),
    extend("anyOf" = schema::any_of_texts(["handle", "user_receiver_handle", "message_group_uuid"])),
)]
pub(super) struct CreateMessageRequest {
    /// What it says.
    #[schemars(required, length(min = 1, max = Message::MAX_DIRECT), regex(pattern = schema::TEXT))]
    message: Option<String>,
    /// Whom it is for; the answer names the conversation.
    #[schemars(regex(pattern = schema::NOT_BLANK))]
    handle: Option<String>,
    /// What the first clients call the handle; they show the message that is answered.
    #[schemars(regex(pattern = schema::NOT_BLANK))]
    user_receiver_handle: Option<String>,
    /// The conversation that it is for, before any handle.
    #[schemars(regex(pattern = schema::NOT_BLANK))]
    message_group_uuid: Option<String>,
}

/// A conversation in a list: the names are of the other user.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConversationResponse {
    #[schemars(with = "IdText")]
    uuid: String,
    display_name: String,
    #[schemars(with = "HandleText")]
    handle: String,
    message: String,
    #[schemars(with = "TimeText")]
    created_at: String,
}

/// A message in a list: the names are of who wrote it.
#[derive(Serialize, JsonSchema)]
pub(super) struct MessageResponse {
    #[schemars(with = "IdText")]
    uuid: String,
    display_name: String,
    #[schemars(with = "HandleText")]
    handle: String,
    message: String,
    #[schemars(with = "TimeText")]
    created_at: String,
}

/// A message that was just sent to a conversation.
#[derive(Serialize, JsonSchema)]
pub(super) struct SentResponse {
    #[schemars(with = "IdText")]
    message_group_uuid: String,
    #[serde(flatten)]
    message: MessageResponse,
}

/// The conversation that a message to a user went to.
#[derive(Serialize, JsonSchema)]
pub(super) struct OpenedResponse {
    #[schemars(with = "IdText")]
    pub(super) message_group_uuid: String,
}

impl CreateMessageRequest {
    pub(super) fn draft(&self) -> Result<MessageDraft, Invalid> {
        let handle = self.handle.as_deref().or(self.user_receiver_handle.as_deref());
        MessageDraft::parse(self.message.as_deref().unwrap_or_default(), handle, self.message_group_uuid.as_deref())
    }

    /// Whether the client goes to the conversation next; others show the message.
    pub(super) fn goes_on_to_conversation(&self) -> bool {
        self.handle.is_some() && self.message_group_uuid.is_none()
    }
}

impl From<&Conversation> for ConversationResponse {
    fn from(conversation: &Conversation) -> Self {
        Self {
            uuid: conversation.id.to_string(),
            display_name: conversation.other.display_name.clone(),
            handle: conversation.other.handle.as_str().to_owned(),
            message: conversation.message.as_str().to_owned(),
            created_at: rfc3339(conversation.last.created_at()),
        }
    }
}

impl MessageResponse {
    pub(super) fn new(id: Id, author: &Author, message: &str) -> Self {
        Self {
            uuid: id.to_string(),
            display_name: author.display_name.clone(),
            handle: author.handle.as_str().to_owned(),
            message: message.to_owned(),
            created_at: rfc3339(id.created_at()),
        }
    }

    /// The names of whichever of the two wrote it.
    pub(super) fn of(message: &DirectMessage, me: &Author, other: &Author) -> Self {
        let author = if message.sender == me.user_uuid { me } else { other };
        Self::new(message.id, author, message.message.as_str())
    }
}

impl SentResponse {
    pub(super) fn new(message_group_uuid: String, message: MessageResponse) -> Self {
        Self { message_group_uuid, message }
    }
}
