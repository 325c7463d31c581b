//! The time in a trace id of X-Ray's form.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::TraceId;

/// The maximum age of a trace id from outside.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The clock of a caller may be this much ahead.
const MAX_AHEAD: Duration = Duration::from_secs(300);

/// Returns whether `trace_id` has X-Ray's form and is recent: it begins with a time in seconds that is at most 24 hours
/// before and 5 minutes after `now`.
#[must_use]
pub fn is_recent(trace_id: TraceId, now: SystemTime) -> bool {
    let [first, second, third, fourth, ..] = trace_id.to_bytes();
    let seconds = u32::from_be_bytes([first, second, third, fourth]);
    let created = UNIX_EPOCH + Duration::from_secs(seconds.into());
    match now.duration_since(created) {
        Ok(age) => age <= MAX_AGE,
        Err(ahead) => ahead.duration() <= MAX_AHEAD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_id_is_recent_for_a_day() {
        let now = UNIX_EPOCH + Duration::from_secs(1_764_000_000);
        let at = |seconds: u64| TraceId::from(u128::from(seconds) << 96 | 7);
        for (seconds, expected) in [
            (1_764_000_000, true),
            (1_764_000_300, true),
            (1_764_000_301, false),
            (1_764_000_000 - 86_400, true),
            (1_764_000_000 - 86_401, false),
            (0, false),
            (u64::from(u32::MAX), false),
        ] {
            assert_eq!(is_recent(at(seconds), now), expected, "{seconds}");
        }
        assert!(!is_recent(TraceId::INVALID, now));
    }
}
