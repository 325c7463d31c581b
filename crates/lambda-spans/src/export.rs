//! Exports finished invocations to the destinations.

pub(crate) mod health;
pub(crate) mod outbox;
pub(crate) mod pipeline;
mod receiver;
pub(crate) mod resource;
pub(crate) mod terminal;
