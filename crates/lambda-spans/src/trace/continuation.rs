//! The spans of an invocation that belong to the trace of a record's sender over OTLP.
//!
//! In X-Ray, they stay in the trace of the invocation.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use opentelemetry::trace::{SpanContext, SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;

/// A sender's trace that continues in an invocation.
#[derive(Debug)]
pub(crate) struct Continuation {
    /// The parent of the topmost span.
    pub(crate) sender: SpanContext,
    /// The root of the invocation, which the topmost span links to.
    pub(crate) root: SpanContext,
    /// The topmost span.
    pub(crate) top: SpanId,
}

/// Finished spans that belong to other traces.
pub(crate) type ContinuedSpans = HashMap<SpanId, Arc<Continuation>>;

/// The continuation of each span that has one. Created with the first, so that other invocations need no lock.
#[derive(Debug, Default)]
pub(crate) struct Continuations(OnceLock<Mutex<ContinuedSpans>>);

impl Continuations {
    pub(crate) fn start(&self, continuation: Continuation) {
        let mut spans = lock(self.0.get_or_init(Mutex::default));
        spans.insert(continuation.top, Arc::new(continuation));
    }

    /// Gives the continuation of `parent`, if it has one, to the new span.
    pub(crate) fn inherit(&self, span: SpanId, parent: SpanId) {
        if let Some(mut spans) = self.spans()
            && let Some(continuation) = spans.get(&parent).cloned()
        {
            spans.insert(span, continuation);
        }
    }

    pub(crate) fn trace_id(&self, span: SpanId) -> Option<TraceId> {
        Some(self.spans()?.get(&span)?.sender.trace_id())
    }

    /// Returns the continuations of finished spans.
    pub(crate) fn of(&self, finished: &[SpanData]) -> ContinuedSpans {
        let Some(spans) = self.spans() else { return ContinuedSpans::default() };
        let ids = finished.iter().map(|span| span.span_context.span_id());
        ids.filter_map(|id| Some((id, spans.get(&id)?.clone()))).collect()
    }

    /// Forgets all other spans than those in `ids`.
    pub(crate) fn retain(&self, ids: impl Iterator<Item = SpanId>) {
        if let Some(mut spans) = self.spans() {
            let ids: HashSet<SpanId> = ids.collect();
            spans.retain(|id, _| ids.contains(id));
        }
    }

    fn spans(&self) -> Option<MutexGuard<'_, ContinuedSpans>> {
        self.0.get().map(lock)
    }
}

fn lock(spans: &Mutex<ContinuedSpans>) -> MutexGuard<'_, ContinuedSpans> {
    spans.lock().unwrap_or_else(PoisonError::into_inner)
}
