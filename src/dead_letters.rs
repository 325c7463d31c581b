//! The dead-letter queue for stream records that can never succeed.
//!
//! Lambda's own failure destination treats all failures alike: it gives up after a number of attempts or at an age. An
//! outage of DynamoDB would then discard all records of that time. Instead, Lambda retries for as long as the stream keeps
//! a record, and the consumer itself sends records to the queue that no retry can help.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::aws_json::{Api, Call, Limits};

const SEND_MESSAGE: Api = Api {
    service: "SQS",
    operation: "SendMessage",
    host: "sqs",
    target: "AmazonSQS",
    content_type: "application/x-amz-json-1.0",
};
const ATTEMPT: Duration = Duration::from_secs(1);
const OPERATION: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 3;

/// The destination of dead letters.
#[derive(Clone, Debug)]
pub struct DeadLetters(Destination);

#[derive(Clone, Debug)]
enum Destination {
    Queue { send_message: Call, url: Arc<str> },
    Log,
    None,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage<'a> {
    queue_url: &'a str,
    message_body: &'a str,
}

/// Identifies a record, its item and its traces. It contains no text of the item.
#[derive(Debug, Serialize)]
pub struct DeadLetter<'a> {
    /// The record's position in the stream.
    pub sequence_number: &'a str,
    /// The record's id, its kind, the key of its item, and the stream.
    #[serde(flatten)]
    pub record: RecordIdentity<'a>,
    /// The kind of error.
    pub error: &'a str,
    /// The error's sources.
    pub causes: &'a str,
    /// The trace id of the consumer's invocation.
    pub trace_id: Option<String>,
    /// The trace id of the request that wrote the item.
    pub writer_trace_id: Option<String>,
}

/// The parts of a record that identify it, if they are present.
#[derive(Debug, Serialize)]
pub struct RecordIdentity<'a> {
    event_id: Option<&'a Value>,
    event_name: Option<&'a Value>,
    keys: Option<&'a Value>,
    stream: Option<&'a Value>,
}

/// Why a dead letter was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// No queue is configured.
    #[error("no dead-letter queue is configured: set DEAD_LETTERS_URL")]
    NoQueue,
    /// SQS did not accept the message.
    #[error("cannot send the record to the dead-letter queue")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

impl DeadLetters {
    /// Sends dead letters to the SQS queue with that URL.
    #[must_use]
    pub fn queue(sdk: &SdkConfig, url: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
        let limits = Limits { timeouts, retries: RetryConfig::standard().with_max_attempts(ATTEMPTS) };
        let send_message = Call::with_spans(sdk, SEND_MESSAGE, limits);
        Self(Destination::Queue { send_message, url: url.into() })
    }

    /// Discards dead letters. The consumer logs every failed record anyway.
    #[must_use]
    pub fn log() -> Self {
        Self(Destination::Log)
    }

    /// Delivers no dead letters, so that the record fails and Lambda retries it.
    #[must_use]
    pub fn none() -> Self {
        Self(Destination::None)
    }

    /// Delivers a dead letter.
    ///
    /// # Errors
    /// [`Undelivered`]. The record must then be retried.
    pub async fn send(&self, dead_letter: &DeadLetter<'_>) -> Result<(), Undelivered> {
        match &self.0 {
            Destination::Queue { send_message, url } => {
                let body = serde_json::to_string(dead_letter).map_err(|error| Undelivered::Refused(error.into()))?;
                let message = SendMessage { queue_url: url, message_body: &body };
                let IgnoredAny =
                    send_message.send(&message).await.map_err(|error| Undelivered::Refused(error.into()))?;
                Ok(())
            }
            Destination::Log => Ok(()),
            Destination::None => Err(Undelivered::NoQueue),
        }
    }
}

impl<'a> RecordIdentity<'a> {
    /// Reads the identifying parts of `record`.
    #[must_use]
    pub fn of_record(record: &'a Value) -> Self {
        Self {
            event_id: record.get("eventID"),
            event_name: record.get("eventName"),
            keys: record.get("dynamodb").and_then(|change| change.get("Keys")),
            stream: record.get("eventSourceARN"),
        }
    }
}
