//! The trace context of outgoing requests, and links to the context of stored data.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::propagation::trace_header::{TraceHeader, XRAY_HEADER};
use crate::propagation::{traceparent, tracestate};
use crate::trace::lookup;

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
    for (name, value) in outgoing(&Context::current()) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// Returns the headers of a request made within the span of `context`.
fn outgoing(context: &Context) -> Vec<(HeaderName, String)> {
    let Some((invocation, xray)) = lookup::of(context).zip(xray_header(context)) else { return Vec::new() };
    let parent = traceparent::format(invocation.otlp_trace_id(), context.span().span_context().span_id());
    let state = invocation.inbound().caller().and_then(|caller| caller.state.as_ref());
    let state = state.map(|state| (tracestate::HEADER, state.as_str().to_owned()));
    let xray = (HeaderName::from_static(XRAY_HEADER), xray);
    [(traceparent::HEADER, parent), xray].into_iter().chain(state).collect()
}

/// The propagator for libraries that use the OpenTelemetry API: `traceparent`, `tracestate` and `X-Amzn-Trace-Id`.
///
/// It writes the headers of [`inject`]. It reads `traceparent`, or else `X-Amzn-Trace-Id`. A span with an extracted
/// parent stays in its invocation and links to that parent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Propagator;

const FIELDS: [&str; 3] = ["traceparent", "tracestate", XRAY_HEADER];

impl TextMapPropagator for Propagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        for (name, value) in outgoing(context) {
            injector.set(name.as_str(), value);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let sender = extractor.get(traceparent::HEADER.as_str()).and_then(traceparent::parse).or_else(|| {
            let header = extractor.get(XRAY_HEADER).and_then(TraceHeader::parse)?;
            let flags = if header.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
            Some(SpanContext::new(header.root, header.parent?, flags, true, TraceState::NONE))
        });
        sender.map_or_else(|| context.clone(), |sender| context.with_remote_span_context(sender))
    }

    fn fields(&self) -> FieldIter<'_> {
        static NAMES: LazyLock<[String; 3]> = LazyLock::new(|| FIELDS.map(str::to_owned));
        FieldIter::new(&*NAMES)
    }
}

/// `X-Amzn-Trace-Id` for a request made within the span of `context`.
pub(crate) fn xray_header(context: &Context) -> Option<String> {
    let invocation = lookup::of(context)?;
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
