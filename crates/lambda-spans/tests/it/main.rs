//! Real functions in a Lambda that freezes them, and the traces that arrive.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aws_sdk;
mod cancellation;
mod client;
mod context;
mod destinations;
mod distance;
mod entry;
mod errors;
mod examples;
mod faults;
mod features;
mod freeze;
mod http;
mod large;
mod layers;
mod senders;
mod settings;
mod streaming;
mod support;
mod triggers;
mod viewer;
