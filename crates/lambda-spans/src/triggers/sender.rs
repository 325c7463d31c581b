//! Finds the trace context that the sender of a record put into it.

use std::collections::HashMap;

use opentelemetry::trace::SpanContext;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::{RecordFields, part};
use super::eventbridge;
use crate::propagation::trace_header::TraceHeader;
use crate::propagation::traceparent;

/// The item attribute of DynamoDB that holds the writer's `traceparent`.
const TRACE_ATTRIBUTE: &str = "trace_context";

#[derive(Deserialize)]
struct SystemAttributes {
    #[serde(rename = "AWSTraceHeader")]
    trace: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    /// Present in an SNS notification.
    #[serde(borrow, rename = "MessageAttributes")]
    message_attributes: Option<&'a RawValue>,
    /// Present in an EventBridge event.
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamChange<'a> {
    #[serde(borrow, rename = "NewImage")]
    new_image: Option<&'a RawValue>,
}

/// Returns the contexts of a record, at most one for each trace.
pub(super) fn contexts(record: &RecordFields<'_>) -> impl Iterator<Item = SpanContext> + use<> {
    let attributes: Option<SystemAttributes> = part(record.attributes);
    let header = attributes.and_then(|attributes| attributes.trace);
    let passed_on = header.as_deref().and_then(TraceHeader::parse).and_then(|header| header.span_context());
    let trace_id = passed_on.as_ref().map(SpanContext::trace_id);
    let sent = sent(record).filter(|sent| Some(sent.trace_id()) != trace_id);
    passed_on.into_iter().chain(sent)
}

fn sent(record: &RecordFields<'_>) -> Option<SpanContext> {
    let of_sqs = || of_attributes(record.message_attributes?, "stringValue");
    let of_body = || of_envelope(record.body?);
    let of_sns = || {
        let notification: Envelope<'_> = serde_json::from_str(record.sns?.get()).ok()?;
        of_attributes(notification.message_attributes?, "Value")
    };
    of_sqs().or_else(of_body).or_else(of_sns).or_else(|| of_image(record.dynamodb?))
}

/// Returns the context of a message attribute, whose value is the member `value`.
fn of_attributes(attributes: &RawValue, value: &str) -> Option<SpanContext> {
    let attributes: Value = part(Some(attributes))?;
    traceparent::parse(attributes.get("traceparent")?.get(value)?.as_str()?)
}

/// Returns the context of a notification of SNS or an event of EventBridge that was sent to a queue.
fn of_envelope(body: &RawValue) -> Option<SpanContext> {
    // Most bodies have no context and are not parsed.
    if !body.get().contains("traceparent") {
        return None;
    }
    let body: String = part(Some(body))?;
    let envelope: Envelope<'_> = serde_json::from_str(&body).ok()?;
    let of_sns = || of_attributes(envelope.message_attributes?, "Value");
    of_sns().or_else(|| eventbridge::context(envelope.detail))
}

/// Returns the context of the writer of an item.
fn of_image(change: &RawValue) -> Option<SpanContext> {
    let change: StreamChange<'_> = serde_json::from_str(change.get()).ok()?;
    let image: HashMap<String, Box<RawValue>> = part(change.new_image)?;
    let attribute: Value = part(Some(image.get(TRACE_ATTRIBUTE)?))?;
    traceparent::parse(attribute.get("S")?.as_str()?)
}
