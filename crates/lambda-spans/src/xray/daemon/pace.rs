//! Limits how fast datagrams follow each other.
//!
//! The fill level of the receiver's buffer is unknown, and the kernel drops datagrams that do not fit. Linux gives it
//! 208 KiB by default and charges more than the datagram's bytes. A burst may therefore fill only a part of it, and
//! later datagrams wait until a reader has had time.

use std::time::{Duration, Instant};

/// The bytes of the buffer that are filled before the next datagram waits: a quarter of the default. The largest
/// datagram fits into the rest.
const BURST: u64 = 56 * 1024;
/// The bytes allowed per millisecond of a pause: few enough for a reader that gets no CPU for 9 ms.
const SLICE: u64 = 16 * 1024;
/// The same after the first half MiB of an export, for a reader that gets no CPU for 18 ms. The more datagrams follow
/// each other, the likelier the reader is interrupted.
const LATER_SLICE: u64 = 8 * 1024;
const EARLY: u64 = 512 * 1024;
/// The shortest pause. Each one costs a wake-up.
const MIN_PAUSE: Duration = Duration::from_millis(2);
/// Timers round up to milliseconds.
const TIMER: Duration = Duration::from_millis(1);
/// The bytes that a reader reads per millisecond between two exports: some 13 documents. A daemon reads faster.
const READ: u64 = 32 * 1024;

/// The payload of an IP fragment with the usual MTU, and what the kernel charges for it.
const FRAGMENT: u64 = 1480;
const FRAGMENT_CHARGE: u64 = 2304;

/// An estimate of what the receiver's buffer holds.
#[derive(Debug)]
pub(super) struct Pace {
    held: u64,
    /// The bytes of the current export.
    sent: u64,
    since: Instant,
    /// The pause that was requested last.
    pause: Duration,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { held: 0, sent: 0, since: now, pause: Duration::ZERO }
    }

    /// Starts an export: the reader had the time since the last one.
    pub(super) fn begin(&mut self, now: Instant) {
        self.read(now.saturating_duration_since(self.since), READ);
        (self.sent, self.since, self.pause) = (0, now, Duration::ZERO);
    }

    /// Returns how long to wait before asking again for a datagram of `bytes`; without a wait it counts as sent.
    pub(super) fn pause(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        // A pause that took longer than its timer counts only for the timer's length. If this process waited for the
        // CPU, the reader probably did, too.
        let longest = if self.pause.is_zero() { Duration::ZERO } else { self.pause + TIMER };
        let waited = now.saturating_duration_since(self.since).min(longest);
        let slice = if self.sent < EARLY { SLICE } else { LATER_SLICE };
        self.read(waited, slice);
        self.since = now;
        self.pause = self.pause.saturating_sub(waited);
        if self.held > BURST {
            if self.pause.is_zero() {
                self.pause = Duration::from_millis((self.held - BURST).div_ceil(slice)).max(MIN_PAUSE);
            }
            return Some(self.pause);
        }
        let charge = charge(bytes as u64);
        self.held += charge;
        self.sent += charge;
        None
    }

    /// Takes back a datagram that was not sent.
    pub(super) fn not_sent(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(charge(bytes as u64));
    }

    /// Adds room at `rate` bytes per millisecond.
    fn read(&mut self, time: Duration, rate: u64) {
        let bytes = time.as_micros() * u128::from(rate) / 1000;
        self.held = self.held.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// Returns what the kernel charges for a datagram, whole or in fragments, whichever is more.
fn charge(bytes: u64) -> u64 {
    whole(bytes).max(bytes / FRAGMENT * FRAGMENT_CHARGE + whole(bytes % FRAGMENT))
}

/// The kernel adds its headers, and rounds small buffers up to a power of two.
fn whole(bytes: u64) -> u64 {
    let with_headers = bytes + 448;
    256 + if with_headers <= 16 * 1024 { with_headers.next_power_of_two() } else { bytes + 1024 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: u64 = 212_992;

    fn sent_at_once(pace: &mut Pace, bytes: usize, now: Instant) -> usize {
        (0..).take_while(|_| pace.pause(bytes, now).is_none()).count()
    }

    fn burst(bytes: usize) -> usize {
        let now = Instant::now();
        sent_at_once(&mut Pace::new(now), bytes, now)
    }

    #[test]
    fn ordinary_invocation_is_sent_without_a_pause() {
        assert!(burst(1000) > 20);
        assert!(burst(300) > 40);
        assert_eq!(burst(64_000), 1);
    }

    #[test]
    fn charge_is_what_linux_charges() {
        // Measured on Linux 6.18 over loopback.
        let measured = [
            (300, 1280),
            (577, 2304),
            (1600, 2304),
            (4000, 8448),
            (12_000, 16_640),
            (17_000, 17_832),
            (64_000, 64_832),
        ];
        for (bytes, charged) in measured {
            assert!((charged..charged * 8 / 5).contains(&charge(bytes)), "{bytes}: {}", charge(bytes));
        }
    }

    #[test]
    fn burst_fits_into_linuxs_default_buffer() {
        for bytes in [1, 300, 600, 1000, 1700, 3000, 16_000, 17_000, 40_000, 64_000] {
            assert!(charge(bytes as u64) * burst(bytes) as u64 <= LINUX, "{bytes}");
        }
    }

    #[test]
    fn rest_of_a_burst_waits_for_the_reader() {
        for bytes in [300, 1024, 16_000, 64_000] {
            for late in [1, 20] {
                let mut now = Instant::now();
                let mut pace = Pace::new(now);
                sent_at_once(&mut pace, bytes, now);
                let pause = pace.pause(bytes, now).unwrap();
                assert!(pause >= MIN_PAUSE);
                now += pause * late;
                let sent = sent_at_once(&mut pace, bytes, now) as u64;
                let room = u64::try_from((pause + TIMER).as_millis()).unwrap() * SLICE;
                assert!(sent > 0 && (sent - 1) * charge(bytes as u64) <= room, "{sent} of {bytes} after {pause:?}");
            }
        }
    }

    #[test]
    fn long_export_becomes_slower() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let mut sent_in_pauses = Vec::new();
        for _ in 0..80 {
            sent_in_pauses.push(sent_at_once(&mut pace, 1024, now));
            now += MIN_PAUSE;
        }
        assert!(sent_in_pauses[1] > sent_in_pauses[79]);
        pace.begin(now + Duration::from_secs(1));
        assert_eq!(sent_at_once(&mut pace, 1024, now), sent_in_pauses[0]);
    }

    #[test]
    fn invocation_after_a_burst_gets_a_burst() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        sent_at_once(&mut pace, 1024, now);
        let later = now + Duration::from_millis(4);
        pace.begin(later);
        assert_eq!(pace.pause(1024, later), None);
        assert_eq!(pace.held, charge(1024));
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

    #[test]
    fn datagram_that_was_not_sent_takes_no_room() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..100 {
            assert_eq!(pace.pause(64_000, now), None);
            pace.not_sent(64_000);
        }
    }
}
