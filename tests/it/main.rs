//! The one integration binary: every route and promise, at the public edge, on an embedded DynamoDB.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that does not find what it looks for fails")]

mod config;
mod conflicts;
mod costs;
mod create;
mod cursor;
mod data_model;
mod deadline;
mod delete;
mod domain;
mod errors;
mod events;
mod gateway;
mod health;
mod home;
mod idempotency;
mod keys;
mod lambda;
mod messages;
mod model;
mod notifications;
mod outage;
mod profile;
mod reactions;
mod replies;
mod search;
mod show;
mod spans;
mod store;
mod stream;
mod stream_function;
mod support;
mod template;
mod tidy;
mod users;
