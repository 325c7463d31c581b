//! Trace context headers, parsed and formatted.
//!
//! A header from the internet is a claim by its sender. Parsers are strict and bounded, and unknown content is never
//! copied.

pub(crate) mod recent;
pub(crate) mod trace_header;
pub(crate) mod traceparent;
pub(crate) mod tracestate;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanId, TraceId};

use trace_header::TraceHeader;
use tracestate::Tracestate;

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

/// Returns the span that a header names: a `traceparent`, or an `X-Amzn-Trace-Id` with a parent.
pub(crate) fn span_context(header: &str) -> Option<SpanContext> {
    traceparent::parse(header).or_else(|| TraceHeader::parse(header)?.span_context())
}

/// The trace that an HTTP request, or a record passed to [`continue_from`](crate::continue_from), belongs to over OTLP.
/// In X-Ray it is always Lambda's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContextMode {
    /// Lambda's trace. The context of a caller or sender becomes a link. Right for callers from the internet.
    #[default]
    Xray,
    /// The trace of the caller or sender, with its span as parent. For trusted callers and senders, such as your own web
    /// page.
    Caller,
}

/// A caller whose trace is continued.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    /// For outgoing requests, never exported.
    pub(crate) state: Option<Tracestate>,
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
