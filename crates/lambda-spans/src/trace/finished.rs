//! Spans that are ready for export, and the interface that receives them.

use std::fmt::Debug;

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;

use crate::propagation::Caller;
use crate::trace::accounting::{Destination, Destinations};
use crate::trace::continuation::ContinuedSpans;
use crate::trace::sampling::{Decision, Decisions};

/// What X-Ray already knows about the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XrayContext {
    /// The segment above the root span. Without one, the root span is a segment.
    pub(crate) parent: Option<SpanId>,
    pub(crate) sampled: bool,
}

/// Ended spans of one unit of work, on their way to the destinations.
#[derive(Clone, Debug)]
pub(crate) struct FinishedSpans {
    pub(crate) xray: XrayContext,
    pub(crate) sampling: Decisions,
    /// All destinations, except those that have received these spans already.
    pub(crate) destinations: Destinations,
    /// The caller whose trace is continued over OTLP, if any.
    pub(crate) caller: Option<Caller>,
    /// The spans that belong to other traces over OTLP.
    pub(crate) continued: ContinuedSpans,
    /// Whether they started outside of every invocation.
    pub(crate) orphan: bool,
    pub(crate) spans: Vec<SpanData>,
    /// The number of spans that the invocation could not keep.
    pub(crate) omitted: usize,
}

impl FinishedSpans {
    /// Returns the sampling decision for a destination. Lambda decides for X-Ray.
    pub(crate) fn decision(&self, destination: Destination) -> Decision {
        match destination {
            Destination::Xray if self.xray.sampled => Decision::Keep { rate: 1 },
            Destination::Xray => Decision::SampleOut,
            Destination::Otlp => self.sampling.otlp,
            Destination::SecondOtlp => self.sampling.second_otlp,
        }
    }
}

/// Receives spans that are ready for export. The export pipeline's outbox implements it.
pub(crate) trait SpanSink: Debug + Send + Sync {
    fn accept(&self, finished: FinishedSpans);

    /// Counts a span outside of every invocation that cannot be kept.
    fn reject_orphan(&self);

    /// Returns the destinations in which a finished span replaces the same span in progress. All others store each span
    /// that they receive.
    fn replacing(&self) -> Destinations {
        Destinations::REPLACING
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Returns spans of an invocation that X-Ray and OTLP sample.
    pub(crate) fn finished(spans: Vec<SpanData>) -> FinishedSpans {
        FinishedSpans {
            xray: XrayContext { parent: None, sampled: true },
            sampling: Decisions::KEEP,
            destinations: Destinations::ALL,
            caller: None,
            continued: ContinuedSpans::default(),
            orphan: false,
            omitted: 0,
            spans,
        }
    }

    /// Collects what is ready for export.
    #[derive(Debug, Default)]
    pub(crate) struct CollectingSink {
        finished: Mutex<Vec<FinishedSpans>>,
        rejected: Mutex<usize>,
    }

    impl CollectingSink {
        pub(crate) fn take(&self) -> Vec<FinishedSpans> {
            std::mem::take(&mut self.finished.lock().unwrap_or_else(PoisonError::into_inner))
        }

        pub(crate) fn waiting(&self) -> usize {
            self.finished.lock().unwrap_or_else(PoisonError::into_inner).len()
        }

        pub(crate) fn rejected_orphans(&self) -> usize {
            *self.rejected.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl SpanSink for CollectingSink {
        fn accept(&self, finished: FinishedSpans) {
            self.finished.lock().unwrap_or_else(PoisonError::into_inner).push(finished);
        }

        fn reject_orphan(&self) {
            *self.rejected.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        }
    }
}
