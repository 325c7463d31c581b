//! Amazon S3: a change of an object. Its key is omitted, because applications put personal data into keys.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::{RecordFields, text};
use super::trigger::{Trigger, only_or_several};
use crate::attributes::{
    AWS_S3_BUCKET, FAAS_DOCUMENT_COLLECTION, FAAS_DOCUMENT_OPERATION, FAAS_DOCUMENT_TIME, MESSAGING_BATCH_MESSAGE_COUNT,
};

#[derive(Deserialize)]
struct S3Notification<'a> {
    #[serde(borrow)]
    bucket: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
}

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let only = if let [only] = records { Some(only) } else { None };
    let mut buckets: Vec<String> = records.iter().filter_map(bucket).collect();
    let (only_bucket, source) = only_or_several(&mut buckets);
    let mut trigger = Trigger::consumer("datasource", source);
    if records.len() > 1 {
        trigger.set(MESSAGING_BATCH_MESSAGE_COUNT, i64::try_from(records.len()).unwrap_or(i64::MAX));
    }
    if let Some(bucket) = only_bucket.map(str::to_owned) {
        trigger.set(AWS_S3_BUCKET, bucket.clone());
        trigger.set(FAAS_DOCUMENT_COLLECTION, bucket);
    }
    if let Some(operation) = only.and_then(|record| operation(&record.event_name)) {
        trigger.set(FAAS_DOCUMENT_OPERATION, operation);
    }
    if let Some(time) = only.and_then(|record| text(record.event_time)) {
        trigger.set(FAAS_DOCUMENT_TIME, time);
    }
    trigger
}

fn bucket(record: &RecordFields<'_>) -> Option<String> {
    let notification: S3Notification<'_> = serde_json::from_str(record.s3?.get()).ok()?;
    let bucket: Bucket<'_> = serde_json::from_str(notification.bucket?.get()).ok()?;
    text(bucket.name)
}

/// S3 does not distinguish a new object from a replaced one.
fn operation(event: &str) -> Option<&'static str> {
    match event.split_once(':')?.0 {
        "ObjectCreated" => Some("insert"),
        "ObjectRemoved" | "LifecycleExpiration" => Some("delete"),
        _ => None,
    }
}
