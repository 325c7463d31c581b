//! Runs the real binary of a Lambda function in a test.
//!
//! - [`Lambda`]: one execution environment with its Runtime API. It freezes the process with SIGSTOP between
//!   invocations, as Lambda does.
//! - [`XrayDaemon`]: receives X-Ray segment documents over UDP.
//! - [`OtlpReceiver`]: receives traces over OTLP/HTTP and sends the responses that a test asks for.
//! - [`DistantEndpoint`]: TLS and round trips in front of a receiver, on a link that can fail.
//! - [`FaultProxy`]: forwards requests to an AWS service and injects faults.
//!
//! The harness needs Unix signals and a Tokio runtime; on other systems the crate is empty. All functions panic on
//! failure, and every wait ends after 60 seconds.
//!
//! ```no_run
//! # async fn example() {
//! use lambda_harness::{Event, Lambda, OtlpReceiver};
//!
//! let otlp = OtlpReceiver::start().await;
//! let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.endpoint())];
//! let mut lambda = Lambda::start("target/debug/my-function", &environment).await;
//! let result = lambda
//!     .invoke(Event {
//!         payload: "{}".to_owned(),
//!         trace_header: "Root=1-6925a400-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1".to_owned(),
//!         timeout: std::time::Duration::from_secs(10),
//!     })
//!     .await;
//! assert!(result.success, "{}", result.body);
//! lambda.wait_until_frozen().await;
//! assert_eq!(otlp.collected().spans.len(), 1);
//! # }
//! ```
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails where its harness fails")]

use std::panic::Location;
use std::time::Duration;

mod distant;
mod fault_proxy;
mod lambda;
mod otlp;
mod xray;

pub use distant::{DistantEndpoint, Link};
pub use fault_proxy::{Fault, FaultProxy, ProxiedRequest};
pub use lambda::{Event, InvocationResult, Lambda};
pub use otlp::{AfterResponse, Collected, OtlpReceiver, OtlpResponse, RawResponse};
pub use xray::XrayDaemon;

/// Far longer than any wait takes when the test passes.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Fails the test if `future` takes longer than [`MAX_WAIT`], and reports the caller's location.
#[track_caller]
fn with_timeout<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let location = Location::caller();
    async move {
        let result = tokio::time::timeout(MAX_WAIT, future).await;
        result.unwrap_or_else(|_| panic!("timed out at {location}"))
    }
}
