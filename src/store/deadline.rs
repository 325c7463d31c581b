//! The moment at which an invocation's calls have to end, known to each of them.
//!
//! It belongs to the task, so that neither handlers nor the store's methods pass it on, and none can forget to.

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

/// No answer comes sooner: with less than that left, nothing is begun any more.
const SHORTEST: Duration = Duration::from_millis(20);

/// What would have to be done later than the invocation's end.
#[derive(Debug, thiserror::Error)]
#[error("there was no time left")]
pub struct NoTimeLeft;

/// The time until Lambda ends an invocation, at `deadline` in epoch milliseconds. One that has passed before the
/// invocation begins says nothing: some emulators send zero, or another clock's time.
#[must_use]
pub fn until(deadline: u64, now: Timestamp) -> Option<Duration> {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    deadline.checked_sub(now).filter(|left| *left > 0).map(Duration::from_millis)
}

/// Does `work`, whose calls all end by `at`; or earlier, where what is around it says so.
pub async fn by<F: Future>(at: Instant, work: F) -> F::Output {
    let at = DEADLINE.try_with(|outer| at.min(*outer)).unwrap_or(at);
    DEADLINE.scope(at, work).await
}

/// Does `work` that is no call of the store's, and gives it up at the moment that is said by [`by`], if any is.
///
/// # Errors
/// [`NoTimeLeft`], when it came to no end.
pub async fn in_time<F: Future>(work: F) -> Result<F::Output, NoTimeLeft> {
    match left() {
        Some(left) if left < SHORTEST => Err(NoTimeLeft),
        Some(left) => tokio::time::timeout(left, work).await.map_err(|_elapsed| NoTimeLeft),
        None => Ok(work.await),
    }
}

/// Whether a call that begins after that pause can end in time.
pub(super) fn allows(pause: Duration) -> bool {
    left().is_none_or(|left| left >= pause + SHORTEST)
}

fn left() -> Option<Duration> {
    DEADLINE.try_with(|at| at.saturating_duration_since(Instant::now())).ok()
}

/// An interceptor that gives each operation the least of its own limits and what is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepDeadline;

impl Intercept for KeepDeadline {
    fn name(&self) -> &'static str {
        "KeepDeadline"
    }

    // Here, since the SDK reads its limits right after.
    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(left) = left() else { return Ok(()) };
        begin()?;
        let own = config.load::<TimeoutConfig>().cloned();
        let own = own.unwrap_or_else(|| TimeoutConfig::builder().build());
        let least = |own: Option<Duration>| own.map_or(left, |own| own.min(left));
        // Not that of connecting: the SDK would keep connections apart by it, and never find one that is open.
        let timeouts = own
            .to_builder()
            .operation_timeout(least(own.operation_timeout()))
            .operation_attempt_timeout(least(own.operation_attempt_timeout()));
        config.interceptor_state().store_put(timeouts.build());
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        begin()
    }
}

fn begin() -> Result<(), BoxError> {
    if allows(Duration::ZERO) { Ok(()) } else { Err(NoTimeLeft.into()) }
}
