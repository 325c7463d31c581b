//! Detects which service an event comes from, by several of its members: a function's own events may share one.

use std::collections::HashMap;

use serde::de::IgnoredAny;

use super::event::{self, EventFields, RecordFields};
use super::trigger::Trigger;
use super::{
    activemq, cognito, documentdb, durable, dynamodb, eventbridge, json_scan, kafka, kinesis, rabbitmq, s3, sns, sqs,
};
use crate::attributes::AWS_API_GATEWAY_ROUTE_KEY;

/// Each of these names occurs in a kind of event. Other events are not parsed.
const IDENTIFYING: [&[u8]; 7] = [
    b"Records",
    b"detail-type",
    b"requestContext",
    b"triggerSource",
    b"eventSource",
    b"DurableExecutionArn",
    b"raw_path",
];

/// Returns the trigger. An event of an unknown service is `other`.
pub(super) fn trigger(event: &[u8]) -> Trigger {
    known_trigger(event).unwrap_or_else(|| Trigger::faas("other"))
}

fn known_trigger(event: &[u8]) -> Option<Trigger> {
    if let Some(first) = event.trim_ascii_start().strip_prefix(b"[") {
        // EventBridge Pipes sends records without an envelope.
        let is_record = json_scan::has_member(first, |name| name == b"eventSource");
        return if is_record { of_records(&event::records(serde_json::from_slice(event).ok()?)?) } else { None };
    }
    if !json_scan::has_member(event, |name| IDENTIFYING.contains(&name)) {
        return None;
    }
    let event: EventFields<'_> = serde_json::from_slice(event).ok()?;
    if let Some(records) = event::present(event.records) {
        let records = event::records(records)?;
        return if records.is_empty() { empty_window(&event) } else { of_records(&records) };
    }
    of_brokers(&event)
        .or_else(|| http(&event))
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

/// Returns the trigger of an event that requires an HTTP response. Authorizers and records of failed invocations have a
/// `requestContext` too, but no response to a client.
fn http(event: &EventFields<'_>) -> Option<Trigger> {
    let is_set = |member: &Option<_>| event::present(*member).is_some();
    if [event.method_arn, event.route_arn].iter().any(is_set) {
        return None;
    }
    let context: HashMap<String, IgnoredAny> = event::part(event.request_context).unwrap_or_default();
    let has = |members: &[&str]| members.iter().any(|member| context.contains_key(*member));
    if has(&["connectionId"]) && has(&["eventType", "routeKey"]) {
        return Some(web_socket(event));
    }
    let are_set = |members: &[_]| members.iter().all(is_set);
    // A REST API or a load balancer; an HTTP API or a function URL; VPC Lattice in the versions 2.0 and 1.0.
    let is_request = are_set(&[event.http_method, event.path]) && has(&["apiId", "resourceId", "resourcePath", "elb"])
        || are_set(&[event.raw_path]) && has(&["http"])
        || are_set(&[event.method, event.path]) && has(&["serviceNetworkArn", "serviceArn", "targetGroupArn"])
        || are_set(&[event.method, event.raw_path, event.headers]) && !is_set(&event.request_context);
    is_request.then(|| Trigger::faas("http"))
}

/// Names the span of a WebSocket API's event after its route.
fn web_socket(event: &EventFields<'_>) -> Trigger {
    let mut trigger = Trigger::faas("http");
    if let Some(route) = web_socket_route(event) {
        trigger.set(AWS_API_GATEWAY_ROUTE_KEY, route.clone());
        trigger.name = Some(route);
    }
    trigger
}

fn web_socket_route(event: &EventFields<'_>) -> Option<String> {
    let context: event::WebSocketFields<'_> = serde_json::from_str(event.request_context?.get()).ok()?;
    event::text(context.route_key)
}
