//! Amazon SQS: a batch of messages.

use opentelemetry::trace::SpanContext;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::batch::RecordBatch;
use super::event::{RecordFields, part};
use super::eventbridge;
use super::trigger::Trigger;
use crate::propagation::trace_header::TraceHeader;
use crate::propagation::traceparent;

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

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let batch = RecordBatch::unordered(records.iter().map(|record| record.message_id.clone()));
    let queues = records.iter().map(|record| record.arn.as_str());
    Trigger::messages("aws_sqs", queues, batch).link_to(records.iter().flat_map(contexts))
}

/// Returns the context that SQS passed on, and the one that the sender put into a message attribute if it is of another
/// trace.
fn contexts(record: &RecordFields<'_>) -> impl Iterator<Item = SpanContext> {
    let attributes: Option<SystemAttributes> = part(record.attributes);
    let header = attributes.and_then(|attributes| attributes.trace);
    let passed_on = header.as_deref().and_then(TraceHeader::parse).and_then(|header| header.span_context());
    let trace_id = passed_on.as_ref().map(SpanContext::trace_id);
    let sent = sent(record).filter(|sent| Some(sent.trace_id()) != trace_id);
    passed_on.into_iter().chain(sent)
}

fn sent(record: &RecordFields<'_>) -> Option<SpanContext> {
    of_attribute(record).or_else(|| of_envelope(record.body?))
}

fn of_attribute(record: &RecordFields<'_>) -> Option<SpanContext> {
    let attributes: Value = part(record.message_attributes)?;
    traceparent::parse(attributes.get("traceparent")?.get("stringValue")?.as_str()?)
}

/// Returns the context of a notification of SNS or an event of EventBridge that was sent to the queue.
fn of_envelope(body: &RawValue) -> Option<SpanContext> {
    // Most bodies have no context and are not parsed.
    if !body.get().contains("traceparent") {
        return None;
    }
    let body: String = part(Some(body))?;
    let envelope: Envelope<'_> = serde_json::from_str(&body).ok()?;
    let of_sns = || {
        let attributes: Value = part(envelope.message_attributes)?;
        traceparent::parse(attributes.get("traceparent")?.get("Value")?.as_str()?)
    };
    of_sns().or_else(|| eventbridge::context(envelope.detail))
}
