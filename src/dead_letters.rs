//! The queue of what the stream's consumer can never do, so that it does not stop what comes after.
//!
//! Lambda's own way to a queue is the same for all failures: after so many attempts, or at such an age. A table that is
//! out of reach for an hour would then cost the records of that hour. So Lambda tries again for as long as the stream has
//! a record, and the consumer itself sends those that no attempt can help.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use serde::Serialize;
use serde_json::Value;

const ATTEMPT: Duration = Duration::from_secs(1);
const OPERATION: Duration = Duration::from_secs(3);
const ATTEMPTS: u32 = 3;

/// Where dead letters go.
#[derive(Clone, Debug)]
pub struct DeadLetters(To);

#[derive(Clone, Debug)]
enum To {
    Queue { client: Client, url: Arc<str> },
    Log,
    Nobody,
}

/// What is told of a record: how to find it, its item and its traces, and no text of its item.
#[derive(Debug, Serialize)]
pub struct Letter<'a> {
    /// Its place in the stream.
    pub sequence_number: &'a str,
    /// The record's own id, its kind, the key of its item, and the stream, where the record says so.
    #[serde(flatten)]
    pub record: Found<'a>,
    /// Why it cannot be done, in a word.
    pub error: &'a str,
    /// The same in full.
    pub causes: &'a str,
    /// The trace of the invocation that gave up.
    pub trace_id: Option<String>,
    /// The trace of the request that wrote the item.
    pub writer_trace_id: Option<String>,
}

/// The parts of a record that tell where it is.
#[derive(Debug, Serialize)]
pub struct Found<'a> {
    event_id: Option<&'a Value>,
    event_name: Option<&'a Value>,
    keys: Option<&'a Value>,
    stream: Option<&'a Value>,
}

/// Nobody has taken the letter.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// There is no queue to send it to.
    #[error("there is no queue for it, DEAD_LETTERS_URL is not set")]
    NoQueue,
    /// The queue has not taken it.
    #[error("the queue has not taken it")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
}

impl DeadLetters {
    /// To the queue with that URL.
    #[must_use]
    pub fn queue(sdk: &SdkConfig, url: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(OPERATION).build();
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        let config = aws_sdk_sqs::config::Builder::from(sdk).timeout_config(timeouts).retry_config(retries);
        let client = Client::from_conf(config.interceptor(lambda_spans::AwsSdkSpans).build());
        Self(To::Queue { client, url: url.into() })
    }

    /// The log, where each is told anyway, is enough.
    #[must_use]
    pub fn log() -> Self {
        Self(To::Log)
    }

    /// Nobody takes them: the record fails, and comes again.
    #[must_use]
    pub fn nobody() -> Self {
        Self(To::Nobody)
    }

    /// Hands a letter over.
    ///
    /// # Errors
    /// [`Undelivered`]; the record must then come again.
    pub async fn send(&self, letter: &Letter<'_>) -> Result<(), Undelivered> {
        match &self.0 {
            To::Queue { client, url } => {
                let body = serde_json::to_string(letter).map_err(|error| Undelivered::Refused(error.into()))?;
                let sent = client.send_message().queue_url(&**url).message_body(body).send().await;
                sent.map(drop).map_err(|error| Undelivered::Refused(error.into()))
            }
            To::Log => Ok(()),
            To::Nobody => Err(Undelivered::NoQueue),
        }
    }
}

impl<'a> Found<'a> {
    /// What `record` says of itself.
    #[must_use]
    pub fn of(record: &'a Value) -> Self {
        Self {
            event_id: record.get("eventID"),
            event_name: record.get("eventName"),
            keys: record.get("dynamodb").and_then(|change| change.get("Keys")),
            stream: record.get("eventSourceARN"),
        }
    }
}
