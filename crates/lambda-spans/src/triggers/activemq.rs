//! Amazon MQ for ActiveMQ: a batch of messages.

use super::batch::RecordBatch;
use super::event::{self, RecordFields, text};
use super::trigger::Trigger;

pub(super) fn is_message(record: &RecordFields<'_>) -> bool {
    record.message_id.is_some() && record.destination.is_some()
}

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let ids = records.iter().map(|record| text(record.message_id).unwrap_or_default());
    let queues: Vec<String> = records.iter().filter_map(queue).collect();
    let mut trigger = Trigger::messages("activemq", queues.iter().map(String::as_str), RecordBatch::unordered(ids));
    // Lambda does not support partial batch failures of Amazon MQ.
    trigger.batch = None;
    trigger.link_to_senders(records)
}

fn queue(record: &RecordFields<'_>) -> Option<String> {
    let destination: event::ActiveMqDestination<'_> = serde_json::from_str(record.destination?.get()).ok()?;
    text(destination.name)
}
