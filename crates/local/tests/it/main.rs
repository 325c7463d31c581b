//! The local server through real clients, over loopback.

#![expect(clippy::unwrap_used, reason = "a test ends where what it needs is missing")]

mod clients;
mod endpoint;
mod running;
mod seed;
mod stream;
mod support;
