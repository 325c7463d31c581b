//! Detects which service an event comes from, by several of its members: a function's own events may share one.

use super::event::{self, EventFields, RecordFields};
use super::http_event::Request;
use super::trigger::Trigger;
use super::{
    activemq, cognito, documentdb, durable, dynamodb, eventbridge, json_scan, kafka, kinesis, rabbitmq, s3, sns, sqs,
};

/// Each of these names occurs in a kind of event that is parsed. Requests and other events are scanned.
const PARSED: [&[u8]; 5] = [b"Records", b"detail-type", b"triggerSource", b"eventSource", b"DurableExecutionArn"];

/// Returns the trigger. An event of an unknown service is `other`.
pub(super) fn trigger(event: &[u8]) -> Trigger {
    known_trigger(event).unwrap_or_else(|| Trigger::faas("other"))
}

fn known_trigger(text: &[u8]) -> Option<Trigger> {
    if let Some(first) = text.trim_ascii_start().strip_prefix(b"[") {
        // EventBridge Pipes sends records without an envelope.
        let is_record = json_scan::has_member(first, b"eventSource");
        return if is_record { of_records(&event::records(serde_json::from_slice(text).ok()?)?) } else { None };
    }
    let mut is_parsed = false;
    let request = Request::of(text, |name| {
        is_parsed = PARSED.contains(&name);
        is_parsed
    });
    if !is_parsed {
        return request.trigger();
    }
    let event: EventFields<'_> = serde_json::from_slice(text).ok()?;
    if let Some(records) = event::present(event.records) {
        let records = event::records(records)?;
        return if records.is_empty() { empty_window(&event) } else { of_records(&records) };
    }
    of_brokers(&event)
        .or_else(|| Request::of(text, |_| false).trigger())
        .or_else(|| eventbridge::trigger(&event))
        .or_else(|| cognito::trigger(&event))
        .or_else(|| durable::trigger(&event))
}

/// Returns the service of records that each name it. Records of several services are a function's own.
fn of_records(records: &[RecordFields<'_>]) -> Option<Trigger> {
    let first = records.first()?;
    if records.iter().any(|record| !record.source.is_empty() && record.source != first.source) {
        return None;
    }
    let has = |known: fn(&RecordFields<'_>) -> bool| records.iter().any(known);
    match &*first.source {
        "aws:sqs" if has(sqs::is_message) => Some(sqs::trigger(records)),
        "aws:sns" if has(|record| record.sns.is_some()) => Some(sns::trigger(records)),
        "aws:kinesis" if has(kinesis::is_record) => Some(kinesis::trigger(&first.arn, records)),
        "aws:s3" if has(|record| record.s3.is_some()) => Some(s3::trigger(records)),
        "aws:dynamodb" if has(|record| record.dynamodb.is_some()) => Some(dynamodb::trigger(&first.arn, records)),
        "aws:amq" | "aws:mq" if has(activemq::is_message) => Some(activemq::trigger(records)),
        "aws:rmq" if has(|record| record.basic_properties.is_some()) => Some(rabbitmq::trigger(records)),
        source if kafka::is_source(source) && has(kafka::is_record) => Some(kafka::trigger(records)),
        _ => None,
    }
}

/// Returns the service of a batch whose envelope names it.
fn of_brokers(event: &EventFields<'_>) -> Option<Trigger> {
    match &*event.source_name {
        "aws:mq" | "aws:amq" => Some(activemq::trigger(&event::records(event.messages?)?)),
        "aws:rmq" => Some(rabbitmq::trigger(&event::grouped_records(event.queues?)?)),
        "aws:docdb" => Some(documentdb::trigger(&event::records(event.changes?)?)),
        source if kafka::is_source(source) => Some(kafka::trigger(&event::grouped_records(event.kafka_records?)?)),
        _ => None,
    }
}

/// Returns the stream of a tumbling window that ended without records.
fn empty_window(event: &EventFields<'_>) -> Option<Trigger> {
    event::present(event.window)?;
    match event.source_arn.split(':').nth(2)? {
        "kinesis" => Some(kinesis::trigger(&event.source_arn, &[])),
        "dynamodb" => Some(dynamodb::trigger(&event.source_arn, &[])),
        _ => None,
    }
}
