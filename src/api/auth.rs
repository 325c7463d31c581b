//! Authenticates requests.

mod challenge;
mod identity;
mod key_set;
mod middleware;
mod token;

pub(super) use challenge::Challenge;
pub(super) use identity::AuthError;
pub use identity::Identity;
pub use key_set::ReadError;
pub(super) use middleware::{SignedIn, optional, required};
pub(super) use token::BadToken;
pub use token::Pool;
