//! One unit of work, an invocation or a served request, and the spans that it made.
//!
//! It travels as a value of the OpenTelemetry context, so that no global state ties a span to its invocation.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::SpanData;

use crate::inbound::Inbound;
use crate::pipeline::Outbox;
use crate::propagation::Caller;
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
    /// Whose trace it is over OTLP, if not its own.
    pub(crate) caller: Option<Caller>,
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
    inbound: Inbound,
    spans: Mutex<Collected>,
    outbox: Outbox,
}

#[derive(Debug, Default)]
struct Collected {
    finished: Vec<SpanData>,
    closed: bool,
}

impl Invocation {
    /// An invocation of Lambda, whose trace is the one that Lambda names.
    pub(crate) fn of_lambda(header: TraceHeader<'_>, request_id: String, outbox: Outbox, inbound: Inbound) -> Self {
        let xray = XrayContext { parent: header.parent, sampled: header.sampled };
        Self::new(header.root, xray, request_id, outbox, inbound)
    }

    /// A unit of work without a caller's context: its root span is the trace's root everywhere.
    pub(crate) fn root(trace_id: TraceId, request_id: String, outbox: Outbox, inbound: Inbound) -> Self {
        Self::new(trace_id, XrayContext { parent: None, sampled: true }, request_id, outbox, inbound)
    }

    fn new(trace_id: TraceId, xray: XrayContext, request_id: String, outbox: Outbox, inbound: Inbound) -> Self {
        Self(Arc::new(State { trace_id, request_id, xray, inbound, spans: Mutex::default(), outbox }))
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

    pub(crate) fn xray(&self) -> XrayContext {
        self.0.xray
    }

    /// What came in with it.
    pub(crate) fn inbound(&self) -> &Inbound {
        &self.0.inbound
    }

    /// Takes a span that has ended. One that ends after its invocation goes out with a later export.
    pub(crate) fn record(&self, span: SpanData) {
        let mut collected = self.lock();
        if collected.closed {
            drop(collected);
            self.0.outbox.put(self.finished(vec![span]));
        } else {
            collected.finished.push(span);
        }
    }

    /// Ends the invocation: what it recorded is ready for export.
    pub(crate) fn close(&self) {
        let mut collected = self.lock();
        collected.closed = true;
        let spans = mem::take(&mut collected.finished);
        drop(collected);
        if !spans.is_empty() {
            self.0.outbox.put(self.finished(spans));
        }
    }

    fn finished(&self, spans: Vec<SpanData>) -> Finished {
        Finished { xray: self.0.xray, caller: self.inbound().caller().cloned(), spans }
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
