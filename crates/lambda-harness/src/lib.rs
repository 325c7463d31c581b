//! What stands around a Lambda function, for tests of a real binary.
//!
//! - [`Lambda`]: the Runtime API. It stops the process (SIGSTOP) from the moment it asks for the next event
//!   until that event comes, as Lambda does.
//! - [`XrayDaemon`]: takes X-Ray's datagrams.
//! - [`OtlpReceiver`]: takes OTLP/HTTP requests, answers as told.
//!
//! It belongs to tests: what goes wrong here panics and says what.
#![expect(clippy::expect_used, clippy::panic, reason = "a fault of the harness is a fault of the test")]

mod lambda;
mod otlp;
mod xray;

pub use lambda::{Answer, Event, Lambda};
pub use otlp::{Collected, OtlpReceiver, Reply};
pub use xray::XrayDaemon;
