//! Values and rules of Cruddur: no I/O, no async, no framework.

mod activity;
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
mod reply;
mod search;
mod ttl;

pub use activity::{Activity, Counters, Draft};
pub use conversation::{Addressee, Conversation, DirectMessage, Letter};
pub use handle::{Handle, NotAHandle};
pub use id::Id;
pub use invalid::{Code, Invalid};
pub use mention::mentions;
pub use message::Message;
pub use notification::{Kind, Notification, Subject};
pub use post::Post;
pub use profile::{Author, Profile, ProfileEdit, User};
pub use reaction::{Reaction, Reactions};
pub use reply::Reply;
pub use search::{SearchTerm, words};
pub use ttl::Ttl;
