//! Request and response bodies of conversations and direct messages.

use serde::{Deserialize, Serialize};

use super::fields::{HandleText, IdText, TimeText};
use crate::domain::{Author, Conversation, DirectMessage, Id, Invalid, MessageDraft};

/// A new direct message. Validation treats a missing field as blank.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "openapi",
    derive(schemars::JsonSchema),
    schemars(
        example = serde_json::json!({ "message": "Qapla'!", "handle": "worf" }),
        extend("anyOf" = super::schema::any_of_texts(["handle", "user_receiver_handle", "message_group_uuid"])),
    ),
)]
pub(super) struct CreateMessageRequest {
    /// The text.
    #[cfg_attr(
        feature = "openapi",
        schemars(required, length(min = 1, max = crate::domain::Message::MAX_DIRECT), regex(pattern = super::schema::TEXT)),
    )]
    message: Option<String>,
    /// The receiver's handle. The response contains only the conversation's id.
    #[cfg_attr(feature = "openapi", schemars(regex(pattern = super::schema::NOT_BLANK)))]
    handle: Option<String>,
    /// The receiver's handle, as the first clients send it. The response contains the message.
    #[cfg_attr(feature = "openapi", schemars(regex(pattern = super::schema::NOT_BLANK)))]
    user_receiver_handle: Option<String>,
    /// The conversation's id. It takes precedence over a handle.
    #[cfg_attr(feature = "openapi", schemars(regex(pattern = super::schema::NOT_BLANK)))]
    message_group_uuid: Option<String>,
}

/// A conversation in a list, with the names of the other user and the newest message.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct ConversationResponse {
    uuid: IdText,
    display_name: String,
    handle: HandleText,
    message: String,
    created_at: TimeText,
}

/// A message in a list, with the names of its author.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct MessageResponse {
    uuid: IdText,
    display_name: String,
    handle: HandleText,
    message: String,
    created_at: TimeText,
}

// The response to a new message. Its form depends on how the request names the receiver.
#[derive(Serialize)]
#[serde(untagged)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
pub(super) enum CreateMessageResponse {
    Sent(SentResponse),
    Opened(OpenedResponse),
}

/// A new message and its conversation.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct SentResponse {
    message_group_uuid: IdText,
    #[serde(flatten)]
    message: MessageResponse,
}

/// The conversation of a new message.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(super) struct OpenedResponse {
    pub(super) message_group_uuid: IdText,
}

impl CreateMessageRequest {
    pub(super) fn draft(&self) -> Result<MessageDraft, Invalid> {
        let handle = self.handle.as_deref().or(self.user_receiver_handle.as_deref());
        MessageDraft::parse(self.message.as_deref().unwrap_or_default(), handle, self.message_group_uuid.as_deref())
    }

    /// Returns whether the client opens the conversation after sending. Other clients show the message.
    pub(super) fn opens_conversation(&self) -> bool {
        self.handle.is_some() && self.message_group_uuid.is_none()
    }
}

impl From<&Conversation> for ConversationResponse {
    fn from(conversation: &Conversation) -> Self {
        Self {
            uuid: conversation.id.into(),
            display_name: conversation.other.display_name.clone(),
            handle: (&conversation.other.handle).into(),
            message: conversation.message.as_str().to_owned(),
            created_at: conversation.last.created_at().into(),
        }
    }
}

impl MessageResponse {
    pub(super) fn new(id: Id, author: &Author, message: &str) -> Self {
        Self {
            uuid: id.into(),
            display_name: author.display_name.clone(),
            handle: (&author.handle).into(),
            message: message.to_owned(),
            created_at: id.created_at().into(),
        }
    }

    /// Returns a message of a conversation between `me` and `other`.
    pub(super) fn from_message(message: &DirectMessage, me: &Author, other: &Author) -> Self {
        let author = if message.sender == me.user_uuid { me } else { other };
        Self::new(message.id, author, message.message.as_str())
    }
}

impl SentResponse {
    pub(super) fn new(message_group_uuid: IdText, message: MessageResponse) -> Self {
        Self { message_group_uuid, message }
    }
}
