//! Limits how fast datagrams follow each other.
//!
//! The fill level of the receiver's buffer is unknown, and the kernel drops datagrams that do not fit. Linux gives it
//! 208 KiB by default and charges more than the datagram's bytes. A burst may therefore fill only a part of it, and
//! later datagrams wait until a reader has had time.

use std::time::{Duration, Instant};

/// The bytes of the buffer that a burst may fill: about half.
const BURST: u64 = 104 * 1024;
/// The bytes allowed after each pause: few enough for a reader that gets no CPU for 20 ms.
const SLICE: u64 = 6 * 1024;
const PAUSE: Duration = Duration::from_millis(1);
/// The bytes that a reader takes per millisecond between two exports: some 13 documents. A daemon reads faster.
const READ: u64 = 32 * 1024;

/// An estimate of the room in the receiver's buffer.
#[derive(Debug)]
pub(super) struct Pace {
    held: u64,
    since: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { held: 0, since: now }
    }

    /// Starts an export: the reader had the time since the last one.
    pub(super) fn begin(&mut self, now: Instant) {
        self.read(now.saturating_duration_since(self.since), READ);
        self.since = now;
    }

    /// Returns how long to wait before asking again for a datagram of `bytes`; without a wait it counts as sent.
    pub(super) fn pause(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        // A pause that took too long counts once: if this process waited for the CPU, the reader probably did too.
        self.read(now.saturating_duration_since(self.since).min(PAUSE), SLICE);
        self.since = now;
        let cost = cost(bytes);
        // The largest datagram alone exceeds a burst.
        if self.held > 0 && self.held + cost > BURST {
            return Some(PAUSE);
        }
        self.held += cost;
        None
    }

    /// Adds room at `rate` bytes per millisecond.
    fn read(&mut self, time: Duration, rate: u64) {
        let bytes = time.as_micros() * u128::from(rate) / 1000;
        self.held = self.held.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// Returns what a datagram takes of the buffer: the kernel rounds up and adds its own header.
fn cost(bytes: usize) -> u64 {
    (bytes as u64).saturating_mul(2) + 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_at_once(bytes: usize) -> usize {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        (0..).take_while(|_| pace.pause(bytes, now).is_none()).count()
    }

    #[test]
    fn ordinary_invocation_is_sent_without_a_pause() {
        assert_eq!(sent_at_once(1024), 34);
        assert!(sent_at_once(300) > 60);
    }

    #[test]
    fn largest_document_is_sent_eventually() {
        assert_eq!(sent_at_once(64_000), 1);
    }

    #[test]
    fn burst_fits_into_linuxs_default_buffer() {
        let kernel_takes = |bytes: usize| (bytes + 448).next_power_of_two() + 256;
        for bytes in [1, 300, 600, 1000, 1700, 3000, 60_000] {
            assert!(kernel_takes(bytes) * sent_at_once(bytes) < 212_992, "{bytes}");
        }
    }

    #[test]
    fn rest_of_a_burst_waits_for_the_reader() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        while pace.pause(1024, now).is_none() {}
        for late in [PAUSE, 20 * PAUSE] {
            let now = pace.since + late;
            let sent = (0..).take_while(|_| pace.pause(1024, now).is_none()).count();
            assert!((1..=3).contains(&sent), "{sent} after {late:?}");
        }
    }

    #[test]
    fn invocation_after_a_burst_gets_a_burst() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        while pace.pause(1024, now).is_none() {}
        let later = now + Duration::from_millis(4);
        pace.begin(later);
        assert_eq!(pace.pause(1024, later), None);
        assert_eq!(pace.held, cost(1024));
    }

    #[test]
    fn frequent_small_invocations_never_wait() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..10_000 {
            pace.begin(now);
            for _ in 0..3 {
                assert_eq!(pace.pause(1000, now), None);
            }
            now += Duration::from_micros(300);
        }
    }
}
