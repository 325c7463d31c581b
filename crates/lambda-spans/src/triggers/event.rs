//! The fields of events that identify their service. All other fields are skipped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The maximum length of an AWS name in an attribute; ARNs are shorter.
const MAX_TEXT: usize = 256;

/// The maximum length of an ARN in an attribute.
const MAX_ARN: usize = 1024;

/// A type whose fields are members of a JSON object.
trait Fields<'a>: Default {
    fn set(&mut self, name: &str, value: &'a RawValue);
}

/// A field that accepts a value of any shape.
trait Field<'a> {
    fn read(value: &'a RawValue) -> Self;
}

impl<'a> Field<'a> for Option<&'a RawValue> {
    fn read(value: &'a RawValue) -> Self {
        Some(value)
    }
}

impl<'a> Field<'a> for Cow<'a, str> {
    /// Any other value becomes an empty text.
    fn read(value: &'a RawValue) -> Self {
        match serde_json::from_str::<&str>(value.get()) {
            Ok(text) => Cow::Borrowed(text),
            // A text with escaped characters cannot be borrowed.
            Err(_) => Cow::Owned(part(Some(value)).unwrap_or_default()),
        }
    }
}

/// Defines a type whose fields are members of a JSON object, each with one or several names. Of several members with
/// the same name the last counts, which serde's derived code rejects.
macro_rules! fields {
    ($(#[$meta:meta])* $type:ident { $($(#[$about:meta])* $field:ident: $kind:ty = $($name:literal)|+;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub(super) struct $type<'a> {
            $($(#[$about])* pub(super) $field: $kind,)+
        }

        impl<'a> Fields<'a> for $type<'a> {
            fn set(&mut self, name: &str, value: &'a RawValue) {
                match name {
                    $($($name)|+ => self.$field = Field::read(value),)+
                    _ => {}
                }
            }
        }

        impl<'de> Deserialize<'de> for $type<'de> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(FieldsVisitor(PhantomData))
            }
        }
    };
}

struct FieldsVisitor<F>(PhantomData<F>);

impl<'de, F: Fields<'de>> Visitor<'de> for FieldsVisitor<F> {
    type Value = F;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<F, M::Error> {
        let mut fields = F::default();
        while let Some(Name(name)) = map.next_key()? {
            fields.set(&name, map.next_value()?);
        }
        Ok(fields)
    }
}

/// The name of a member, which is borrowed unless it contains escaped characters.
#[derive(PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fields! {
    /// The members of an event. Each is optional and untyped, because a function's own events may use the same names.
    EventFields {
        records: Option<&'a RawValue> = "Records";
        /// Present in batches of Kafka, Amazon MQ and Amazon DocumentDB.
        source_name: Cow<'a, str> = "eventSource";
        /// Present in those batches, and in the event of a stream's tumbling window without records.
        source_arn: Cow<'a, str> = "eventSourceARN" | "eventSourceArn";
        /// The records of Kafka, by topic and partition.
        kafka_records: Option<&'a RawValue> = "records";
        /// The messages of ActiveMQ.
        messages: Option<&'a RawValue> = "messages";
        /// The messages of RabbitMQ, by queue.
        queues: Option<&'a RawValue> = "rmqMessagesByQueue";
        /// The changes of Amazon DocumentDB.
        changes: Option<&'a RawValue> = "events";
        /// Present in the event of a tumbling window.
        window: Option<&'a RawValue> = "window";
        detail_type: Option<&'a RawValue> = "detail-type";
        source: Option<&'a RawValue> = "source";
        resources: Option<&'a RawValue> = "resources";
        detail: Option<&'a RawValue> = "detail";
        time: Option<&'a RawValue> = "time";
        trigger_source: Option<&'a RawValue> = "triggerSource";
        user_pool: Option<&'a RawValue> = "userPoolId";
        /// Present in an event of Cognito.
        request: Option<&'a RawValue> = "request";
        durable_execution: Option<&'a RawValue> = "DurableExecutionArn";
        /// Present in the event of a durable execution.
        checkpoint: Option<&'a RawValue> = "CheckpointToken";
    }
}

