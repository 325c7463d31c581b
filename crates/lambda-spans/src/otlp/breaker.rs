//! A circuit breaker per receiver: an unreachable receiver costs almost nothing, and a recovered one is not hit by all
//! execution environments at once.

use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One rejection concerns one request; several concern the key, the endpoint or the quota.
const REFUSALS: u32 = 3;
/// Shortest time between two reads of a rejected key. All environments of a function read it, and Systems Manager limits
/// the calls of an account.
const RENEWAL: Duration = Duration::from_secs(300);

/// Closed while requests succeed. After a failure it opens for a while; then one probe decides.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    refusals: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Returns whether an attempt is allowed.
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.open_until.is_none_or(|until| now >= until)
    }

    /// Returns whether the next attempt is a probe.
    pub(super) fn is_probing(&self) -> bool {
        self.open_until.is_some()
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Records a timeout, or a response that asks for a retry after `after`.
    pub(super) fn failed(&mut self, now: Instant, after: Option<Duration>) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        // Between half of the pause and the whole pause, at random in each environment.
        let jittered = pause.mul_f64(0.5 + 0.5 * fastrand::f64());
        self.open_until = Some(now + jittered.max(after.unwrap_or_default()));
    }

    /// Records a rejection that a retry would not change.
    pub(super) fn refused(&mut self, now: Instant) {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals >= REFUSALS {
            self.failed(now, None);
        }
    }
}

/// Returns the pause before attempt `n + 1` within one export.
pub(super) fn pause(attempts: u32) -> Duration {
    Duration::from_millis(25).saturating_mul(1 << attempts.min(6)).mul_f64(0.5 + 0.5 * fastrand::f64())
}

/// Limits how often a rejected key is read again. The read in the init phase does not count.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    last: Option<Instant>,
}

impl Renewal {
    /// Returns whether the key may be read now. If so, records this read.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= RENEWAL);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaker_pauses_grow_until_a_success() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        assert!(breaker.allows(start) && !breaker.is_probing());
        for (seconds, failures) in [(2, 1), (4, 2), (8, 3), (16, 4), (32, 5), (60, 6), (60, 7)] {
            breaker.failed(start, None);
            assert!(!breaker.allows(start + Duration::from_millis(seconds * 500 - 1)), "{failures}");
            assert!(breaker.allows(start + Duration::from_secs(seconds)), "{failures}");
            assert!(breaker.is_probing());
        }
        breaker.succeeded();
        assert!(breaker.allows(start) && !breaker.is_probing());
    }

    #[test]
    fn breaker_honors_the_receivers_pause() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.failed(start, Some(Duration::from_secs(600)));
        assert!(!breaker.allows(start + Duration::from_secs(599)));
        assert!(breaker.allows(start + Duration::from_secs(600)));
    }

    #[test]
    fn third_rejection_opens_the_breaker() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        breaker.refused(start);
        breaker.refused(start);
        assert!(breaker.allows(start));
        breaker.refused(start);
        assert!(!breaker.allows(start));
    }

    #[test]
    fn rejected_key_is_read_every_five_minutes_at_most() {
        let (mut renewal, start) = (Renewal::default(), Instant::now());
        let due = [0, 1, 299, 300, 301, 599, 600].map(|second| renewal.is_due(start + Duration::from_secs(second)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
