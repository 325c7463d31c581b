//! What stands around a Lambda function, for tests of a real binary.
//!
//! - [`Lambda`]: the Runtime API. It stops the process (SIGSTOP) from the moment it asks for the next event
//!   until that event comes, as Lambda does.
//! - [`XrayDaemon`]: takes X-Ray's datagrams.
//! - [`FaultProxy`]: stands before a service, and fails as told.
//! - [`OtlpReceiver`]: takes OTLP/HTTP requests, answers as told.
//!
//! It belongs to tests: what goes wrong here panics and says what.
#![expect(clippy::expect_used, clippy::panic, reason = "a fault of the harness is a fault of the test")]

use std::panic::Location;
use std::time::Duration;

mod faults;
mod lambda;
mod otlp;
mod xray;

pub use faults::{Fault, FaultProxy, Request};
pub use lambda::{Answer, Event, Lambda};
pub use otlp::{Collected, OtlpReceiver, Raw, Reply, Then};
pub use xray::XrayDaemon;

/// Far longer than anything takes: what does not come in it will not come, and the test says where it waited.
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn within<F: Future>(what: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        let come = tokio::time::timeout(PATIENCE, what).await;
        come.unwrap_or_else(|_| panic!("waited in vain at {place}"))
    }
}
