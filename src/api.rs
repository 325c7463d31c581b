//! HTTP: what a request may be, and what is answered. All routes are in `api/router.rs`.

mod activities;
mod activity_body;
mod answer;
mod body;
mod compat;
mod cors;
mod cursor;
mod deadline;
mod error;
mod gateway;
mod health;
mod home;
mod idempotency;
mod identity;
mod keys;
mod listing;
mod message_body;
mod messages;
mod notifications;
mod openapi;
mod page;
mod path;
mod profile;
mod reactions;
mod replies;
mod router;
mod schema;
mod search;
mod users;

use crate::clock::Clock;
use crate::store::Store;

pub use compat::Compat;
pub use cors::Origins;
pub use deadline::Deadline;
pub use gateway::gateway;
pub use identity::{Identity, Pool, ReadError};
pub use keys::Keys;
pub use openapi::openapi;
pub use router::{Access, ROUTES, Route, router};

/// What every handler may use. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The table.
    pub store: Store,
    /// Time and new ids.
    pub clock: Clock,
    /// Keys of cursors and of hashed user ids.
    pub keys: Keys,
    /// How users are told.
    pub identity: Identity,
    /// The web pages that may call.
    pub origins: Origins,
    /// The contract that is spoken.
    pub compat: Compat,
}
