//! A consumer of a DynamoDB stream that reports which records Lambda must retry.
//!
//! The invocation's span is `process <table>`. It links to the trace of each writer that stored its `traceparent` in the
//! item's attribute `trace_context`, and counts the retried records in `faas.batch.failures`. The span of each record
//! links to its own writer.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracing::{Instrument as _, info_span};

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize, Serialize)]
struct Record {
    #[serde(rename = "eventName")]
    name: String,
    dynamodb: Change,
}

#[derive(Deserialize, Serialize)]
struct Change {
    #[serde(rename = "SequenceNumber")]
    sequence_number: String,
    #[serde(rename = "NewImage")]
    new_image: Option<Value>,
}

#[derive(Default, Serialize)]
struct Failures {
    #[serde(rename = "batchItemFailures")]
    items: Vec<Failure>,
}

#[derive(Serialize)]
struct Failure {
    #[serde(rename = "itemIdentifier")]
    sequence_number: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_spans::run_event(service_fn(consume)).await
}

async fn consume(event: LambdaEvent<Batch>) -> Result<Failures, Error> {
    let mut failures = Failures::default();
    for record in event.payload.records {
        let span = info_span!("record", app.change = record.name);
        lambda_spans::continue_from(&span, &record);
        if !apply(&record).instrument(span).await {
            // Lambda retries all records from here on.
            failures.items.push(Failure { sequence_number: record.dynamodb.sequence_number });
            break;
        }
    }
    Ok(failures)
}

async fn apply(record: &Record) -> bool {
    record.name != "REMOVE"
}
