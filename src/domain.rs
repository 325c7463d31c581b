//! The values and validation rules of Cruddur: no I/O, no async, no framework.

mod conversation;
mod handle;
mod id;
mod invalid;
mod mention;
mod message;
mod notification;
mod post;
mod profile;
mod reaction;
mod search;
mod text;
mod ttl;

pub use conversation::{Conversation, DirectMessage, MessageDraft, Recipient};
pub use handle::{Handle, InvalidHandle};
pub use id::Id;
pub use invalid::{Code, Invalid};
pub use mention::mentions;
pub use message::Message;
pub use notification::{Notification, NotificationKind, Subject};
pub use post::{Counters, Post, PostDraft};
pub use profile::{Author, Profile, ProfileEdit, User};
pub use reaction::{Reaction, Reactions};
pub use search::{Lookup, SearchTerm, SearchText, WordList};
pub use ttl::Ttl;
