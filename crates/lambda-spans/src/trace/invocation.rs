//! One unit of work, an invocation or a served request, and its spans.
//!
//! It travels as a value of the OpenTelemetry context. [`super::lookup`] finds it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::{IdGenerator as _, SpanData};

use crate::attributes::{ERROR_TYPE, LAMBDA_SPANS_INTERRUPTED};
use crate::clock::Moment;
use crate::propagation::ContextMode;
use crate::propagation::trace_header::TraceHeader;
use crate::trace::accounting::Destinations;
use crate::trace::continuation::{Continuation, Continuations, ContinuedSpans};
use crate::trace::finished::{FinishedSpans, SpanSink, XrayContext};
use crate::trace::importance;
use crate::trace::inbound::Inbound;
use crate::trace::open_span::OpenSpan;
use crate::trace::sampling::{Decisions, Sampler, Verdict};
use crate::trace::size;

/// When this many ended spans wait in an invocation, or this many bytes in memory, the least important are omitted until
/// [`KEPT`] are left.
const MAX_FINISHED: (usize, usize) = (32 * 1024, 64 * MIB);
const KEPT: (usize, usize) = (16 * 1024, 32 * MIB);
/// The same for errors.
const KEPT_ESSENTIAL: (usize, usize) = (24 * 1024, 48 * MIB);
const MIB: usize = 1024 * 1024;
/// The maximum size of the log lines that an invocation buffers, in bytes.
const MAX_BUFFERED_LOGS: usize = 64 * 1024;

/// A handle to the current unit of work.
#[derive(Clone, Debug)]
pub(crate) struct Invocation(Arc<State>);

#[derive(Debug)]
struct State {
    trace_id: TraceId,
    request_id: String,
    xray: XrayContext,
    inbound: Inbound,
    /// The first span that starts in the invocation.
    root: OnceLock<SpanId>,
    /// Whether no invocation was running: the root span is one that the program started on its own.
    is_orphan: bool,
    /// Whether OTLP does not get the trace unless it fails.
    is_excluded: AtomicBool,
    /// The invocation that has received these spans. Only the init phase has one.
    successor: OnceLock<Invocation>,
    spans: Mutex<SpanState>,
    continuations: Continuations,
    sink: Arc<dyn SpanSink>,
}

#[derive(Debug, Default)]
struct SpanState {
    finished: Vec<SpanData>,
    /// What the ended spans take in memory.
    bytes: usize,
    /// The number of ended spans that were omitted.
    omitted: usize,
    open: HashMap<SpanId, Weak<OpenSpan>>,
    /// Spans that were exported over OTLP while open. Their ends go to destinations that replace spans in progress.
    already_exported: HashSet<SpanId>,
    interrupted: bool,
    logs: BufferedLogs,
    closed: Option<Decisions>,
}

/// Log lines that are written only if the invocation fails. Bounded: the oldest lines are dropped first.
#[derive(Debug, Default)]
struct BufferedLogs {
    lines: VecDeque<String>,
    bytes: usize,
}

