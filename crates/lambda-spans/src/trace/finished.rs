//! Spans that are ready for export, and the interface that receives them.

use std::fmt::Debug;
use std::sync::Arc;

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;

use crate::propagation::Caller;
use crate::trace::accounting::{Destination, Destinations};
use crate::trace::continuation::ContinuedSpans;
use crate::trace::sampling::{Decision, Decisions, Reason};

/// What X-Ray already knows about the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XrayContext {
    /// The segment above the root span. Without one, the root span is a segment.
    pub(crate) parent: Option<SpanId>,
    pub(crate) sampled: bool,
}

/// A program whose spans this process only forwards.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) resource: Resource,
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
    /// The program that recorded them, if it is another one.
    pub(crate) source: Option<Arc<Source>>,
    pub(crate) spans: Vec<SpanData>,
    /// The number of spans that the invocation could not keep.
    pub(crate) omitted: usize,
}

impl FinishedSpans {
    /// Returns the sampling decision for a destination. Lambda decides for X-Ray.
    pub(crate) fn decision(&self, destination: Destination) -> Decision {
        match destination {
            Destination::Xray if self.xray.sampled => Decision::Keep { rate: 1 },
            Destination::Xray => Decision::SampleOut(Reason::Elsewhere),
            Destination::Otlp => self.sampling.otlp,
            Destination::SecondOtlp => self.sampling.second_otlp,
        }
    }

    /// Returns why each of `receivers` leaves the trace out. `None` if one of them gets it, or there are none.
    pub(crate) fn left_out(&self, receivers: Destinations) -> Option<Reason> {
        let mut reason = None;
        for receiver in receivers.iter() {
            match self.decision(receiver) {
                Decision::Keep { .. } => return None,
                Decision::SampleOut(own) => reason = reason.or(Some(own)),
            }
        }
        reason
    }
}

/// Receives spans that are ready for export. The export pipeline's outbox implements it.
pub(crate) trait SpanSink: Debug + Send + Sync {
    fn accept(&self, finished: FinishedSpans);

    /// Counts a span outside of every invocation that cannot be kept.
    fn reject_orphan(&self);

    /// Adds to a root span the numbers of spans that were dropped since the last report, if a destination gets it. The
    /// trace may be kept for it.
    fn report_drops(&self, _root: &mut SpanData, _xray: XrayContext, _sampling: &mut Decisions) {}

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
            source: None,
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
