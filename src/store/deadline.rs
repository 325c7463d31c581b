//! The deadline of DynamoDB calls.
//!
//! It is task-local, so that handlers and store methods do not have to pass it on.

use std::time::Duration;

use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use jiff::Timestamp;
use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// The shortest time in which a call can succeed. With less time left, calls fail at once.
const MIN_TIME: Duration = Duration::from_millis(20);

/// The deadline of [`with_deadline`] has passed, or too little time is left to start a call.
#[derive(Debug, thiserror::Error)]
#[error("the deadline was exceeded")]
pub struct DeadlineExceeded;

/// Returns the time until `deadline`, in epoch milliseconds, at which Lambda ends the invocation, minus `reserve`.
///
/// Returns `None` if `deadline` is in the past: some emulators send zero, or the time of another clock.
#[must_use]
pub fn budget(deadline: u64, now: Timestamp, reserve: Duration) -> Option<Duration> {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    let left = deadline.checked_sub(now).filter(|left| *left > 0).map(Duration::from_millis);
    left.map(|left| left.saturating_sub(reserve))
}

/// Runs `work`, whose DynamoDB calls all end at `at`, or at the deadline of an enclosing call if that is earlier.
pub async fn with_deadline<F: Future>(at: Instant, work: F) -> F::Output {
    let at = DEADLINE.try_with(|outer| at.min(*outer)).unwrap_or(at);
    DEADLINE.scope(at, work).await
}

/// Runs `work`, which is not a DynamoDB call, and stops it at the deadline of [`with_deadline`], if there is one.
///
/// # Errors
/// [`DeadlineExceeded`] if `work` did not complete.
pub async fn stop_at_deadline<F: Future>(work: F) -> Result<F::Output, DeadlineExceeded> {
    match left() {
        Some(left) if left < MIN_TIME => Err(DeadlineExceeded),
        Some(left) => tokio::time::timeout(left, work).await.map_err(|_elapsed| DeadlineExceeded),
        None => Ok(work.await),
    }
}

/// Returns whether a call after that pause can succeed before the deadline.
pub(super) fn allows(pause: Duration) -> bool {
    left().is_none_or(|left| left >= pause + MIN_TIME)
}

fn left() -> Option<Duration> {
    DEADLINE.try_with(|at| at.saturating_duration_since(Instant::now())).ok()
}

/// An interceptor that shortens the timeouts of each operation to the time left.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeadlineInterceptor;

impl Intercept for DeadlineInterceptor {
    fn name(&self) -> &'static str {
        "DeadlineInterceptor"
    }

    // The SDK reads the timeouts directly after this hook.
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(left) = left() else { return Ok(()) };
        check_deadline()?;
        let own = config.load::<TimeoutConfig>().cloned();
        let own = own.unwrap_or_else(|| TimeoutConfig::builder().build());
        let shortened = |own: Option<Duration>| own.map_or(left, |own| own.min(left));
        // The connect timeout stays: connections with different connect timeouts are not shared.
        let timeouts = own
            .to_builder()
            .operation_timeout(shortened(own.operation_timeout()))
            .operation_attempt_timeout(shortened(own.operation_attempt_timeout()));
        config.interceptor_state().store_put(timeouts.build());
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        check_deadline()
    }
}

fn check_deadline() -> Result<(), BoxError> {
    if allows(Duration::ZERO) { Ok(()) } else { Err(DeadlineExceeded.into()) }
}
