//! Trace context from callers, and to those whom we call.
//!
//! Headers from the internet are a caller's claim. What is read is parsed strictly and bounded; what is not
//! named here is copied nowhere.

mod baggage;
mod traceparent;
mod tracestate;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SpanData;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::invocation::Invocation;
use crate::trace_header::{TraceHeader, xray_form};
pub use baggage::Baggage;
pub(crate) use traceparent::parse as parse_traceparent;
pub(crate) use tracestate::Tracestate;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub(crate) const XRAY_HEADER: &str = "x-amzn-trace-id";

/// The trace id of the caller's `traceparent`, on the root span.
pub(crate) const CLIENT_TRACE_ID: &str = "client.trace_id";
/// X-Ray's id of a trace that goes on under the caller's id over OTLP.
pub(crate) const XRAY_TRACE_ID: &str = "aws.xray.trace_id";

/// Whose trace an HTTP request belongs to over OTLP. In X-Ray it is always the one that Lambda names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContextMode {
    /// Lambda's trace. A caller's `traceparent` becomes a link: right for callers from the internet.
    #[default]
    Xray,
    /// The caller's trace, its span the parent. For callers that are trusted, such as one's own page.
    Caller,
}

/// A caller whose trace is continued.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    /// For the services that are called in turn, never for export.
    pub(crate) state: Option<Tracestate>,
}

/// Takes the context of a request's caller as the mode says. `root` has the invocation's root span.
pub(crate) fn accept(invocation: &Invocation, root: &Context, headers: &HeaderMap) {
    let Some(caller) = caller(headers) else { return };
    let span = root.span();
    span.set_attribute(KeyValue::new(CLIENT_TRACE_ID, caller.trace_id().to_string()));
    match invocation.inbound().mode() {
        ContextMode::Xray => span.add_link(caller, Vec::new()),
        ContextMode::Caller => {
            let state = Tracestate::parse(headers.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes));
            let caller = Caller { trace_id: caller.trace_id(), span_id: caller.span_id(), state };
            invocation.inbound().continue_caller(caller);
        }
    }
}

/// A span as OTLP gets it where the caller's trace goes on: its ids, and at the root what X-Ray calls the trace.
pub(crate) fn continue_over_otlp(span: &mut SpanData, caller: &Caller) {
    let context = &span.span_context;
    let (trace_id, flags) = (context.trace_id(), context.trace_flags());
    span.span_context = SpanContext::new(caller.trace_id, context.span_id(), flags, false, TraceState::NONE);
    if span.parent_span_is_remote {
        span.parent_span_id = caller.span_id;
        // Over OTLP the span itself says whose trace it is.
        span.attributes.retain(|attribute| attribute.key.as_str() != CLIENT_TRACE_ID);
        span.attributes.push(KeyValue::new(XRAY_TRACE_ID, xray_form(trace_id)));
    }
}

/// The caller's span. Two `traceparent` headers contradict each other: neither counts.
fn caller(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { traceparent::parse(value) }
}

/// Puts the current span into the headers of a request to another service, as `traceparent` and as
/// `X-Amzn-Trace-Id`. Outside of an invocation it does nothing.
///
/// A client of the AWS SDK needs it not: [`AwsSdkSpans`](crate::AwsSdkSpans) does it.
///
/// ```
/// let mut request = http::Request::get("https://example.com/").body(()).unwrap();
/// lambda_spans::inject(request.headers_mut());
/// ```
pub fn inject(headers: &mut HeaderMap) {
    let context = Context::current();
    let Some(xray) = xray_header(&context) else { return };
    let Some(invocation) = context.get::<Invocation>() else { return };
    let parent = traceparent::format(invocation.otlp_trace_id(), context.span().span_context().span_id());
    let state =
        invocation.inbound().caller().and_then(|caller| caller.state.as_ref()).map(|state| state.as_str().to_owned());
    let xray_header = HeaderName::from_static(XRAY_HEADER);
    for (name, value) in [(TRACEPARENT, Some(parent)), (TRACESTATE, state), (xray_header, Some(xray))] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
}

/// Links a span to the one that `traceparent` names, such as the writer of a record that is now processed. Anything
/// that is no `traceparent` does nothing.
///
/// ```
/// let span = tracing::info_span!("record");
/// lambda_spans::link(&span, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// ```
pub fn link(span: &tracing::Span, traceparent: &str) {
    if let Some(writer) = traceparent::parse(traceparent) {
        span.add_link(writer);
    }
}

/// The trace that a `traceparent` names: 32 lower-case hexadecimal digits. `None` for anything that is none.
#[must_use]
pub fn trace_id_of(traceparent: &str) -> Option<String> {
    traceparent::parse(traceparent).map(|writer| writer.trace_id().to_string())
}

/// `X-Amzn-Trace-Id` for a request made within the span of `context`.
pub(crate) fn xray_header(context: &Context) -> Option<String> {
    let invocation = context.get::<Invocation>()?;
    let span = context.span();
    let span_context = span.span_context();
    let header = TraceHeader {
        root: invocation.trace_id(),
        parent: Some(span_context.span_id()),
        sampled: invocation.xray().sampled,
        lineage: invocation.inbound().lineage(),
    };
    span_context.is_valid().then(|| header.format())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (TRACEPARENT, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn two_parents_are_none() {
        let one = caller(&headers(&[PARENT])).expect("valid");
        assert_eq!(one.trace_id(), TraceId::from(0x4bf92f3577b34da6a3ce929d0e0e4736_u128));
        assert_eq!(caller(&headers(&[PARENT, PARENT])), None);
        assert_eq!(caller(&HeaderMap::new()), None);
    }

    #[test]
    fn only_a_traceparent_names_a_trace() {
        assert_eq!(trace_id_of(PARENT).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(trace_id_of("4bf92f3577b34da6a3ce929d0e0e4736"), None);
    }

    #[test]
    fn nothing_is_injected_outside_of_an_invocation() {
        let mut headers = HeaderMap::new();
        inject(&mut headers);
        assert!(headers.is_empty());
    }
}
