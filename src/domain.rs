//! Values and rules of Cruddur: no I/O, no async, no framework.

mod activity;
mod handle;
mod id;
mod invalid;
mod message;
mod post;
mod profile;
mod reaction;
mod reply;
mod ttl;

pub use activity::{Activity, Counters, Draft};
pub use handle::{Handle, NotAHandle};
pub use id::Id;
pub use invalid::{Code, Invalid};
pub use message::Message;
pub use post::Post;
pub use profile::{Author, Profile, ProfileEdit, User};
pub use reaction::{Reaction, Reactions};
pub use reply::Reply;
pub use ttl::Ttl;