impl BufferedLogs {
    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > MAX_BUFFERED_LOGS {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

impl SpanState {
    /// Takes the ended spans, and the number of those that were omitted.
    fn take_finished(&mut self) -> (Vec<SpanData>, usize) {
        self.bytes = 0;
        (mem::take(&mut self.finished), mem::take(&mut self.omitted))
    }

    fn bound(&mut self, continuations: &Continuations) {
        if self.finished.len() >= MAX_FINISHED.0 || self.bytes >= MAX_FINISHED.1 {
            let (mut kept, mut bytes, exported) = (0, 0, &self.already_exported);
            self.omitted += importance::reduce(&mut self.finished, |span| {
                let more = size::in_memory(span);
                let (spans, memory) = if importance::is_essential(span) { KEPT_ESSENTIAL } else { KEPT };
                let fits = (kept < spans && bytes + more <= memory) || exported.contains(&span.span_context.span_id());
                kept += usize::from(fits);
                bytes += if fits { more } else { 0 };
                fits
            });
            self.bytes = bytes;
            let ids = self.finished.iter().map(|span| span.span_context.span_id());
            continuations.retain(ids.chain(self.open.keys().copied()));
        }
    }
}

impl Invocation {
    /// Creates a Lambda invocation in the trace of Lambda's header.
    pub(crate) fn from_lambda(
        header: TraceHeader<'_>,
        request_id: String,
        sink: Arc<dyn SpanSink>,
        inbound: Inbound,
    ) -> Self {
        let xray = XrayContext { parent: header.parent, sampled: header.sampled };
        Self::new(header.root, xray, request_id, sink, inbound, false)
    }

    /// Creates a unit of work without a caller: its root span is the root of the trace in every destination.
    pub(crate) fn root(trace_id: TraceId, request_id: String, sink: Arc<dyn SpanSink>, inbound: Inbound) -> Self {
        let xray = XrayContext { parent: None, sampled: true };
        Self::new(trace_id, xray, request_id, sink, inbound, false)
    }

    /// Creates a unit of work with the same settings in a separate trace.
    pub(crate) fn separate(&self, trace_id: TraceId, sampled: bool) -> Self {
        let xray = XrayContext { parent: None, sampled };
        Self::new(trace_id, xray, self.0.request_id.clone(), self.0.sink.clone(), Inbound::default(), false)
    }

    /// Creates a unit of work for a span that started outside of every invocation.
    ///
    /// Its spans are ready for export when they end, because it may run as long as the process.
    pub(crate) fn orphan(sink: Arc<dyn SpanSink>, sampler: &Sampler) -> Self {
        let (trace_id, xray) = (new_trace_id(), XrayContext { parent: None, sampled: true });
        let orphan = Self::new(trace_id, xray, String::new(), sink, Inbound::default(), true);
        orphan.lock().closed = Some(sampler.decide(trace_id, Verdict::default()));
        orphan
    }

    fn new(
        trace_id: TraceId,
        xray: XrayContext,
        request_id: String,
        sink: Arc<dyn SpanSink>,
        inbound: Inbound,
        is_orphan: bool,
    ) -> Self {
        let state = State {
            trace_id,
            request_id,
            xray,
            inbound,
            root: OnceLock::new(),
            is_orphan,
            is_excluded: AtomicBool::new(false),
            successor: OnceLock::new(),
            spans: Mutex::default(),
            continuations: Continuations::default(),
            sink,
        };
        Self(Arc::new(state))
    }

    /// Returns the invocation that receives the spans: the successor if there is one.
    pub(crate) fn resolved(self) -> Self {
        let mut invocation = self;
        while let Some(successor) = invocation.0.successor.get() {
            invocation = successor.clone();
        }
        invocation
    }

    /// Makes the span the root unless the invocation has a root. Returns whether it is the root now.
    pub(crate) fn claim_root(&self, span: SpanId) -> bool {
        self.0.root.set(span).is_ok()
    }

    /// Returns the id of the root span; invalid before it has started.
    pub(crate) fn root_span(&self) -> SpanId {
        self.0.root.get().copied().unwrap_or(SpanId::INVALID)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns a context for the root span, with this invocation and a remote parent that carries the trace id.
    pub(crate) fn context(&self) -> Context {
        // A context without a parent id is invalid and would lose the trace id. Each destination replaces this id by
        // the right parent.
        let parent = self.0.xray.parent.unwrap_or(SpanId::from(u64::MAX));
        Context::new().with_value(self.clone()).with_remote_span_context(SpanContext::new(
            self.0.trace_id,
            parent,
            TraceFlags::SAMPLED,
            true,
            TraceState::NONE,
        ))
    }

    pub(crate) fn trace_id(&self) -> TraceId {
        self.0.trace_id
    }

    /// Returns the trace id over OTLP: the caller's if its trace is continued.
    pub(crate) fn otlp_trace_id(&self) -> TraceId {
        self.0.inbound.caller().map_or(self.0.trace_id, |caller| caller.trace_id)
    }

    /// Returns the trace id of a span over OTLP: a sender's if the span belongs to the sender's trace.
    pub(crate) fn otlp_trace_id_at(&self, span: SpanId) -> TraceId {
        self.0.continuations.trace_id(span).unwrap_or_else(|| self.otlp_trace_id())
    }

    /// Moves a span, and the spans that will start below it, into a sender's trace over OTLP. Has no effect unless
    /// senders are trusted.
    pub(crate) fn continue_trace(&self, span: SpanId, sender: SpanContext) {
        if self.0.inbound.mode() != ContextMode::Caller {
            return;
        }
        if span == self.root_span() {
            return self.0.inbound.continue_trace(&sender);
        }
        let root =
            SpanContext::new(self.otlp_trace_id(), self.root_span(), TraceFlags::SAMPLED, false, TraceState::NONE);
        self.0.continuations.start(Continuation { sender, root, top: span });
    }

    pub(crate) fn request_id(&self) -> &str {
        &self.0.request_id
    }

    pub(crate) fn xray(&self) -> XrayContext {
        self.0.xray
    }

    /// Excludes the trace from OTLP unless it fails.
    pub(crate) fn exclude(&self) {
        self.0.is_excluded.store(true, Ordering::Relaxed);
    }

    /// Returns the inbound context.
    pub(crate) fn inbound(&self) -> &Inbound {
        &self.0.inbound
    }

    /// Registers an open span. It belongs to the trace of its parent.
    pub(crate) fn add_open(&self, id: SpanId, parent: SpanId, span: Weak<OpenSpan>) {
        self.0.continuations.inherit(id, parent);
        self.lock().open.insert(id, span);
    }

    /// Records an ended span. A span that ends after its invocation is sent by a later export.
    pub(crate) fn record(&self, mut span: SpanData) {
        let mut state = self.lock();
        let id = span.span_context.span_id();
        state.open.remove(&id);
        if let Some(successor) = self.0.successor.get() {
            drop(state);
            span.span_context = in_trace(successor.trace_id(), id);
            successor.record(span);
        } else if let Some(sampling) = state.closed {
            let already_exported = state.already_exported.contains(&id);
            drop(state);
            // The result of an orphan's root is not known when its trace is sampled.
            let is_failed_orphan = self.0.is_orphan && importance::is_error(&span);
            let sampling = if is_failed_orphan { sampling.or_keep() } else { sampling };
            let destinations = if already_exported { self.0.sink.replacing() } else { Destinations::ALL };
            self.send(sampling, destinations, vec![span], 0);
        } else {
            state.bytes += size::in_memory(&span);
            state.finished.push(span);
            state.bound(&self.0.continuations);
        }
    }

    /// Buffers a log line that is written only if the invocation fails.
    pub(crate) fn buffer_log(&self, line: String) {
        self.lock().logs.push(line);
    }

    pub(crate) fn take_buffered_logs(&self) -> VecDeque<String> {
        mem::take(&mut self.lock().logs).lines
    }

    /// Takes the ended spans without ending the invocation.
    #[cfg(test)]
    pub(crate) fn take_finished(&self) -> Vec<SpanData> {
        self.lock().take_finished().0
    }

    /// Passes the ended spans, and those that end later, to `successor`.
    pub(crate) fn hand_over(&self, successor: &Self) {
        // Under the lock, so that no span is recorded in between.
        let mut state = self.lock();
        let (spans, omitted) = state.take_finished();
        self.0.successor.set(successor.clone()).ok();
        drop(state);
        successor.lock().omitted += omitted;
        for mut span in spans {
            span.span_context = in_trace(successor.trace_id(), span.span_context.span_id());
            successor.record(span);
        }
    }

    /// Discards the ended spans as not sampled, without ending the invocation.
    pub(crate) fn sample_out_finished(&self) {
        let (spans, omitted) = self.lock().take_finished();
        if !spans.is_empty() {
            let xray = XrayContext { parent: None, sampled: false };
            let (sampling, destinations) = (Decisions::SAMPLE_OUT, Destinations::ALL);
            let (caller, continued, orphan, source) = (None, ContinuedSpans::default(), false, None);
            let finished =
                FinishedSpans { xray, sampling, destinations, caller, continued, orphan, source, spans, omitted };
            self.0.sink.accept(finished);
        }
    }

    /// Ends the invocation: its spans become ready for export. Returns the verdict on its root span.
    pub(crate) fn close(&self, sampler: &Sampler) -> Verdict {
        let mut state = self.lock();
        let (mut spans, omitted) = state.take_finished();
        let id = self.root_span();
        let root = spans.iter_mut().rfind(|span| span.span_context.span_id() == id);
        let mut verdict = root.as_deref().map(|root| sampler.verdict(root)).unwrap_or_default();
        verdict.slow |= state.interrupted;
        let is_excluded = self.0.is_excluded.load(Ordering::Relaxed) && !verdict.failed;
        let mut sampling = if is_excluded { Decisions::EXCLUDE } else { sampler.decide(self.0.trace_id, verdict) };
        if let Some(root) = root {
            importance::add_omitted(root, omitted);
            self.0.sink.report_drops(root, self.0.xray, &mut sampling);
        }
        state.closed = Some(sampling);
        let (already_exported, new): (Vec<_>, Vec<_>) =
            spans.into_iter().partition(|span| state.already_exported.contains(&span.span_context.span_id()));
        drop(state);
        self.send(sampling, self.0.sink.replacing(), already_exported, 0);
        self.send(sampling, Destinations::ALL, new, omitted);
        verdict
    }

    /// Makes the spans of an invocation that is still running ready for export. OTLP receives its open spans in their
    /// current state. X-Ray's documents contain the returned copies as spans in progress, and their ends later.
    ///
    /// Only the first call has an effect.
    pub(crate) fn interrupt(&self, now: Moment) -> Vec<SpanData> {
        let mut state = self.lock();
        if state.closed.is_some() || mem::replace(&mut state.interrupted, true) {
            return Vec::new();
        }
        let (finished, omitted) = state.take_finished();
        let snapshots = state.open.values().filter_map(|span| {
            let span = span.upgrade()?;
            Some((span.snapshot(now)?, span))
        });
        let snapshots: Vec<(SpanData, Arc<OpenSpan>)> = snapshots.collect();
        state.already_exported = snapshots.iter().map(|(span, _)| span.span_context.span_id()).collect();
        drop(state);
        let open: Vec<SpanData> = snapshots
            .into_iter()
            .map(|(mut data, span)| {
                span.apply_hook(&mut data);
                data
            })
            .collect();
        self.send(Decisions::KEEP, Destinations::ALL, finished, omitted);
        let interrupted = open.iter().cloned().map(|mut span| {
            span.attributes.push(KeyValue::new(LAMBDA_SPANS_INTERRUPTED, true));
            span.attributes.push(KeyValue::new(ERROR_TYPE, "deadline"));
            span.status = Status::error("not over shortly before the deadline");
            span
        });
        let appending = Destinations::ALL.without(self.0.sink.replacing());
        self.send(Decisions::KEEP, appending, interrupted.collect(), 0);
        open
    }

    fn send(&self, sampling: Decisions, destinations: Destinations, spans: Vec<SpanData>, omitted: usize) {
        if !destinations.is_empty() && (!spans.is_empty() || omitted > 0) {
            let (mut xray, caller) = (self.0.xray, self.0.inbound.caller().cloned());
            // In Lambda, X-Ray has the parent of these spans already.
            xray.sampled &= sampling != Decisions::EXCLUDE || self.0.inbound.is_from_lambda();
            let (continued, orphan) = (self.0.continuations.of(&spans), self.0.is_orphan);
            let source = None;
            let finished =
                FinishedSpans { xray, sampling, destinations, caller, continued, orphan, source, spans, omitted };
            self.0.sink.accept(finished);
        }
    }

    fn lock(&self) -> MutexGuard<'_, SpanState> {
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the context of a recorded span.
pub(crate) fn in_trace(trace_id: TraceId, span_id: SpanId) -> SpanContext {
    SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, TraceState::NONE)
}

/// Returns a new trace id in X-Ray's form.
pub(crate) fn new_trace_id() -> TraceId {
    XrayIdGenerator::default().new_trace_id()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::finished::tests::CollectingSink;
    use crate::trace::sampling::SamplingSettings;
    use crate::trace::tree::tests::span;

    #[test]
    fn spans_of_one_invocation_are_bounded() {
        let sink = Arc::<CollectingSink>::default();
        let invocation = Invocation::root(TraceId::from(1), String::new(), sink.clone(), Inbound::default());
        invocation.claim_root(SpanId::from(1));
        for id in 2..=40_000 {
            let status = if id % 1000 == 0 { Status::error("") } else { Status::Unset };
            invocation.record(SpanData { status, ..span(id, 1, 0) });
        }
        invocation.record(span(1, 0, 10));
        invocation.close(&Sampler::new(&SamplingSettings::default()));
        let [finished] = &sink.take()[..] else { panic!("one invocation") };
        assert_eq!((finished.spans.len(), finished.omitted), (40_000 - 16_384, 16_384));
        let root = finished.spans.last().unwrap();
        assert_eq!(importance::omitted_below(root), 16_384);
        let errors = finished.spans.iter().filter(|span| matches!(span.status, Status::Error { .. })).count();
        assert_eq!(errors, 40);
    }
}
