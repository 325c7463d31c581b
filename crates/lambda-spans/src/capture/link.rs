//! Connects a span with the sender of a record.

use opentelemetry::trace::TraceContextExt as _;
use serde::Serialize;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::propagation::span_context;
use crate::trace::lookup;
use crate::triggers::sender::Sender;

/// Links a span to the one that `header` names, such as the span that wrote a record. Returns whether the span has the
/// link.
///
/// `header` is a `traceparent`, or an X-Ray header with a parent. Any other text is ignored, and so is a span that no
/// subscriber records.
///
/// ```
/// let span = tracing::info_span!("record");
/// lambda_spans::link(&span, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// lambda_spans::link(&span, "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1");
/// ```
pub fn link(span: &Span, header: &str) -> bool {
    let Some(sender) = span_context(header).filter(|_| !span.is_disabled()) else { return false };
    span.add_link(sender);
    true
}

/// Connects a record's span with the span of the record's sender. Returns whether the record carries a trace context.
///
/// Call it before the span is entered.
///
/// - By default, the span links to the sender.
/// - With `LAMBDA_SPANS_CONTEXT=caller`, the span and all spans below it belong to the sender's trace over OTLP. The
///   sender's span is the parent, and the record's span links to the root of the invocation. In X-Ray, which has one
///   trace for each invocation, the span links to the sender. [`trace_id`](crate::trace_id), log lines,
///   [`inject`](crate::inject) and [`context_pairs`](crate::context_pairs) use the sender's trace id within the span.
///
/// `record` is a record in the form that Lambda sends, such as a type of `aws_lambda_events` or a
/// [`serde_json::Value`]. The header may be a `traceparent` or an X-Ray header. `traceparent` has precedence as the
/// parent.
///
/// | record | place of the header |
/// |---|---|
/// | Amazon SQS | `AWSTraceHeader`, message attributes, or the body: an SNS or EventBridge envelope, or a member of a JSON object |
/// | Amazon SNS | message attributes |
/// | DynamoDB Streams | the attribute `trace_context` of the new image |
/// | Kinesis Data Streams | the data: a JSON object of at most 256 KiB, with `traceparent` as a member or in `detail` |
/// | Kafka, ActiveMQ, RabbitMQ | headers or properties of the record |
/// | EventBridge | a member of the detail |
/// | any object | its own members, or those of its member `headers`, `detail` or `custom` (Lambda's client context) |
/// | a text | the text itself |
///
/// ```
/// use lambda_runtime::{Error, LambdaEvent};
/// use serde_json::Value;
/// use tracing::{Instrument, info_span};
///
/// async fn consume(event: LambdaEvent<Value>) -> Result<(), Error> {
///     for record in event.payload["Records"].as_array().into_iter().flatten() {
///         let span = info_span!("record");
///         lambda_spans::continue_from(&span, record);
///         process(record).instrument(span).await;
///     }
///     Ok(())
/// }
/// # async fn process(record: &Value) {}
/// ```
pub fn continue_from<T: Serialize + ?Sized>(span: &Span, record: &T) -> bool {
    let Ok(json) = serde_json::to_string(record) else { return false };
    let sender = Sender::of_json(&json);
    let Some(parent) = sender.parent().cloned() else { return false };
    sender.links().for_each(|link| span.add_link(link));
    let context = span.context();
    if let Some(invocation) = lookup::of(&context) {
        invocation.continue_trace(context.span().span_context().span_id(), parent);
    }
    true
}
