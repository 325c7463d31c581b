//! The trace context of outgoing requests, and links to the context of stored data.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::propagation::trace_header::{TraceHeader, XRAY_HEADER};
use crate::propagation::{traceparent, tracestate};
use crate::trace::invocation::Invocation;

/// Writes the current span into the headers of an outgoing request, as `traceparent` and as `X-Amzn-Trace-Id`. Does
/// nothing outside of an invocation.
///
/// Clients of the AWS SDK do not need it: [`AwsSdkSpans`](crate::AwsSdkSpans) writes the header.
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
    for (name, value) in [(traceparent::HEADER, Some(parent)), (tracestate::HEADER, state), (xray_header, Some(xray))] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
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

/// Links a span to the one that `traceparent` names, such as the span that wrote a record. Ignores an invalid
/// `traceparent`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_is_injected_outside_an_invocation() {
        let mut headers = HeaderMap::new();
        inject(&mut headers);
        assert!(headers.is_empty());
    }
}
