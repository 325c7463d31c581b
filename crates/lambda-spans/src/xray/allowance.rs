//! What X-Ray still accepts of each trace.

use std::collections::VecDeque;

use opentelemetry::trace::TraceId;

/// X-Ray's limit for the documents of a trace is 500 KB. The rest is for Lambda's own segments.
const MAX_BYTES: usize = 480_000;
/// The part of it that only root spans and errors use, for those that end late.
const RESERVE: usize = 16_000;
/// X-Ray's limit for the annotations of a trace.
const MAX_ANNOTATIONS: usize = 50;
/// The number of traces that are remembered for spans that end late.
const MAX_TRACES: usize = 64;

/// The rest of a trace's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) bytes: usize,
    pub(super) annotations: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { bytes: MAX_BYTES, annotations: MAX_ANNOTATIONS }
    }
}

impl Allowance {
    /// Returns the bytes for spans that are neither a root nor an error.
    pub(super) fn ordinary_bytes(&self) -> usize {
        self.bytes.saturating_sub(RESERVE)
    }
}

/// The allowances of the latest traces.
#[derive(Debug, Default)]
pub(super) struct Allowances(VecDeque<(TraceId, Allowance)>);

impl Allowances {
    pub(super) fn of(&mut self, trace_id: TraceId) -> &mut Allowance {
        let known = self.0.iter().position(|(known, _)| *known == trace_id);
        let latest = known.and_then(|position| self.0.remove(position)).unwrap_or((trace_id, Allowance::default()));
        self.0.truncate(MAX_TRACES - 1);
        self.0.push_front(latest);
        #[expect(clippy::indexing_slicing, reason = "it was added in the line before")]
        &mut self.0[0].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_spans_share_the_allowance_of_their_trace() {
        let mut allowances = Allowances::default();
        allowances.of(TraceId::from(1)).bytes -= 1;
        allowances.of(TraceId::from(2)).bytes -= 2;
        assert_eq!(allowances.of(TraceId::from(1)).bytes, MAX_BYTES - 1);
    }

    #[test]
    fn number_of_remembered_traces_is_bounded() {
        let mut allowances = Allowances::default();
        for trace in 0..1000 {
            allowances.of(TraceId::from(trace)).bytes = 0;
        }
        assert_eq!(allowances.0.len(), MAX_TRACES);
        assert_eq!(*allowances.of(TraceId::from(1)), Allowance::default());
    }
}
