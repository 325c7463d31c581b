//! Amazon SNS: one notification per event.

use serde::Deserialize;

use super::batch::RecordBatch;
use super::event::{RecordFields, last_of_arn, part, text_or_empty};
use super::trigger::Trigger;

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SnsNotification {
    #[serde(deserialize_with = "text_or_empty")]
    message_id: String,
    #[serde(deserialize_with = "text_or_empty")]
    topic_arn: String,
}

pub(super) fn trigger(records: &[RecordFields<'_>]) -> Trigger {
    let notifications: Vec<SnsNotification> =
        records.iter().map(|record| part(record.sns).unwrap_or_default()).collect();
    let batch = RecordBatch::unordered(notifications.iter().map(|notification| notification.message_id.clone()));
    let topics = notifications.iter().filter_map(|notification| last_of_arn(&notification.topic_arn));
    let mut trigger = Trigger::messages("aws.sns", topics, batch);
    // SNS does not support partial batch failures.
    trigger.batch = None;
    trigger.link_to_senders(records)
}
