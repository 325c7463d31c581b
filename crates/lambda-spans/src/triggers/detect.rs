//! Detects which service an event comes from.

use std::collections::HashMap;

use serde::de::IgnoredAny;

use super::event::{self, EventFields};
use super::trigger::Trigger;
use super::{cognito, dynamodb, eventbridge, json_scan, kinesis, s3, sns, sqs};

/// Each of these names identifies a kind of event.
const IDENTIFYING: [&[u8]; 4] = [b"Records", b"detail-type", b"requestContext", b"triggerSource"];

/// Returns the trigger. An event of an unknown service is `other`.
pub(super) fn trigger(event: &[u8]) -> Trigger {
    known_trigger(event).unwrap_or_else(|| Trigger::faas("other"))
}

fn known_trigger(event: &[u8]) -> Option<Trigger> {
    if !json_scan::has_member(event, |name| IDENTIFYING.contains(&name)) {
        return None;
    }
    let event: EventFields<'_> = serde_json::from_slice(event).ok()?;
    if let Some(records) = event.records {
        let records = event::records(records)?;
        let Some(first) = records.first() else { return empty_window(&event) };
        return match first.source.as_str() {
            "aws:sqs" => Some(sqs::trigger(&records)),
            "aws:sns" => Some(sns::trigger(&records)),
            "aws:kinesis" => Some(kinesis::trigger(&first.arn, &records)),
            "aws:s3" => Some(s3::trigger(&records)),
            "aws:dynamodb" => Some(dynamodb::trigger(&first.arn, &records)),
            _ => None,
        };
    }
    if is_request(&event) {
        return Some(Trigger::faas("http"));
    }
    eventbridge::trigger(&event).or_else(|| cognito::trigger(&event))
}

/// Returns the stream of a tumbling window that ended without records.
fn empty_window(event: &EventFields<'_>) -> Option<Trigger> {
    let arn: String = event::part(event.source_arn)?;
    match arn.split(':').nth(2)? {
        "kinesis" => Some(kinesis::trigger(&arn, &[])),
        "dynamodb" => Some(dynamodb::trigger(&arn, &[])),
        _ => None,
    }
}

/// Returns whether the event is an HTTP request. Authorizers and records of failed invocations have a `requestContext`
/// too, but no response to a client.
fn is_request(event: &EventFields<'_>) -> bool {
    let context: HashMap<String, IgnoredAny> = event::part(event.request_context).unwrap_or_default();
    let of_gateway = ["apiId", "elb", "http", "serviceNetworkArn"].iter().any(|member| context.contains_key(*member));
    of_gateway && event.method_arn.is_none() && event.route_arn.is_none()
}
