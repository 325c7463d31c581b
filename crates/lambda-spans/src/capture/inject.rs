//! The trace context of outgoing requests and messages.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt as _;

use crate::propagation::trace_header::{TraceHeader, XRAY_HEADER};
use crate::propagation::{traceparent, tracestate};
use crate::trace::lookup;

/// Writes the current span into the headers of an outgoing request, as `traceparent` and as `X-Amzn-Trace-Id`. Does
/// nothing outside of an invocation.
///
/// Clients of the AWS SDK do not need it: [`AwsSdkSpans`](crate::AwsSdkSpans) writes the header. For a client that is a
/// tower service, [`ClientLayer`](crate::ClientLayer) also records a span.
///
/// ```
/// let mut request = http::Request::get("https://example.com/").body(()).unwrap();
/// lambda_spans::inject(request.headers_mut());
/// ```
pub fn inject(headers: &mut HeaderMap) {
    inject_context(&Context::current(), headers);
}

/// Writes the span of `context` into the headers of an outgoing request.
pub(super) fn inject_context(context: &Context, headers: &mut HeaderMap) {
    for (name, value) in outgoing(context) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// Returns the current span as pairs of names and values: `traceparent`, `X-Amzn-Trace-Id`, and `tracestate` if a
/// trusted caller sent one. Empty outside of an invocation.
///
/// Add them to a message, so that its consumer links to the current span or [continues](crate::continue_from) its trace.
/// SQS passes `X-Amzn-Trace-Id` on if the client has [`AwsSdkSpans`](crate::AwsSdkSpans); SNS passes on message
/// attributes only.
///
/// # Amazon SQS
///
/// A message has at most 10 attributes. These pairs are two or three of them.
///
/// ```no_run
/// use aws_sdk_sqs::types::MessageAttributeValue;
///
/// # async fn example(client: aws_sdk_sqs::Client, queue: String) -> Result<(), Box<dyn std::error::Error>> {
/// let mut message = client.send_message().queue_url(queue).message_body("{}");
/// for (name, value) in lambda_spans::context_pairs() {
///     let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
///     message = message.message_attributes(name, value);
/// }
/// message.send().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Amazon SNS
///
/// The attributes also arrive in a queue that is subscribed to the topic.
///
/// ```rs
/// let mut message = client.publish().topic_arn(topic).message("{}");
/// for (name, value) in lambda_spans::context_pairs() {
///     let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
///     message = message.message_attributes(name, value);
/// }
/// message.send().await?;
/// ```
///
/// # Amazon EventBridge
///
/// The pairs become members of the detail.
///
/// ```rs
/// let mut detail = json!({ "order": 7 });
/// for (name, value) in lambda_spans::context_pairs() {
///     detail[name] = value.into();
/// }
/// let entry = PutEventsRequestEntry::builder().source("shop").detail_type("Order Placed").detail(detail.to_string());
/// client.put_events().entries(entry.build()).send().await?;
/// ```
///
/// # AWS Lambda
///
/// With `AwsSdkSpans`, the invoked function has the same trace id without any code. For a link to the calling span, add
/// the pairs to the payload, and pass the payload to [`continue_from`](crate::continue_from) in the invoked function.
///
/// ```rs
/// let mut payload = json!({ "order": 7 });
/// for (name, value) in lambda_spans::context_pairs() {
///     payload[name] = value.into();
/// }
/// client.invoke().function_name("invoices").payload(Blob::new(payload.to_string())).send().await?;
/// ```
pub fn context_pairs() -> Vec<(&'static str, String)> {
    let pairs = Context::map_current(outgoing).into_iter().filter_map(|(name, value)| {
        let name = ["traceparent", "tracestate", "X-Amzn-Trace-Id"].into_iter().find(|known| name == *known)?;
        Some((name, value))
    });
    pairs.collect()
}

/// Returns the headers of a request made within the span of `context`.
fn outgoing(context: &Context) -> Vec<(HeaderName, String)> {
    let Some((invocation, xray)) = lookup::of(context).zip(xray_header(context)) else { return Vec::new() };
    let span = context.span().span_context().span_id();
    let trace_id = invocation.otlp_trace_id_at(span);
    let parent = traceparent::format(trace_id, span);
    let caller = invocation.inbound().caller().filter(|caller| caller.trace_id == trace_id);
    let state = caller.and_then(|caller| caller.state.as_ref());
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
        let sender = extractor
            .get(traceparent::HEADER.as_str())
            .and_then(traceparent::parse)
            .or_else(|| extractor.get(XRAY_HEADER).and_then(TraceHeader::parse)?.span_context());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_is_injected_outside_an_invocation() {
        let mut headers = HeaderMap::new();
        inject(&mut headers);
        assert!(headers.is_empty());
        assert_eq!(context_pairs(), []);
    }
}
