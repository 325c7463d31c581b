//! A consumer of a DynamoDB stream that says which records are to come again.
//!
//! The invocation's span is `process <table>`, with a link to the trace of each writer that left its `traceparent`
//! in the item's attribute `trace_context`, and with `faas.batch.failures` where records come again.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tracing::{Instrument as _, info_span};

#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    name: String,
    dynamodb: Change,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "SequenceNumber")]
    sequence_number: String,
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
        if !apply(&record).instrument(span).await {
            // All from here on come again, in order.
            failures.items.push(Failure { sequence_number: record.dynamodb.sequence_number });
            break;
        }
    }
    Ok(failures)
}

async fn apply(record: &Record) -> bool {
    record.name != "REMOVE"
}
