//! One unit of work, an invocation or a served request, and the spans that it made.
//!
//! It travels as a value of the OpenTelemetry context, so that no global state ties a span to its invocation.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::SpanData;

use crate::pipeline::Outbox;
use crate::sampling::{Decision, Sampler, Verdict};
use crate::trace_header::TraceHeader;

/// What X-Ray holds of the trace already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XrayContext {
    /// The segment above the root span; without one, the root span is a segment of its own.
    pub(crate) parent: Option<SpanId>,
    pub(crate) sampled: bool,
}

/// The spans of one unit of work, on their way to the destinations.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) xray: XrayContext,
    pub(crate) otlp: Decision,
    pub(crate) spans: Vec<SpanData>,
}

/// A handle to the current unit of work.
#[derive(Clone, Debug)]
pub(crate) struct Invocation(Arc<State>);

#[derive(Debug)]
struct State {
    trace_id: TraceId,
    request_id: String,
    xray: XrayContext,
    http_recorded: AtomicBool,
    spans: Mutex<Collected>,
    outbox: Outbox,
}

#[derive(Debug, Default)]
struct Collected {
    finished: Vec<SpanData>,
    closed: Option<Decision>,
}

impl Invocation {
    /// An invocation of Lambda, whose trace is the one that Lambda names.
    pub(crate) fn of_lambda(header: TraceHeader, request_id: String, outbox: Outbox) -> Self {
        let xray = XrayContext { parent: header.parent, sampled: header.sampled };
        Self::new(header.root, xray, request_id, outbox)
    }

    /// A unit of work without a caller's context: its root span is the trace's root everywhere.
    pub(crate) fn root(trace_id: TraceId, request_id: String, outbox: Outbox) -> Self {
        Self::new(trace_id, XrayContext { parent: None, sampled: true }, request_id, outbox)
    }

    fn new(trace_id: TraceId, xray: XrayContext, request_id: String, outbox: Outbox) -> Self {
        Self(Arc::new(State {
            trace_id,
            request_id,
            xray,
            http_recorded: AtomicBool::new(false),
            spans: Mutex::default(),
            outbox,
        }))
    }

    /// The invocation that the calling code runs in.
    pub(crate) fn current() -> Option<Self> {
        Context::map_current(|context| context.get::<Self>().cloned())
    }

    /// A context for the root span: this invocation, and a remote parent that carries the trace id.
    pub(crate) fn context(&self) -> Context {
        // A context without a parent id is invalid and would lose the trace id. Each destination gets the
        // root span with the parent that is right there, so that this id is seen by none.
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

    pub(crate) fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// True for the first caller only: the outermost HTTP layer describes the request.
    pub(crate) fn claim_http(&self) -> bool {
        !self.0.http_recorded.swap(true, Ordering::Relaxed)
    }

    /// Takes a span that has ended. One that ends after its invocation goes out with a later export.
    pub(crate) fn record(&self, span: SpanData) {
        let mut collected = self.lock();
        if let Some(otlp) = collected.closed {
            drop(collected);
            self.0.outbox.put(Finished { xray: self.0.xray, otlp, spans: vec![span] });
        } else {
            collected.finished.push(span);
        }
    }

    /// Ends the invocation: what it recorded is ready for export. Says what the root span shows of it.
    pub(crate) fn close(&self, sampler: &Sampler) -> Verdict {
        let mut collected = self.lock();
        let spans = mem::take(&mut collected.finished);
        let root = spans.iter().find(|span| span.parent_span_is_remote);
        let verdict = root.map(|root| sampler.verdict(root)).unwrap_or_default();
        let otlp = sampler.decide(self.0.trace_id, verdict);
        collected.closed = Some(otlp);
        drop(collected);
        if !spans.is_empty() {
            self.0.outbox.put(Finished { xray: self.0.xray, otlp, spans });
        }
        verdict
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.0.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The trace id of the current invocation or request: 32 lower-case hexadecimal digits.
///
/// `None` outside of one.
pub fn trace_id() -> Option<String> {
    Invocation::current().map(|invocation| invocation.trace_id().to_string())
}

/// The id that Lambda gave to the current invocation, as its own log lines show it.
///
/// `None` outside of an invocation.
pub fn request_id() -> Option<String> {
    Invocation::current().map(|invocation| invocation.request_id().to_owned())
}
