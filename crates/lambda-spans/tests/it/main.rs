//! Real functions in a Lambda that freezes them, and the traces that arrive.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aws_sdk;
mod cancellation;
mod context;
mod distance;
mod entry;
mod errors;
mod examples;
mod faults;
mod features;
mod freeze;
mod http;
mod large;
mod settings;
mod streaming;
mod support;
mod triggers;
