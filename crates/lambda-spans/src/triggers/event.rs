//! The fields of events that identify their service. All other fields are skipped.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The maximum length of an AWS name in an attribute; ARNs are shorter.
const MAX_TEXT: usize = 256;

/// Every field is optional and untyped, because a function's own events may use the same names.
#[derive(Deserialize)]
pub(super) struct EventFields<'a> {
    #[serde(borrow, rename = "Records")]
    pub(super) records: Option<&'a RawValue>,
    #[serde(borrow, rename = "detail-type")]
    pub(super) detail_type: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) source: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) resources: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) detail: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) time: Option<&'a RawValue>,
    #[serde(borrow, rename = "triggerSource")]
    pub(super) trigger_source: Option<&'a RawValue>,
    #[serde(borrow, rename = "userPoolId")]
    pub(super) user_pool: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestContext")]
    pub(super) request_context: Option<&'a RawValue>,
    /// Present in the event of a REST API's authorizer.
    #[serde(borrow, rename = "methodArn")]
    pub(super) method_arn: Option<&'a RawValue>,
    /// Present in the event of an HTTP API's authorizer.
    #[serde(borrow, rename = "routeArn")]
    pub(super) route_arn: Option<&'a RawValue>,
    /// Present in the event of a stream's tumbling window without records.
    #[serde(borrow, rename = "eventSourceARN")]
    pub(super) source_arn: Option<&'a RawValue>,
}

/// A record of a batch, of any service. A field that is missing, null or of another type is empty.
#[derive(Default, Deserialize)]
pub(super) struct RecordFields<'a> {
    #[serde(rename = "eventSource", alias = "EventSource", default, deserialize_with = "text_or_empty")]
    pub(super) source: String,
    #[serde(rename = "eventSourceARN", default, deserialize_with = "text_or_empty")]
    pub(super) arn: String,
    #[serde(rename = "messageId", default, deserialize_with = "text_or_empty")]
    pub(super) message_id: String,
    #[serde(rename = "eventName", default, deserialize_with = "text_or_empty")]
    pub(super) event_name: String,
    #[serde(borrow)]
    pub(super) body: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) attributes: Option<&'a RawValue>,
    #[serde(borrow, rename = "messageAttributes")]
    pub(super) message_attributes: Option<&'a RawValue>,
    #[serde(borrow, rename = "Sns")]
    pub(super) sns: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) dynamodb: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) kinesis: Option<&'a RawValue>,
    /// Of a Kafka record.
    #[serde(borrow)]
    pub(super) headers: Option<&'a RawValue>,
    /// Of an ActiveMQ message.
    #[serde(borrow)]
    pub(super) properties: Option<&'a RawValue>,
    /// Of a RabbitMQ message.
    #[serde(borrow, rename = "basicProperties")]
    pub(super) basic_properties: Option<&'a RawValue>,
    /// Of an EventBridge event.
    #[serde(borrow)]
    pub(super) detail: Option<&'a RawValue>,
    /// Of a message of Amazon MQ, or of a Kinesis record from EventBridge Pipes.
    #[serde(borrow)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) s3: Option<&'a RawValue>,
    #[serde(borrow, rename = "eventTime")]
    pub(super) event_time: Option<&'a RawValue>,
}

/// Returns the records of a batch. A malformed one counts as a record without fields.
pub(super) fn records(batch: &RawValue) -> Option<Vec<RecordFields<'_>>> {
    let records: Vec<&RawValue> = serde_json::from_str(batch.get()).ok()?;
    Some(records.into_iter().map(|record| serde_json::from_str(record.get()).unwrap_or_default()).collect())
}

/// Deserializes a text. Any other value becomes an empty text.
pub(super) fn text_or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(if let Value::String(text) = Value::deserialize(deserializer)? { text } else { String::new() })
}

/// Ignores a value of another shape.
pub(super) fn part<T: DeserializeOwned>(value: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

/// A short text without surrounding blanks and control characters.
pub(super) fn text(value: Option<&RawValue>) -> Option<String> {
    part(value).filter(|text: &String| is_short_text(text))
}

/// Returns whether `text` is fit for an attribute or a name.
pub(super) fn is_short_text(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control) && text.trim() == text
}

/// Returns the name at the end of `arn:aws:sqs:eu-west-1:123456789012:orders`.
pub(super) fn last_of_arn(arn: &str) -> Option<&str> {
    arn.rsplit(':').next().filter(|name| is_short_text(name))
}
