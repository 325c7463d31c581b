//! Amazon SQS: a batch of messages.

use super::batch::RecordBatch;
use super::event::RecordFields;
use super::sender;
use super::trigger::Trigger;

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let batch = RecordBatch::unordered(records.iter().map(|record| record.message_id.clone()));
    let queues = records.iter().map(|record| record.arn.as_str());
    Trigger::messages("aws_sqs", queues, batch).link_to(records.iter().flat_map(sender::contexts))
}
