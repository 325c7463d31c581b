//! Real functions in a Lambda that freezes them, and what arrives of their traces.

mod aws_sdk;
mod context;
mod http;
mod streaming;
mod support;
mod triggers;
