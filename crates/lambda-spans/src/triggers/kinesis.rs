//! Amazon Kinesis Data Streams: a batch of records of one shard.

use serde::Deserialize;

use super::Trigger;
use super::batch::Batch;
use super::event::{Record, part};

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(rename = "sequenceNumber", default)]
    sequence_number: String,
}

/// A record has no place for a context but its data, whose form is its producer's own.
pub(super) fn trigger(records: &[Record<'_>]) -> Trigger {
    let stream = records.first().and_then(|record| stream(&record.arn)).unwrap_or("unknown");
    let entries = records.iter().map(|record| part(record.kinesis).unwrap_or_default());
    let mut trigger = Trigger::consumer("pubsub", stream);
    trigger.set("messaging.system", "aws.kinesis");
    trigger.set("messaging.operation.name", "process");
    trigger.set("messaging.operation.type", "process");
    trigger.set("messaging.destination.name", stream.to_owned());
    trigger.set("aws.kinesis.stream_name", stream.to_owned());
    trigger.with_batch(Batch::ordered(entries.map(|entry: Entry| entry.sequence_number)))
}

/// `arn:aws:kinesis:eu-west-1:123456789012:stream/clicks`, with the name of a consumer behind it or without.
fn stream(arn: &str) -> Option<&str> {
    let name = arn.split_once(":stream/")?.1.split('/').next()?;
    // Kinesis allows no longer one.
    (1..=128).contains(&name.len()).then_some(name)
}
