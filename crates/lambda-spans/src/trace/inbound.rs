//! The inbound context of an invocation, for its inner layers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue};

use crate::attributes::CLIENT_TRACE_ID;
use crate::propagation::tracestate::{self, Tracestate};
use crate::propagation::{Caller, ContextMode, traceparent};

/// Whether this process has an inner layer. Without one, it is unknown whether a handler was reached.
static INNER_LAYER: AtomicBool = AtomicBool::new(false);

/// Records that a layer around the handler exists.
pub(crate) fn inner_layer_built() {
    INNER_LAYER.store(true, Ordering::Relaxed);
}

#[derive(Debug, Default)]
pub(crate) struct Inbound {
    mode: ContextMode,
    from_lambda: bool,
    lineage: Option<String>,
    event: Mutex<Option<Bytes>>,
    reached: AtomicBool,
    caller: OnceLock<Caller>,
}

impl Inbound {
    pub(crate) fn new(mode: ContextMode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Keeps the raw event, and the `Lineage` of Lambda's trace header.
    pub(crate) fn with_event(mut self, event: Bytes, lineage: Option<&str>) -> Self {
        self.from_lambda = true;
        self.event = Mutex::new(Some(event));
        self.lineage = lineage.map(str::to_owned);
        self
    }

    /// Returns whether Lambda invoked the function. Otherwise a client connects to this process.
    pub(crate) fn is_from_lambda(&self) -> bool {
        self.from_lambda
    }

    pub(crate) fn lineage(&self) -> Option<&str> {
        self.lineage.as_deref()
    }

    /// Takes the event. Callers should drop it soon, because it may be large.
    pub(crate) fn take_event(&self) -> Option<Bytes> {
        self.event.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns true to the first caller only: the outermost inner layer describes the invocation.
    pub(crate) fn mark_reached(&self) -> bool {
        !self.reached.swap(true, Ordering::Relaxed)
    }

    /// Returns whether the event never reached a handler, for example because it could not be deserialized.
    pub(crate) fn was_refused(&self) -> bool {
        INNER_LAYER.load(Ordering::Relaxed) && !self.reached.load(Ordering::Relaxed)
    }

    /// Applies the trace context of an HTTP caller to the invocation's root span: as a link, or as the trace to continue.
    /// `trace_id` is the invocation's own. A caller in the same trace is the parent in every mode.
    pub(crate) fn accept_caller(&self, root: &Context, trace_id: TraceId, headers: &HeaderMap) {
        let Some(caller) = traceparent::from_headers(headers) else { return };
        let span = root.span();
        let is_in_trace = caller.trace_id() == trace_id;
        if !is_in_trace {
            span.set_attribute(KeyValue::new(CLIENT_TRACE_ID, caller.trace_id().to_string()));
        }
        match self.mode {
            // The span of a caller that is not sampled never arrives.
            ContextMode::Xray if is_in_trace && caller.is_sampled() => self.continue_trace(&caller),
            ContextMode::Xray => span.add_link(caller, Vec::new()),
            ContextMode::Caller => {
                let states = headers.get_all(tracestate::HEADER).iter().map(HeaderValue::as_bytes);
                let state = Tracestate::parse(states);
                // Only the outermost layer decides; a second decision has no effect.
                self.caller.set(Caller { trace_id: caller.trace_id(), span_id: caller.span_id(), state }).ok();
            }
        }
    }

    pub(crate) fn mode(&self) -> ContextMode {
        self.mode
    }

    /// Continues the trace of the sender of the invocation's only record. A caller whose trace is continued already has
    /// precedence.
    pub(crate) fn continue_trace(&self, sender: &SpanContext) {
        let caller = Caller { trace_id: sender.trace_id(), span_id: sender.span_id(), state: None };
        self.caller.set(caller).ok();
    }

    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }
}
