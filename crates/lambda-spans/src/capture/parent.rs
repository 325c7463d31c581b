//! Decides to which invocation and below which span a new span belongs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _};

use super::init_phase::InitPhase;
use crate::trace::finished::SpanSink;
use crate::trace::invocation::Invocation;
use crate::trace::lookup;
use crate::trace::running::Running;
use crate::trace::sampling::Sampler;

/// The maximum number of orphans that are open at the same time. It bounds the memory of spans that never end.
const MAX_ORPHANS: usize = 1024;

/// The place of a new span.
#[derive(Debug)]
pub(super) struct Parent {
    pub(super) invocation: Invocation,
    pub(super) span: SpanId,
    /// Whether the new span is the root of its invocation.
    pub(super) is_root: bool,
    /// The parent that the program asked for, if it is outside of the invocation.
    pub(super) link: Option<SpanContext>,
    /// Whether the span's context lacks the invocation.
    pub(super) is_detached: bool,
    pub(super) orphan: Option<OpenOrphan>,
}

impl Parent {
    /// Returns the place below `span`.
    fn inside(invocation: Invocation, span: SpanId, link: Option<SpanContext>, is_detached: bool) -> Self {
        Self { invocation, span, is_root: false, link, is_detached, orphan: None }
    }
}

/// Finds the parents of new spans.
#[derive(Debug)]
pub(super) struct Parents {
    init: Arc<InitPhase>,
    running: Arc<Running>,
    sink: Arc<dyn SpanSink>,
    sampler: Arc<Sampler>,
    orphans: Arc<AtomicUsize>,
}

impl Parents {
    pub(super) fn new(
        init: Arc<InitPhase>,
        running: Arc<Running>,
        sink: Arc<dyn SpanSink>,
        sampler: Arc<Sampler>,
    ) -> Self {
        Self { init, running, sink, sampler, orphans: Arc::default() }
    }

    /// Returns the place of the span `id`. `None` if there are too many orphans: the span is counted, not recorded.
    pub(super) fn find(&self, context: &Context, id: SpanId) -> Option<Parent> {
        let asked = context.span().span_context().clone();
        let original = context.get::<Invocation>();
        let known = original.cloned().map(Invocation::resolved);
        if let Some(invocation) = &known
            && invocation.claim_root(id)
        {
            let (invocation, span) = (invocation.clone(), asked.span_id());
            return Some(Parent { invocation, span, is_root: true, link: None, is_detached: false, orphan: None });
        }
        let is_detached = known.is_none();
        // A remote parent is in another process, and a foreign one belongs to another SDK. Neither is in the trace.
        let is_of = |invocation: &Invocation| invocation.trace_id() == asked.trace_id();
        let in_trace = known.as_ref().is_none_or(is_of) || original.is_some_and(is_of);
        let local = asked.is_valid() && !asked.is_remote() && in_trace;
        let of_parent = || lookup::of(context).or_else(|| self.running.in_trace(asked.trace_id())).filter(|_| local);
        if let Some(invocation) = known.clone().filter(|_| local).or_else(of_parent) {
            return Some(Parent::inside(invocation, asked.span_id(), None, is_detached));
        }
        let link = asked.is_valid().then_some(asked);
        let here = Context::current();
        let running = known.or_else(|| lookup::of(&here)).or_else(|| self.running.only());
        if let Some(invocation) = running.or_else(|| self.init.under_way()) {
            // The span that is open here is what the program's own parent replaced.
            let replaced = link.is_some().then(|| here.span().span_context().clone()).filter(|span| {
                span.is_valid() && !span.is_remote() && lookup::of(&here).is_some_and(|here| here.is(&invocation))
            });
            let span = replaced.map_or_else(|| invocation.root_span(), |span| span.span_id());
            return Some(Parent::inside(invocation, span, link, is_detached));
        }
        let Some(orphan) = OpenOrphan::new(&self.orphans) else {
            self.sink.reject_orphan();
            return None;
        };
        let invocation = Invocation::orphan(self.sink.clone(), &self.sampler);
        invocation.claim_root(id);
        let (span, orphan) = (SpanId::INVALID, Some(orphan));
        Some(Parent { invocation, span, is_root: true, link, is_detached, orphan })
    }
}

/// An orphan's share of the maximum, until it ends.
#[derive(Debug)]
pub(super) struct OpenOrphan(Arc<AtomicUsize>);

impl OpenOrphan {
    fn new(open: &Arc<AtomicUsize>) -> Option<Self> {
        open.fetch_update(Relaxed, Relaxed, |open| (open < MAX_ORPHANS).then_some(open + 1)).ok()?;
        Some(Self(open.clone()))
    }
}

impl Drop for OpenOrphan {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
