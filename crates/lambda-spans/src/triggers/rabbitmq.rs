//! Amazon MQ for RabbitMQ: a batch of messages of several queues.

use super::batch::RecordBatch;
use super::event::{self, RecordFields, text};
use super::trigger::Trigger;

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let ids = records.iter().map(|record| message_id(record).unwrap_or_default());
    // `orders::/`: the queue and its virtual host.
    let queues = records.iter().map(|record| record.source_key.split("::").next().unwrap_or_default());
    let mut trigger = Trigger::messages("rabbitmq", queues, RecordBatch::unordered(ids));
    // Lambda does not support partial batch failures of Amazon MQ.
    trigger.batch = None;
    trigger.link_to_senders(records)
}

/// Few producers set an id.
fn message_id(record: &RecordFields<'_>) -> Option<String> {
    let properties: event::RabbitMqProperties<'_> = serde_json::from_str(record.basic_properties?.get()).ok()?;
    text(properties.message_id)
}
