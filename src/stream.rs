//! The consumer of the table's stream. It applies the side effects of changes: notifications, the search index, the
//! latest message and the display names in inboxes, and the cleanup after deletions.
//!
//! A DynamoDB stream delivers each record at least once. Only the records of one item are in order. Therefore all side
//! effects are idempotent and independent of the order: keys are derived from the change, values are read from the
//! table, and conditions reject older values. After a side effect is written, the consumer re-checks that the source
//! item still exists, and removes the side effect otherwise.

mod notifications;
mod side_effects;

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::dead_letters::{DeadLetter, DeadLetters, RecordIdentity, Undelivered};
use crate::error_chain::error_chain;
use crate::json::Object;
use crate::store::{self, InvalidRecord, ItemChange, Store, StoreError, StreamRecord};

/// Lambda's event. Records are parsed one by one, so that an invalid record does not fail the others.
#[derive(Debug, Deserialize)]
#[serde(from = "Object<Records>")]
pub struct StreamEvent {
    /// The records in stream order.
    pub records: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Records {
    records: Vec<Value>,
}

impl From<Object<Records>> for StreamEvent {
    fn from(Object(Records { records }): Object<Records>) -> Self {
        Self { records }
    }
}

/// The response to Lambda, which retries all records from the first failure on.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// Empty if all records succeeded. At most one failure.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// The first record that failed.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The record's sequence number. If it is empty, Lambda retries the whole batch.
    pub item_identifier: String,
}

/// The reason why a record failed.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error("the stream record is invalid")]
    Invalid(#[from] InvalidRecord),
    #[error("the side effects of the stream record could not be written")]
    Store(#[from] StoreError),
    #[error("the side effects of the stream record exceeded the deadline")]
    DeadlineExceeded,
    #[error("the side effects of the stream record panicked")]
    Panicked,
}

/// The budget of a batch without a known deadline, well below the function's timeout.
const DEFAULT_BUDGET: Duration = Duration::from_secs(10);
/// Reserved for the response and the export of the trace.
const RESERVE: Duration = Duration::from_secs(2);

/// Returns the budget for the records of an invocation that Lambda ends at `deadline`, in epoch milliseconds.
#[must_use]
pub fn budget(deadline: u64, now: Timestamp) -> Duration {
    store::budget(deadline, now, RESERVE).unwrap_or(DEFAULT_BUDGET)
}

/// Returns whether a record has side effects, or is invalid.
///
/// The event filter in `template.yaml` matches the same records, so that the consumer's own writes do not invoke it.
#[must_use]
pub fn has_side_effects(record: &Value) -> bool {
    !matches!(StreamRecord::read(record), Ok(StreamRecord { change: ItemChange::Ignored, .. }))
}

impl BatchResponse {
    fn failed(sequence_number: &str) -> Self {
        Self { batch_item_failures: vec![BatchItemFailure { item_identifier: sequence_number.to_owned() }] }
    }
}

/// Applies the side effects of stream records.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// The table.
    pub store: Store,
    /// The dead-letter queue.
    pub dead_letters: DeadLetters,
}

