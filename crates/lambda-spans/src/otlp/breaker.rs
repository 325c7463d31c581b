//! A circuit breaker per receiver: an unreachable receiver costs almost nothing, and a recovered one is not hit by all
//! execution environments at once.

use std::time::Duration;

use crate::clock::Moment;

const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One rejection concerns one request; several concern the key, the endpoint or the quota.
const REFUSALS: u32 = 3;
/// While the receiver does not respond, one in this many exports waits for it. With the default budget of 800 ms, a
/// silent receiver then costs 4 ms per invocation.
const EXPORTS_BETWEEN_WAITS: u32 = 200;
/// The first export after this time waits, too.
const TIME_BETWEEN_WAITS: Duration = Duration::from_secs(10);
/// Shortest time between two reads of a rejected key. All environments of a function read it, and Systems Manager limits
/// the calls of an account.
const RENEWAL: Duration = Duration::from_secs(300);

/// Closed while requests succeed. After a failure it opens for a while; then one probe decides.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    refusals: u32,
    open: Option<Pause>,
    waited: Option<Wait>,
}

#[derive(Debug)]
struct Pause {
    since: Moment,
    length: Duration,
}

/// The last wait for a receiver that did not respond in time.
#[derive(Debug)]
struct Wait {
    length: Duration,
    ended: Moment,
    /// The exports since then.
    exports: u32,
}

impl Breaker {
    /// Returns whether an attempt is allowed.
    pub(super) fn allows(&self, now: Moment) -> bool {
        self.open.as_ref().is_none_or(|pause| now.since(pause.since) >= pause.length)
    }

    /// Returns whether the next attempt is a probe.
    pub(super) fn is_probing(&self) -> bool {
        self.open.is_some()
    }

    /// Returns whether an export may wait for the receiver. Call it once for each export.
    pub(super) fn allows_waiting(&mut self, now: Moment) -> bool {
        let may_wait = self.waited.as_mut().is_none_or(|wait| {
            wait.exports += 1;
            wait.exports >= EXPORTS_BETWEEN_WAITS || now.since(wait.ended) >= TIME_BETWEEN_WAITS
        });
        may_wait && self.allows(now)
    }

    /// Records a response after `time`. A response that takes longer than the export waited closes the breaker, but
    /// still only one in many exports waits.
    pub(super) fn succeeded(&mut self, time: Duration) {
        let waited = self.waited.take().filter(|wait| time > wait.length);
        *self = Self { waited, ..Self::default() };
    }

    /// Records a failed attempt, or a response that asks for a retry after `after`.
    pub(super) fn failed(&mut self, now: Moment, after: Option<Duration>) {
        // An attempt for which an export has already waited may also fail later.
        if self.allows(now) {
            self.open_for(now, after);
        }
    }

    /// Records that an export has waited for `length` without a response.
    pub(super) fn waited(&mut self, now: Moment, length: Duration) {
        self.waited = Some(Wait { length, ended: now, exports: 0 });
        self.failed(now, None);
    }

    /// Records a rejection that a retry would not change.
    pub(super) fn refused(&mut self, now: Moment) {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals >= REFUSALS {
            self.failed(now, None);
        }
    }

    fn open_for(&mut self, now: Moment, after: Option<Duration>) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        // Between half of the pause and the whole pause, at random in each environment.
        let jittered = pause.mul_f64(0.5 + 0.5 * fastrand::f64());
        self.open = Some(Pause { since: now, length: jittered.max(after.unwrap_or_default()) });
    }
}

/// Returns the pause before attempt `n + 1` within one export.
pub(super) fn pause(attempts: u32) -> Duration {
    Duration::from_millis(25).saturating_mul(1 << attempts.min(6)).mul_f64(0.5 + 0.5 * fastrand::f64())
}

/// Limits how often a rejected key is read again. The read in the init phase does not count.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    last: Option<Moment>,
}

