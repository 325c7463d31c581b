//! Amazon Kinesis Data Streams: a batch of records of one shard.

use serde::Deserialize;

use super::batch::RecordBatch;
use super::event::{RecordFields, is_short_text, part, text_or_empty};
use super::trigger::Trigger;
use crate::attributes::{AWS_KINESIS_STREAM_NAME, MESSAGING_DESTINATION_NAME};

#[derive(Default, Deserialize)]
struct KinesisData {
    #[serde(rename = "sequenceNumber", default, deserialize_with = "text_or_empty")]
    sequence_number: String,
}

pub(super) fn is_record(record: &RecordFields<'_>) -> bool {
    record.kinesis.is_some() || record.data.is_some() && !record.sequence_number.is_empty()
}

pub(super) fn trigger(arn: &str, records: &[RecordFields<'_>]) -> Trigger {
    let stream = stream(arn);
    let mut trigger = Trigger::consumer("pubsub", stream);
    trigger.set_messaging_system("aws.kinesis");
    if let Some(stream) = stream {
        trigger.set(MESSAGING_DESTINATION_NAME, stream.to_owned());
        trigger.set(AWS_KINESIS_STREAM_NAME, stream.to_owned());
    }
    trigger.with_batch(RecordBatch::ordered(records.iter().map(sequence_number))).link_to_senders(records)
}

/// EventBridge Pipes writes the members of `kinesis` into the record.
fn sequence_number(record: &RecordFields<'_>) -> String {
    let data: Option<KinesisData> = part(record.kinesis);
    data.map_or_else(|| record.sequence_number.to_string(), |data| data.sequence_number)
}

/// `arn:aws:kinesis:eu-west-1:123456789012:stream/clicks`, optionally with a consumer's name.
fn stream(arn: &str) -> Option<&str> {
    let name = arn.split_once(":stream/")?.1.split('/').next()?;
    // Kinesis's limit for a stream name.
    (name.len() <= 128 && is_short_text(name)).then_some(name)
}
