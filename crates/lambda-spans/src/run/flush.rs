//! When OTLP gets what is finished: after each response, or several invocations' at once beside a later one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::trace::sampling::Verdict;

/// Invocations that follow each other faster than this are a burst: the next will take the spans of this one along.
const BURST: Duration = Duration::from_millis(500);

/// When spans leave by OTLP. X-Ray's datagrams always leave after the response: they cost microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushMode {
    /// After every response. Nothing waits when the process is frozen.
    End,
    /// After the response while traffic is slow, or when the invocation failed or was slow. In a burst, together
    /// and beside a later invocation.
    #[default]
    Adaptive,
    /// By a task of its own. For processes that are never frozen.
    Background,
}

/// How closely invocations follow each other.
#[derive(Debug)]
pub(crate) struct Traffic {
    mode: FlushMode,
    last_end: Mutex<Option<Instant>>,
}

impl Traffic {
    pub(crate) fn new(mode: FlushMode) -> Self {
        Self { mode, last_end: Mutex::default() }
    }

    pub(crate) fn mode(&self) -> FlushMode {
        self.mode
    }

    /// Whether an invocation that begins at `now` is one of a burst.
    pub(crate) fn is_burst(&self, now: Instant) -> bool {
        let last_end = *self.last_end.lock().unwrap_or_else(PoisonError::into_inner);
        last_end.is_some_and(|end| now.saturating_duration_since(end) < BURST)
    }

    pub(crate) fn ended(&self, now: Instant) {
        *self.last_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Whether the spans of an invocation must leave before the next event is asked for.
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
    fn the_first_invocation_and_one_after_a_pause_are_no_burst() {
        let (traffic, start) = (Traffic::new(FlushMode::Adaptive), Instant::now());
        assert!(!traffic.is_burst(start));
        traffic.ended(start);
        assert!(traffic.is_burst(start + Duration::from_millis(499)));
        assert!(!traffic.is_burst(start + Duration::from_millis(500)));
    }

    #[test]
    fn in_a_burst_only_failures_and_slow_invocations_leave_at_once() {
        let traffic = Traffic::new(FlushMode::Adaptive);
        assert!(traffic.must_flush(false, FINE));
        assert!(!traffic.must_flush(true, FINE));
        assert!(traffic.must_flush(true, Verdict { failed: true, slow: false }));
        assert!(traffic.must_flush(true, Verdict { failed: false, slow: true }));
    }

    #[test]
    fn at_the_end_everything_leaves_and_in_the_background_nothing_waits() {
        assert!(Traffic::new(FlushMode::End).must_flush(true, FINE));
        assert!(!Traffic::new(FlushMode::Background).must_flush(false, Verdict { failed: true, slow: true }));
    }
}
