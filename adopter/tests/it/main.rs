//! The adopter's functions in a Lambda that freezes them, and their traces in both destinations.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod services;
mod testing;
mod text;
mod traces;
