//! Apache Kafka, as Amazon MSK or self-managed: a batch of records of several partitions.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::batch::RecordBatch;
use super::event::{RecordFields, is_short_text, part};
use super::trigger::Trigger;
use crate::attributes::{MESSAGING_DESTINATION_PARTITION_ID, MESSAGING_KAFKA_OFFSET};

pub(super) fn is_source(source: &str) -> bool {
    source == "aws:kafka" || source.eq_ignore_ascii_case("SelfManagedKafka")
}

pub(super) fn is_record(record: &RecordFields<'_>) -> bool {
    record.offset.is_some() && (!record.topic.is_empty() || !record.source_key.is_empty())
}

/// The place of a record in Kafka.
struct Place<'a> {
    topic: &'a str,
    partition: Option<String>,
    offset: Option<i64>,
}

impl<'a> Place<'a> {
    fn of(record: &'a RecordFields<'_>) -> Self {
        // `orders-0`: the topic and the partition.
        let (topic, partition) = record.source_key.rsplit_once('-').unwrap_or_default();
        Self {
            topic: if record.topic.is_empty() { topic } else { &record.topic },
            partition: number(record.partition)
                .map(|partition| partition.to_string())
                .or_else(|| Some(partition).filter(|partition| is_short_text(partition)).map(str::to_owned)),
            offset: number(record.offset),
        }
    }

    /// The identifier by which a response names the record.
    fn id(&self) -> String {
        match (&self.partition, self.offset) {
            (Some(partition), Some(offset)) => {
                RecordBatch::partition_id(&format!("{}-{partition}", self.topic), offset)
            }
            _ => String::new(),
        }
    }
}

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let places: Vec<Place<'_>> = records.iter().map(Place::of).collect();
    let topics = places.iter().map(|place| place.topic);
    let batch = RecordBatch::partitioned(places.iter().map(Place::id));
    let mut trigger = Trigger::messages("kafka", topics, batch);
    if let Some(first) = places.first()
        && let Some(partition) = &first.partition
        && places.iter().all(|place| place.topic == first.topic && place.partition.as_ref() == Some(partition))
    {
        trigger.set(MESSAGING_DESTINATION_PARTITION_ID, partition.clone());
    }
    if let [only] = places.as_slice()
        && let Some(offset) = only.offset
    {
        trigger.set(MESSAGING_KAFKA_OFFSET, offset);
    }
    trigger.link_to_senders(records)
}

/// EventBridge Pipes writes a partition as a text.
fn number(value: Option<&RawValue>) -> Option<i64> {
    part(value).or_else(|| part::<Cow<'_, str>>(value)?.parse().ok())
}
