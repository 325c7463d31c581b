//! Tests of the local server over loopback, with real clients.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod clients;
mod console;
mod docs;
mod endpoint;
mod in_process;
mod layout;
mod local_server;
mod seed;
mod stream;
mod support;
