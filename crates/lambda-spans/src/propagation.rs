//! Trace context headers, parsed and formatted.
//!
//! A header from the internet is a claim by its sender. Parsers are strict and bounded, and unknown content is never
//! copied.

pub(crate) mod recent;
pub(crate) mod trace_header;
pub(crate) mod traceparent;
pub(crate) mod tracestate;

use opentelemetry::trace::{SpanContext, SpanId, TraceId};

use trace_header::TraceHeader;
use tracestate::Tracestate;

/// Returns the span that a header names: a `traceparent`, or an `X-Amzn-Trace-Id` with a parent.
pub(crate) fn span_context(header: &str) -> Option<SpanContext> {
    traceparent::parse(header).or_else(|| TraceHeader::parse(header)?.span_context())
}

/// The trace that an HTTP request, or a record passed to [`continue_from`](crate::continue_from), belongs to over OTLP.
/// In X-Ray it is always Lambda's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContextMode {
    /// Lambda's trace. The context of a caller or sender becomes a link. Right for callers from the internet.
    #[default]
    Xray,
    /// The trace of the caller or sender, with its span as parent. For trusted callers and senders, such as your own web
    /// page.
    Caller,
}

/// A caller whose trace is continued.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    /// For outgoing requests, never exported.
    pub(crate) state: Option<Tracestate>,
}