impl Renewal {
    /// Returns whether the key may be read now. If so, records this read.
    pub(super) fn is_due(&mut self, now: Moment) -> bool {
        let due = self.last.is_none_or(|last| now.since(last) >= RENEWAL);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(800);

    /// After a freeze in which the boot-time clock stood still.
    fn frozen(start: Moment, milliseconds: u64) -> Moment {
        start.after_freeze(Duration::from_millis(milliseconds))
    }

    #[test]
    fn breaker_pauses_grow_until_a_success() {
        let mut start = Moment::now();
        let mut breaker = Breaker::default();
        assert!(breaker.allows(start) && !breaker.is_probing());
        for (seconds, failures) in [(2, 1), (4, 2), (8, 3), (16, 4), (32, 5), (60, 6), (60, 7)] {
            breaker.failed(start, None);
            assert!(!breaker.allows(frozen(start, seconds * 500 - 1)), "{failures}");
            start = frozen(start, seconds * 1000);
            assert!(breaker.allows(start), "{failures}");
            assert!(breaker.is_probing());
        }
        breaker.succeeded(Duration::ZERO);
        assert!(breaker.allows(start) && !breaker.is_probing());
    }

    #[test]
    fn breaker_honors_the_receivers_pause() {
        let start = Moment::now();
        let mut breaker = Breaker::default();
        breaker.failed(start, Some(Duration::from_secs(600)));
        assert!(!breaker.allows(frozen(start, 599_000)));
        assert!(breaker.allows(frozen(start, 600_000)));
    }

    #[test]
    fn third_rejection_opens_the_breaker() {
        let start = Moment::now();
        let mut breaker = Breaker::default();
        breaker.refused(start);
        breaker.refused(start);
        assert!(breaker.allows(start));
        breaker.refused(start);
        assert!(!breaker.allows(start));
    }

    #[test]
    fn failure_during_a_pause_does_not_extend_it() {
        let start = Moment::now();
        let mut breaker = Breaker::default();
        breaker.waited(start, BUDGET);
        breaker.failed(frozen(start, 900), None);
        assert!(breaker.allows(frozen(start, 2_000)));
    }

    /// Returns how many of the exports at these intervals wait for a receiver that never responds.
    fn waits(exports: u32, interval: Duration) -> u32 {
        let (mut breaker, mut now, mut waits) = (Breaker::default(), Moment::now(), 0);
        for _ in 0..exports {
            if breaker.allows_waiting(now) {
                waits += 1;
                breaker.waited(now, BUDGET);
            }
            now = now.after_freeze(interval);
        }
        waits
    }

    #[test]
    fn silent_receiver_delays_one_in_200_exports() {
        assert_eq!(waits(200, Duration::from_millis(20)), 1);
        assert!((5..=10).contains(&waits(2_000, Duration::from_millis(20))));
        // Every 10 s at first, then after pauses of 30 to 60 s.
        assert!((10..=24).contains(&waits(600, Duration::from_secs(1))));
        assert_eq!(waits(10, Duration::from_secs(60)), 10);
    }

    #[test]
    fn receiver_slower_than_the_budget_delays_few_exports() {
        let start = Moment::now();
        let mut breaker = Breaker::default();
        breaker.waited(start, BUDGET);
        breaker.succeeded(BUDGET + Duration::from_millis(1));
        assert!(breaker.allows(start) && !breaker.is_probing());
        assert!(!breaker.allows_waiting(start));
        assert!(breaker.allows_waiting(frozen(start, 10_000)));
        breaker.succeeded(BUDGET);
        assert!(breaker.allows_waiting(start));
    }

    #[test]
    fn quick_failure_does_not_prevent_waiting() {
        let start = Moment::now();
        let mut breaker = Breaker::default();
        breaker.failed(start, None);
        assert!(!breaker.allows_waiting(start));
        assert!(breaker.allows_waiting(frozen(start, 2_000)));
    }

    #[test]
    fn rejected_key_is_read_every_five_minutes_at_most() {
        let (mut renewal, start) = (Renewal::default(), Moment::now());
        let due = [0, 1, 299, 300, 301, 599, 600].map(|second| renewal.is_due(frozen(start, second * 1000)));
        assert_eq!(due, [true, false, false, true, false, false, true]);
    }
}
