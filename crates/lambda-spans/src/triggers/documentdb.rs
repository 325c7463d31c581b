//! Amazon DocumentDB change streams: a batch of changes to one database. Documents and their ids are not read.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::{DocumentChange, DocumentNamespace, RecordFields, part, text};
use super::trigger::{Trigger, only_or_several};
use crate::attributes::{
    FAAS_DOCUMENT_COLLECTION, FAAS_DOCUMENT_NAME, FAAS_DOCUMENT_OPERATION, FAAS_DOCUMENT_TIME,
    MESSAGING_BATCH_MESSAGE_COUNT,
};

#[derive(Deserialize)]
struct ClusterTime {
    #[serde(rename = "$timestamp")]
    timestamp: Seconds,
}

#[derive(Deserialize)]
struct Seconds {
    t: i64,
}

struct Change {
    database: Option<String>,
    collection: Option<String>,
    operation: String,
    time: Option<String>,
}

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let changes: Vec<Change> = records.iter().filter_map(change).collect();
    let mut databases: Vec<&str> = changes.iter().filter_map(|change| change.database.as_deref()).collect();
    let mut collections: Vec<&str> = changes.iter().filter_map(|change| change.collection.as_deref()).collect();
    let (database, source) = only_or_several(&mut databases);
    let (collection, _) = only_or_several(&mut collections);
    let collection = collection.filter(|_| changes.iter().all(|change| change.collection.is_some()));
    let name = match (database, collection) {
        (Some(database), Some(collection)) => Some(format!("{database}.{collection}")),
        _ => source.map(str::to_owned),
    };
    let mut trigger = Trigger::consumer("datasource", name.as_deref());
    trigger.set(MESSAGING_BATCH_MESSAGE_COUNT, i64::try_from(records.len()).unwrap_or(i64::MAX));
    if let Some(database) = database {
        trigger.set(FAAS_DOCUMENT_COLLECTION, database.to_owned());
        if let Some(collection) = collection {
            trigger.set(FAAS_DOCUMENT_NAME, collection.to_owned());
        }
    }
    if let Some(operation) = operation(&changes) {
        trigger.set(FAAS_DOCUMENT_OPERATION, operation);
    }
    if let [Change { time: Some(time), .. }] = changes.as_slice()
        && records.len() == 1
    {
        trigger.set(FAAS_DOCUMENT_TIME, time.clone());
    }
    trigger.link_to_senders(records)
}

fn change(record: &RecordFields<'_>) -> Option<Change> {
    let change: DocumentChange<'_> = serde_json::from_str(record.event?.get()).ok()?;
    let namespace = change.namespace.and_then(|namespace| serde_json::from_str(namespace.get()).ok());
    let DocumentNamespace { database, collection } = namespace.unwrap_or_default();
    Some(Change {
        database: text(database),
        collection: text(collection),
        operation: change.operation.into_owned(),
        time: time(change.time),
    })
}

fn time(value: Option<&RawValue>) -> Option<String> {
    let time: ClusterTime = part(value)?;
    Some(Timestamp::from_second(time.timestamp.t).ok()?.to_string())
}

/// Returns the operation if all changes have the same.
fn operation(changes: &[Change]) -> Option<&'static str> {
    let known = |change: &Change| match change.operation.as_str() {
        "insert" => Some("insert"),
        "update" | "replace" => Some("edit"),
        "delete" => Some("delete"),
        _ => None,
    };
    let first = known(changes.first()?)?;
    changes.iter().all(|change| known(change) == Some(first)).then_some(first)
}