impl Consumer {
    /// Processes the records in order within `budget`.
    ///
    /// A record whose failure is permanent is sent to the dead-letter queue and then counts as processed. Processing
    /// stops at any other failure, since the following records would presumably fail for the same reason.
    pub async fn consume(&self, event: &StreamEvent, budget: Duration) -> BatchResponse {
        let deadline = Instant::now() + budget;
        if let Err(error) = self.check_layout(deadline).await {
            let first = event.records.first().map(sequence_number).unwrap_or_default();
            log(&error, &error_chain(error.source()), first, None);
            return BatchResponse::failed(first);
        }
        for record in &event.records {
            let (context, result) = self.process(record, deadline).await;
            let Err(error) = result else { continue };
            let (sequence_number, causes) = (sequence_number(record), error_chain(error.source()));
            let writer_trace_id = context.as_deref().and_then(lambda_spans::trace_id_of);
            log(&error, &causes, sequence_number, writer_trace_id.as_deref());
            if error.is_permanent() {
                let (error, trace_id) = (error.name(), lambda_spans::trace_id());
                let record = RecordIdentity::of_record(record);
                let letter = DeadLetter { sequence_number, record, error, causes: &causes, trace_id, writer_trace_id };
                let sent = tokio::time::timeout_at(deadline, self.dead_letters.send(&letter));
                match sent.instrument(info_span!("dead-letter")).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(undelivered)) => log_undelivered(&undelivered, sequence_number),
                    Err(_elapsed) => {}
                }
            }
            return BatchResponse::failed(sequence_number);
        }
        BatchResponse::default()
    }

    /// Reads the table's layout if that failed at the start. Any other failure is left to the records.
    async fn check_layout(&self, deadline: Instant) -> Result<(), RecordError> {
        if self.store.knows_layout() {
            return Ok(());
        }
        let check = store::with_deadline(deadline, self.store.clone().checked());
        // A panic is left to the records too.
        match AssertUnwindSafe(check).catch_unwind().await {
            Ok(checked) => Ok(checked.map(drop)?),
            Err(_panic) => Ok(()),
        }
    }

    /// Processes a record, and returns the trace context of the request that caused it with the result.
    async fn process(&self, record: &Value, deadline: Instant) -> (Option<String>, Result<(), RecordError>) {
        match StreamRecord::read(record) {
            Ok(StreamRecord { trace_context, change: ItemChange::Ignored }) => (trace_context, Ok(())),
            Ok(StreamRecord { trace_context, change }) => {
                let span = span(&change);
                if let Some(context) = &trace_context {
                    lambda_spans::link(&span, context);
                }
                // Boxed, because the future is large.
                let work = store::with_deadline(deadline, Box::pin(side_effects::apply(&self.store, &change)));
                // Unwind safe: the store has no mutable state.
                let work = AssertUnwindSafe(tokio::time::timeout_at(deadline, work)).catch_unwind();
                let result = match work.instrument(span.clone()).await {
                    Ok(Ok(result)) => result.map_err(RecordError::from),
                    Ok(Err(_elapsed)) => Err(RecordError::DeadlineExceeded),
                    Err(_panic) => Err(RecordError::Panicked),
                };
                if let Err(error) = &result {
                    span.record(lambda_spans::attributes::ERROR_TYPE, error.name());
                }
                (trace_context, result)
            }
            Err(invalid) => {
                let (error, context) = (RecordError::from(invalid), trace_context(record));
                let span = info_span!("unreadable-record", error.r#type = error.name());
                if let Some(context) = &context {
                    lambda_spans::link(&span, context);
                }
                (context, Err(error))
            }
        }
    }
}

fn span(change: &ItemChange) -> Span {
    let (post, conversation) = match change {
        ItemChange::PostCreated(image) | ItemChange::PostDeleted(image) => (Some(image.post.id), None),
        ItemChange::LikeAdded(like) | ItemChange::LikeRemoved(like) => (Some(like.post), None),
        ItemChange::ConversationOpened(pair) => (None, Some(pair.conversation)),
        ItemChange::MessageSent(sent) => (None, Some(sent.message.conversation)),
        ItemChange::DisplayNameChanged { .. } | ItemChange::Ignored => (None, None),
    };
    info_span!(
        "stream-record",
        otel.name = change.name(),
        app.activity_uuid = post.map(display),
        app.message_group_uuid = conversation.map(display),
        error.r#type = Empty,
    )
}

impl RecordError {
    fn name(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "unreadable",
            Self::Store(StoreError::DeadlineExceeded { .. }) | Self::DeadlineExceeded => "out_of_time",
            Self::Store(_) => "store",
            Self::Panicked => "panic",
        }
    }

    /// Returns whether every retry would fail too.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Panicked => true,
            Self::Store(error) => error.is_permanent(),
            Self::DeadlineExceeded => false,
        }
    }
}

fn log(error: &RecordError, causes: &str, sequence_number: &str, writer_trace_id: Option<&str>) {
    tracing::error!(
        error.r#type = error.name(),
        error.causes = causes,
        app.dead_letter = error.is_permanent(),
        app.sequence_number = sequence_number,
        app.writer_trace_id = writer_trace_id,
        "{error}"
    );
}

fn log_undelivered(undelivered: &Undelivered, sequence_number: &str) {
    let causes = error_chain(undelivered.source());
    tracing::error!(error.causes = causes, app.sequence_number = sequence_number, "a dead letter: {undelivered}");
}

fn sequence_number(record: &Value) -> &str {
    let number = record.get("dynamodb").and_then(|change| change.get("SequenceNumber")).and_then(Value::as_str);
    number.unwrap_or_default()
}

/// Returns the trace context of an invalid record.
fn trace_context(record: &Value) -> Option<String> {
    let change = record.get("dynamodb")?;
    let image = change.get("NewImage").or_else(|| change.get("OldImage"))?;
    let text = image.get("trace_context")?.get("S")?.as_str()?;
    Some(text.to_owned())
}
