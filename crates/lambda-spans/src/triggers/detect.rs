//! Detects which service an event comes from.

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
    if json_scan::member(event, |name| IDENTIFYING.contains(&name))? == b"requestContext" {
        return Some(Trigger::faas("http"));
    }
    let event: EventFields<'_> = serde_json::from_slice(event).ok()?;
    if let Some(records) = event.records {
        let records = event::records(records)?;
        return match records.first()?.source.as_str() {
            "aws:sqs" => Some(sqs::trigger(&records)),
            "aws:sns" => Some(sns::trigger(&records)),
            "aws:kinesis" => Some(kinesis::trigger(&records)),
            "aws:s3" => Some(s3::trigger(&records)),
            "aws:dynamodb" => Some(dynamodb::trigger(&records)),
            _ => None,
        };
    }
    eventbridge::trigger(&event).or_else(|| cognito::trigger(&event))
}
