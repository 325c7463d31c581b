//! Amazon DynamoDB Streams: a batch of changes to one table.

use serde::Deserialize;

use super::batch::RecordBatch;
use super::event::{RecordFields, is_short_text, part, text_or_empty};
use super::trigger::Trigger;
use crate::attributes::{FAAS_DOCUMENT_COLLECTION, FAAS_DOCUMENT_OPERATION};

#[derive(Default, Deserialize)]
struct StreamChange {
    #[serde(rename = "SequenceNumber", default, deserialize_with = "text_or_empty")]
    sequence_number: String,
}

pub(super) fn trigger(arn: &str, records: &[RecordFields<'_>]) -> Trigger {
    let changes: Vec<StreamChange> = records.iter().map(change).collect();
    let table = table(arn);
    let mut trigger = Trigger::consumer("datasource", table);
    if let Some(table) = table {
        trigger.set(FAAS_DOCUMENT_COLLECTION, table.to_owned());
    }
    if let Some(operation) = operation(records) {
        trigger.set(FAAS_DOCUMENT_OPERATION, operation);
    }
    trigger
        .with_batch(RecordBatch::ordered(changes.iter().map(|change| change.sequence_number.clone())))
        .link_to_senders(records)
}

fn change(record: &RecordFields<'_>) -> StreamChange {
    part(record.dynamodb).unwrap_or_default()
}

/// `arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-11-22T12:00:00.000`
fn table(arn: &str) -> Option<&str> {
    let name = arn.split_once(":table/")?.1.split('/').next()?;
    is_short_text(name).then_some(name)
}

/// Returns the operation if all records have the same.
fn operation(records: &[RecordFields<'_>]) -> Option<&'static str> {
    let first = &records.first()?.event_name;
    let operation = match &**first {
        "INSERT" => "insert",
        "MODIFY" => "edit",
        "REMOVE" => "delete",
        _ => return None,
    };
    records.iter().all(|record| record.event_name == *first).then_some(operation)
}
