//! Decides when spans are sent over OTLP: after each response, or in batches during later invocations.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::trace::sampling::Verdict;

/// Invocations at shorter intervals are a burst: the next one exports the spans of this one.
const BURST: Duration = Duration::from_millis(500);

/// When spans are sent over OTLP. X-Ray's datagrams are always sent after the response, because they cost microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushMode {
    /// After every response. No span waits while the process is frozen.
    End,
    /// After the response if invocations are rare, or if the invocation failed or was slow. In a burst, in batches
    /// during a later invocation.
    #[default]
    Adaptive,
    /// In a background task. For processes that are never frozen.
    Background,
}

/// The intervals between invocations.
#[derive(Debug)]
pub(crate) struct Traffic {
    mode: FlushMode,
    last_end: Mutex<Option<Moment>>,
}

impl Traffic {
    pub(crate) fn new(mode: FlushMode) -> Self {
        Self { mode, last_end: Mutex::default() }
    }

    pub(crate) fn mode(&self) -> FlushMode {
        self.mode
    }

    /// Returns whether an invocation that starts at `now` belongs to a burst.
    pub(crate) fn is_burst(&self, now: Moment) -> bool {
        let last_end = *self.last_end.lock().unwrap_or_else(PoisonError::into_inner);
        last_end.is_some_and(|end| now.since(end) < BURST)
    }

    pub(crate) fn ended(&self, now: Moment) {
        *self.last_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Returns whether the spans of an invocation must be sent before the next poll.
    pub(crate) fn must_flush(&self, burst: bool, verdict: Verdict) -> bool {
        match self.mode {
            FlushMode::End => true,
            FlushMode::Adaptive => !burst || verdict.failed || verdict.slow,
            FlushMode::Background => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Verdict = Verdict { failed: false, slow: false };

    #[test]
    fn rare_invocations_are_not_a_burst() {
        let (traffic, start) = (Traffic::new(FlushMode::Adaptive), Moment::now());
        assert!(!traffic.is_burst(start));
        traffic.ended(start);
        assert!(traffic.is_burst(start.after(Duration::from_millis(499))));
        assert!(!traffic.is_burst(start.after(Duration::from_millis(500))));
        assert!(!traffic.is_burst(start.after_freeze(Duration::from_millis(500))));
    }

    #[test]
    fn burst_flushes_only_failed_and_slow_invocations() {
        let traffic = Traffic::new(FlushMode::Adaptive);
        assert!(traffic.must_flush(false, FINE));
        assert!(!traffic.must_flush(true, FINE));
        assert!(traffic.must_flush(true, Verdict { failed: true, slow: false }));
        assert!(traffic.must_flush(true, Verdict { failed: false, slow: true }));
    }

    #[test]
    fn end_always_flushes_and_background_never() {
        assert!(Traffic::new(FlushMode::End).must_flush(true, FINE));
        assert!(!Traffic::new(FlushMode::Background).must_flush(false, Verdict { failed: true, slow: true }));
    }
}
