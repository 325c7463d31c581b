//! Amazon SQS: a batch of messages.

use super::batch::RecordBatch;
use super::event::{RecordFields, last_of_arn, part};
use super::trigger::Trigger;

pub(super) fn is_message(record: &RecordFields<'_>) -> bool {
    let members = [record.message_id, record.receipt_handle, record.body, record.attributes, record.message_attributes];
    members.iter().any(Option::is_some)
}

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let ids = records.iter().map(|record| part(record.message_id).unwrap_or_default());
    let queues = records.iter().filter_map(|record| last_of_arn(&record.arn));
    Trigger::messages("aws_sqs", queues, RecordBatch::unordered(ids)).link_to_senders(records)
}
