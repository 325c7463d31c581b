//! Integration tests over real loopback sockets, in one binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that does not find what it looks for fails")]
