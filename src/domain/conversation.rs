use uuid::Uuid;

use super::{Author, Code, Id, Invalid, Message, text};

/// A conversation in the list of one of its two members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The conversation's id.
    pub id: Id,
    /// The other member.
    pub other: Author,
    /// The text of the latest message.
    pub message: Message,
    /// The id of the latest message, which contains its time.
    pub last: Id,
}

/// A message that only the two members of a conversation can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectMessage {
    /// The message's id.
    pub id: Id,
    /// The id of the conversation.
    pub conversation: Id,
    /// The sender's public id.
    pub sender: Uuid,
    /// The text.
    pub message: Message,
}

/// The validated input of a new direct message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageDraft {
    /// The text.
    pub message: Message,
    /// The recipient.
    pub recipient: Recipient,
}

/// The recipient that a client names. Whether the user or the conversation exists is not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// The user with this handle.
    Handle(String),
    /// The other member of this conversation.
    Conversation(String),
}

impl MessageDraft {
    /// Validates a message and its recipient. If both are given, `group` takes precedence over `handle`.
    ///
    /// # Errors
    /// [`Invalid`] with all codes of the text and of the recipient.
    pub fn parse(message: &str, handle: Option<&str>, group: Option<&str>) -> Result<Self, Invalid> {
        let (message, recipient) = Invalid::both(Message::direct(message), Recipient::parse(handle, group))?;
        Ok(Self { message, recipient })
    }
}

impl Recipient {
    fn parse(handle: Option<&str>, group: Option<&str>) -> Result<Self, Invalid> {
        let (named, code, variant): (_, _, fn(String) -> Self) = match group {
            Some(group) => (group, Code::MessageGroupUuidBlank, Self::Conversation),
            None => (handle.unwrap_or_default(), Code::UserRecieverHandleBlank, Self::Handle),
        };
        let named = named.trim();
        if text::is_blank(named) { Err(Invalid::new(code)) } else { Ok(variant(named.to_owned())) }
    }
}
