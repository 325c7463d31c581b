//! The HTTP API. `api/routes.rs` contains all routes.

mod activities;
mod activity_body;
mod auth;
mod body;
mod browser_spans;
mod cache;
mod cors;
mod cursor;
mod deadline;
mod error;
mod fields;
mod gateway;
mod home;
mod idempotency;
mod kept_home;
mod keys;
mod layout;
mod message_body;
mod messages;
mod notifications;
#[cfg(feature = "openapi")]
mod openapi;
mod pagination;
mod path;
mod principal;
mod problem;
mod profile;
mod reactions;
mod replies;
mod route;
mod router;
mod routes;
#[cfg(feature = "openapi")]
mod schema;
mod search;
mod state;
mod system;
mod users;

pub use auth::{Identity, Pool, ReadError};
pub use browser_spans::forwarding::BrowserSpans;
pub use cors::{Origins, allow_pages};
pub use deadline::Deadline;
pub use gateway::gateway;
pub use keys::Keys;
#[cfg(feature = "openapi")]
pub use openapi::openapi;
pub use problem::expects_array;
pub use route::{Access, Route};
pub use router::router;
pub use routes::ROUTES;
pub use state::{AppState, Compat};
