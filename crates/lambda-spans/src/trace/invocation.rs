//! One unit of work, an invocation or a served request, and its spans.
//!
//! It travels as a value of the OpenTelemetry context, so that no global state ties a span to its invocation.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::trace::{IdGenerator as _, SpanData};

use crate::attributes::{ERROR_TYPE, LAMBDA_SPANS_INTERRUPTED};
use crate::propagation::trace_header::TraceHeader;
use crate::trace::accounting::Destinations;
use crate::trace::finished::{FinishedSpans, SpanSink, XrayContext};
use crate::trace::inbound::Inbound;
use crate::trace::open_span::OpenSpan;
use crate::trace::sampling::{Decision, Sampler, Verdict};

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
    spans: Mutex<SpanState>,
    sink: Arc<dyn SpanSink>,
}

#[derive(Debug, Default)]
struct SpanState {
    finished: Vec<SpanData>,
    open: Vec<(SpanId, Weak<OpenSpan>)>,
    /// Spans that were exported over OTLP while open. Their ends go to X-Ray only.
    already_exported: Vec<SpanId>,
    interrupted: bool,
    logs: BufferedLogs,
    closed: Option<Decision>,
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

impl Invocation {
    /// Creates a Lambda invocation in the trace of Lambda's header.
    pub(crate) fn from_lambda(
        header: TraceHeader<'_>,
        request_id: String,
        sink: Arc<dyn SpanSink>,
        inbound: Inbound,
    ) -> Self {
        let xray = XrayContext { parent: header.parent, sampled: header.sampled };
        Self::new(header.root, xray, request_id, sink, inbound)
    }

    /// Creates a unit of work without a caller: its root span is the root of the trace in every destination.
    pub(crate) fn root(trace_id: TraceId, request_id: String, sink: Arc<dyn SpanSink>, inbound: Inbound) -> Self {
        Self::new(trace_id, XrayContext { parent: None, sampled: true }, request_id, sink, inbound)
    }

    fn new(
        trace_id: TraceId,
        xray: XrayContext,
        request_id: String,
        sink: Arc<dyn SpanSink>,
        inbound: Inbound,
    ) -> Self {
        Self(Arc::new(State { trace_id, request_id, xray, inbound, spans: Mutex::default(), sink }))
    }

    /// Returns the invocation of the calling code.
    pub(crate) fn current() -> Option<Self> {
        Context::map_current(|context| context.get::<Self>().cloned())
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

    pub(crate) fn request_id(&self) -> &str {
        &self.0.request_id
    }

    pub(crate) fn xray(&self) -> XrayContext {
        self.0.xray
    }

    /// Returns the inbound context.
    pub(crate) fn inbound(&self) -> &Inbound {
        &self.0.inbound
    }

    /// Registers an open span.
    pub(crate) fn add_open(&self, id: SpanId, span: Weak<OpenSpan>) {
        self.lock().open.push((id, span));
    }

    /// Records an ended span. A span that ends after its invocation is sent by a later export.
    pub(crate) fn record(&self, span: SpanData) {
        let mut state = self.lock();
        let id = span.span_context.span_id();
        if let Some(place) = state.open.iter().position(|(open, _)| *open == id) {
            state.open.swap_remove(place);
        }
        if let Some(otlp) = state.closed {
            let already_exported = state.already_exported.contains(&id);
            drop(state);
            self.send(otlp, if already_exported { Destinations::REPLACING } else { Destinations::ALL }, vec![span]);
        } else {
            state.finished.push(span);
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
    pub(crate) fn take_finished(&self) -> Vec<SpanData> {
        mem::take(&mut self.lock().finished)
    }

    /// Discards the ended spans as not sampled, without ending the invocation.
    pub(crate) fn sample_out_finished(&self) {
        let spans = self.take_finished();
        if !spans.is_empty() {
            let xray = XrayContext { parent: None, sampled: false };
            let (otlp, destinations, caller) = (Decision::SampleOut, Destinations::ALL, None);
            self.0.sink.accept(FinishedSpans { xray, otlp, destinations, caller, spans });
        }
    }

    /// Ends the invocation: its spans become ready for export. Returns the verdict on its root span.
    pub(crate) fn close(&self, sampler: &Sampler) -> Verdict {
        let mut state = self.lock();
        let spans = mem::take(&mut state.finished);
        let root = spans.iter().find(|span| span.parent_span_is_remote);
        let mut verdict = root.map(|root| sampler.verdict(root)).unwrap_or_default();
        verdict.slow |= state.interrupted;
        let otlp = sampler.decide(self.0.trace_id, verdict);
        state.closed = Some(otlp);
        let (already_exported, new): (Vec<_>, Vec<_>) =
            spans.into_iter().partition(|span| state.already_exported.contains(&span.span_context.span_id()));
        drop(state);
        self.send(otlp, Destinations::REPLACING, already_exported);
        self.send(otlp, Destinations::ALL, new);
        verdict
    }

    /// Makes the spans of an invocation that is still running ready for export. OTLP receives its open spans in their
    /// current state. X-Ray receives the returned copies as spans in progress, and their ends later.
    ///
    /// Only the first call has an effect.
    pub(crate) fn interrupt(&self, now: SystemTime) -> Vec<SpanData> {
        let mut state = self.lock();
        if state.closed.is_some() || mem::replace(&mut state.interrupted, true) {
            return Vec::new();
        }
        let finished = mem::take(&mut state.finished);
        let open: Vec<SpanData> = state.open.iter().filter_map(|(_, span)| span.upgrade()?.snapshot(now)).collect();
        state.already_exported = open.iter().map(|span| span.span_context.span_id()).collect();
        drop(state);
        let keep = Decision::Keep { rate: 1 };
        self.send(keep, Destinations::ALL, finished);
        let interrupted = open.iter().cloned().map(|mut span| {
            span.attributes.push(KeyValue::new(LAMBDA_SPANS_INTERRUPTED, true));
            span.attributes.push(KeyValue::new(ERROR_TYPE, "deadline"));
            span.status = Status::error("not over shortly before the deadline");
            span
        });
        self.send(keep, Destinations::APPENDING, interrupted.collect());
        open
    }

    fn send(&self, otlp: Decision, destinations: Destinations, spans: Vec<SpanData>) {
        if !spans.is_empty() {
            let caller = self.0.inbound.caller().cloned();
            self.0.sink.accept(FinishedSpans { xray: self.0.xray, otlp, destinations, caller, spans });
        }
    }

    fn lock(&self) -> MutexGuard<'_, SpanState> {
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a new trace id in X-Ray's form.
pub(crate) fn new_trace_id() -> TraceId {
    XrayIdGenerator::default().new_trace_id()
}

/// Returns the trace id of the current invocation or request: 32 lowercase hexadecimal digits.
///
/// It identifies the trace over OTLP: Lambda's own id, or the caller's id if its trace is continued
/// ([`ContextMode::Caller`](crate::ContextMode::Caller)). Returns `None` outside of an invocation.
pub fn trace_id() -> Option<String> {
    Invocation::current().map(|invocation| invocation.otlp_trace_id().to_string())
}

/// Returns the request id that Lambda gave to the current invocation, as in its own log lines.
///
/// Returns `None` outside of an invocation.
pub fn request_id() -> Option<String> {
    Invocation::current().map(|invocation| invocation.request_id().to_owned())
}