fields! {
    /// The members of a record of a batch, of any service. A member that is missing, null or of another type is empty.
    RecordFields {
        source: Cow<'a, str> = "eventSource" | "EventSource";
        arn: Cow<'a, str> = "eventSourceARN" | "eventSourceArn";
        message_id: Option<&'a RawValue> = "messageId" | "messageID";
        receipt_handle: Option<&'a RawValue> = "receiptHandle";
        event_name: Cow<'a, str> = "eventName";
        body: Option<&'a RawValue> = "body";
        attributes: Option<&'a RawValue> = "attributes";
        message_attributes: Option<&'a RawValue> = "messageAttributes";
        sns: Option<&'a RawValue> = "Sns";
        dynamodb: Option<&'a RawValue> = "dynamodb";
        kinesis: Option<&'a RawValue> = "kinesis";
        s3: Option<&'a RawValue> = "s3";
        event_time: Option<&'a RawValue> = "eventTime";
        /// The sequence number of a Kinesis record that EventBridge Pipes sent.
        sequence_number: Cow<'a, str> = "sequenceNumber";
        topic: Cow<'a, str> = "topic";
        partition: Option<&'a RawValue> = "partition";
        offset: Option<&'a RawValue> = "offset";
        /// The value of a Kafka record, in base64.
        value: Option<&'a RawValue> = "value";
        /// The headers of a Kafka record: a list of objects with one array of bytes.
        headers: Option<&'a RawValue> = "headers";
        /// The data of a message of Amazon MQ, or of a Kinesis record that EventBridge Pipes sent, in base64.
        data: Option<&'a RawValue> = "data";
        destination: Option<&'a RawValue> = "destination";
        /// The properties of a message of ActiveMQ.
        properties: Option<&'a RawValue> = "properties";
        /// The properties of a message of RabbitMQ, with its headers.
        basic_properties: Option<&'a RawValue> = "basicProperties";
        /// The topic and partition, or the queue, of a record that EventBridge Pipes sent.
        source_key: Cow<'a, str> = "eventSourceKey";
        /// The detail of an event of EventBridge.
        detail: Option<&'a RawValue> = "detail";
        /// The change of a document of Amazon DocumentDB.
        event: Option<&'a RawValue> = "event";
    }
}

fields! {
    /// The members of a WebSocket request's context.
    WebSocketFields {
        route_key: Option<&'a RawValue> = "routeKey";
    }
}

fields! {
    /// The destination of a message of ActiveMQ. AWS documents both spellings.
    ActiveMqDestination {
        name: Option<&'a RawValue> = "physicalName" | "physicalname";
    }
}

fields! {
    /// The properties of a message of RabbitMQ.
    RabbitMqProperties {
        message_id: Option<&'a RawValue> = "messageId";
    }
}

fields! {
    /// A change of Amazon DocumentDB.
    DocumentChange {
        namespace: Option<&'a RawValue> = "ns";
        operation: Cow<'a, str> = "operationType";
        time: Option<&'a RawValue> = "clusterTime";
    }
}

fields! {
    /// The namespace of a change of Amazon DocumentDB.
    DocumentNamespace {
        database: Option<&'a RawValue> = "db";
        collection: Option<&'a RawValue> = "coll";
    }
}

/// Returns the records of a batch. A malformed one counts as a record without fields.
pub(super) fn records(batch: &RawValue) -> Option<Vec<RecordFields<'_>>> {
    let records: Vec<&RawValue> = serde_json::from_str(batch.get()).ok()?;
    Some(records.into_iter().map(|record| serde_json::from_str(record.get()).unwrap_or_default()).collect())
}

/// Returns the records of a batch that is grouped by topic and partition or by queue. Each gets the name of its group.
pub(super) fn grouped_records(groups: &RawValue) -> Option<Vec<RecordFields<'_>>> {
    let groups: BTreeMap<Name<'_>, &RawValue> = serde_json::from_str(groups.get()).ok()?;
    let mut all = Vec::new();
    for (Name(name), group) in groups {
        for mut record in records(group)? {
            record.source_key = name.clone();
            all.push(record);
        }
    }
    Some(all)
}

/// Ignores a null.
pub(super) fn present(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| value.get() != "null")
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

/// An ARN.
pub(super) fn arn(value: Option<&RawValue>) -> Option<String> {
    part(value).filter(|arn: &String| arn.starts_with("arn:") && is_text_of(arn, MAX_ARN))
}

/// Returns whether `text` is fit for an attribute or a name.
pub(super) fn is_short_text(text: &str) -> bool {
    is_text_of(text, MAX_TEXT)
}

fn is_text_of(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.chars().any(char::is_control) && text.trim() == text
}

/// Returns the name at the end of `arn:aws:sqs:eu-west-1:123456789012:orders`.
pub(super) fn last_of_arn(arn: &str) -> Option<&str> {
    arn.rsplit(':').next().filter(|name| is_short_text(name))
}
