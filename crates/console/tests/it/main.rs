//! Integration tests over real loopback sockets, in one binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that does not find what it looks for fails")]

mod api;
mod cli;
mod costs;
mod explore;
mod export;
mod flood;
mod grpc;
mod hostile;
#[cfg(feature = "mcp")]
mod mcp;
mod otlp_http;
mod otlp_json;
mod otlp_protobuf;
mod server;
mod support;
mod xray;
