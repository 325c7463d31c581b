use jiff::Timestamp;
use uuid::Uuid;

use super::{Author, Code, Id, Invalid, Message};

/// A conversation as one of its two users sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The conversation's id.
    pub group: Id,
    /// The user on the other side.
    pub other: Author,
    /// What was said last.
    pub message: Message,
    /// The id of what was said last, which carries its time.
    pub last: Id,
}

/// What one user says to another; nobody else reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectMessage {
    /// The message's own id.
    pub id: Id,
    /// The conversation that it belongs to.
    pub group: Id,
    /// The public id of who wrote it.
    pub sender: Uuid,
    /// What it says.
    pub message: Message,
}

/// A message that is valid, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it says.
    pub message: Message,
    /// Whom it is for.
    pub to: Addressee,
}

/// Whom a message is for, as a client says it: there may be no such user or conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// The user with that handle.
    Handle(String),
    /// A conversation that there is already.
    Group(String),
}

impl Letter {
    /// `group` decides where it is given; otherwise the message is for the user with that `handle`.
    ///
    /// # Errors
    /// Every rule that the message and its address break, together.
    pub fn parse(message: &str, handle: Option<&str>, group: Option<&str>) -> Result<Self, Invalid> {
        let (message, to) = Invalid::both(Message::direct(message), Addressee::parse(handle, group))?;
        Ok(Self { message, to })
    }
}

impl Addressee {
    fn parse(handle: Option<&str>, group: Option<&str>) -> Result<Self, Invalid> {
        let (text, code, make): (_, _, fn(String) -> Self) = match group {
            Some(group) => (group, Code::MessageGroupUuidBlank, Self::Group),
            None => (handle.unwrap_or_default(), Code::UserRecieverHandleBlank, Self::Handle),
        };
        let text = text.trim();
        if text.is_empty() { Err(Invalid::of(code)) } else { Ok(make(text.to_owned())) }
    }
}

impl DirectMessage {
    /// When it was written, in whole milliseconds.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.id.created_at()
    }
}
