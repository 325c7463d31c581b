//! Time that passes while Lambda freezes the process.
//!
//! `std::time::Instant` reads `CLOCK_MONOTONIC`, which may stand still during a freeze.

use std::time::{Duration, SystemTime};

/// A reading of the boot-time clock and of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    boot: Duration,
    wall: SystemTime,
}

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "the one place where this library reads the wall clock")]
    pub(crate) fn now() -> Self {
        Self { boot: boot_time(), wall: SystemTime::now() }
    }

    /// Returns a moment at which the wall clock shows `wall`.
    #[cfg(test)]
    pub(crate) fn at(wall: SystemTime) -> Self {
        Self { boot: boot_time(), wall }
    }

    /// Returns the wall-clock time.
    pub(crate) fn wall(self) -> SystemTime {
        self.wall
    }

    /// Returns the longer of the two measured times since `earlier`, to include a freeze in which one clock stood
    /// still. The result is too long if the wall clock was set forward.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.exactly_since(earlier).max(self.wall.duration_since(earlier.wall).unwrap_or_default())
    }

    /// Returns the time since `earlier` by the boot-time clock, which cannot be set.
    pub(crate) fn exactly_since(self, earlier: Self) -> Duration {
        self.boot.saturating_sub(earlier.boot)
    }

    /// Returns a moment at which both clocks have advanced by `time`.
    #[cfg(test)]
    pub(crate) fn after(self, time: Duration) -> Self {
        Self { boot: self.boot + time, wall: self.wall + time }
    }

    /// Returns a moment at which the boot-time clock stood still and the wall clock has advanced by `time`.
    #[cfg(test)]
    pub(crate) fn after_freeze(self, time: Duration) -> Self {
        Self { wall: self.wall + time, ..self }
    }

    /// Returns a moment at which the wall clock was set back by `time`.
    #[cfg(test)]
    pub(crate) fn set_back(self, time: Duration) -> Self {
        Self { wall: self.wall - time, ..self }
    }
}

#[cfg(target_os = "linux")]
fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Lambda runs on Linux. Other systems do not freeze the process.
#[cfg(not(target_os = "linux"))]
fn boot_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn freeze_counts_if_one_clock_advances() {
        let start = Moment::now();
        assert_eq!(start.after_freeze(HOUR).since(start), HOUR);
        assert_eq!(start.after(HOUR).set_back(HOUR).since(start), HOUR);
    }

    #[test]
    fn clock_set_back_gives_no_negative_time() {
        let start = Moment::now();
        assert_eq!(start.set_back(HOUR).since(start), Duration::ZERO);
        assert_eq!(start.after(HOUR).set_back(2 * HOUR).exactly_since(start), HOUR);
    }
}
