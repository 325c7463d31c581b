//! The stream pump: passes the embedded database's changes to the stream consumer, like Lambda's event source mapping. It
//! also deletes old changes, like DynamoDB.

use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cruddur::clock::Clock;
use cruddur::dead_letters::DeadLetters;
use cruddur::store::Store;
use cruddur::stream::{self, BatchResponse, Consumer, StreamEvent};
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::{Database, DynoxideError};
use lambda_spans::Spans;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{self, Instant};
use tracing::info_span;

use crate::dynamodb::{DynamoDb, TABLE};
use crate::sqlite::{SqliteFile, TRIM_LIMIT};

/// The polling interval while the stream is empty.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
const BATCH_SIZE: usize = 100;
/// The interval between deletions of records that are older than 24 hours.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);
/// The same as the timeout of the `stream` function in AWS.
const BATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// A record that fails this often is logged and skipped. Lambda retries for 22 hours instead.
const MAX_ATTEMPTS: usize = 3;

#[derive(Debug, thiserror::Error)]
enum PumpError {
    #[error("the table has no stream")]
    NoStream,
    #[error("the stream cannot be read")]
    Stream(#[from] DynoxideError),
    #[error("a record of the stream cannot be read")]
    Record(#[from] serde_json::Error),
    #[error("the stream's checkpoint {} cannot be written", file.display())]
    Checkpoint { file: PathBuf, source: io::Error },
    #[error("reading the stream panicked")]
    Panicked(#[from] JoinError),
}

/// The running stream pump.
///
/// The checkpoint file stores its position in the stream, so that no record is lost between two runs. A batch that was
/// interrupted is processed again.
#[derive(Debug)]
pub struct StreamPump {
    stop: watch::Sender<bool>,
    /// Counts the polls that returned no records.
    empty_polls: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl StreamPump {
    /// Starts at the position in the `checkpoint` file, or at the beginning of the stream without such a file. If `spans`
    /// is set, each batch is a trace.
    pub fn start(database: &DynamoDb, store: Store, clock: Clock, checkpoint: PathBuf, spans: Option<Spans>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (polled, empty_polls) = watch::channel(0);
        let (database, file) = (database.database(), database.file());
        let consumer = Consumer { store, dead_letters: DeadLetters::log() };
        let worker = Worker { database, file, consumer, clock, checkpoint, spans };
        Self { stop, empty_polls, task: tokio::spawn(worker.run(stopped, polled)) }
    }

    /// Waits until all changes so far are processed.
    pub async fn wait_until_idle(&self) {
        let mut empty_polls = self.empty_polls.clone();
        // The current poll may have started before the last change.
        let enough = *empty_polls.borrow() + 2;
        // An error means that the pump has stopped.
        empty_polls.wait_for(|count| *count >= enough).await.ok();
    }

    /// Finishes the current batch, then stops.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the stream pump panicked");
        }
    }
}

struct Worker {
    database: Database,
    file: Arc<SqliteFile>,
    consumer: Consumer,
    clock: Clock,
    checkpoint: PathBuf,
    spans: Option<Spans>,
}

impl Worker {
    async fn run(self, mut stopped: watch::Receiver<bool>, polled: watch::Sender<u64>) {
        let mut next_trim = Instant::now();
        while !*stopped.borrow() {
            if Instant::now() >= next_trim {
                next_trim = Instant::now() + self.trim().await;
            }
            let pause = match self.step().await {
                Ok(0) => {
                    polled.send_modify(|count| *count += 1);
                    POLL_INTERVAL
                }
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, "the stream batch failed; retrying");
                    POLL_INTERVAL * 10
                }
            };
            // Dropping the sender ends the wait too.
            time::timeout(pause, stopped.changed()).await.ok();
        }
    }

    /// Processes one batch. Returns the number of records.
    async fn step(&self) -> Result<usize, PumpError> {
        let (database, checkpoint) = (self.database.clone(), self.checkpoint.clone());
        let (records, next) = tokio::task::spawn_blocking(move || read(&database, &checkpoint)).await??;
        let count = records.len();
        if count > 0 {
            self.consume(records.into_iter().filter(stream::has_side_effects).collect()).await;
            let write_error = |source| PumpError::Checkpoint { file: self.checkpoint.clone(), source };
            write_checkpoint(&self.checkpoint, &next).map_err(write_error)?;
        }
        Ok(count)
    }

    /// Deletes old records of the stream. Returns the pause until the next time.
    async fn trim(&self) -> Duration {
        let (file, checkpoint, now) = (Arc::clone(&self.file), self.checkpoint.clone(), self.clock.now());
        let trim = move || file.trim_stream(now, &stored(&checkpoint).unwrap_or_default());
        match tokio::task::spawn_blocking(trim).await {
            Ok(Ok(TRIM_LIMIT)) => Duration::ZERO,
            Ok(Ok(_)) => TRIM_INTERVAL,
            Ok(Err(error)) => {
                tracing::warn!(%error, "deleting old stream records failed");
                TRIM_INTERVAL
            }
            Err(error) => {
                tracing::warn!(%error, "deleting old stream records panicked");
                TRIM_INTERVAL
            }
        }
    }

    async fn consume(&self, mut records: Vec<Value>) {
        let mut attempts = 0;
        while !records.is_empty() {
            let batch = StreamEvent { records };
            let failures = self.traced(&batch, self.consumer.consume(&batch, BATCH_TIMEOUT)).await;
            let Some(failure) = failures.batch_item_failures.first() else { return };
            records = batch.records;
            let failed = records.iter().position(|record| sequence_number(record) == failure.item_identifier);
            let failed = failed.unwrap_or_default();
            attempts = if failed == 0 { attempts + 1 } else { 1 };
            records.drain(..failed);
            if attempts == MAX_ATTEMPTS {
                tracing::error!(
                    app.sequence_number = failure.item_identifier,
                    "skipping the record after repeated failures"
                );
                records.remove(0);
                attempts = 0;
            }
        }
    }

    async fn traced(&self, batch: &StreamEvent, work: impl Future<Output = BatchResponse>) -> BatchResponse {
        let Some(spans) = &self.spans else { return work.await };
        let span = info_span!(
            parent: None,
            "process",
            otel.name = format!("process {}", TABLE),
            otel.kind = "consumer",
            faas.trigger = "datasource",
            messaging.batch.message_count = batch.records.len(),
        );
        spans.trace(span, work).await
    }
}

fn sequence_number(record: &Value) -> &str {
    record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str).unwrap_or_default()
}

fn read(database: &Database, checkpoint: &Path) -> Result<(Vec<Value>, String), PumpError> {
    let iterator = stored(checkpoint).map_or_else(|| beginning(database), Ok)?;
    let request = |shard_iterator| GetRecordsRequest { shard_iterator, limit: Some(BATCH_SIZE) };
    let page = match database.get_records(request(iterator)) {
        Ok(page) => page,
        // The checkpoint is damaged or belongs to another database. Processing is idempotent, so start again.
        Err(DynoxideError::ValidationException(_)) => database.get_records(request(beginning(database)?))?,
        Err(error) => return Err(error.into()),
    };
    let records = page.records.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok((records, page.next_shard_iterator.unwrap_or_default()))
}

fn stored(checkpoint: &Path) -> Option<String> {
    fs::read_to_string(checkpoint).ok().filter(|stored| !stored.is_empty())
}

fn beginning(database: &Database) -> Result<String, PumpError> {
    let streams = database.list_streams(ListStreamsRequest::default())?.streams;
    let stream_arn = streams.into_iter().next().ok_or(PumpError::NoStream)?.stream_arn;
    let request = DescribeStreamRequest { stream_arn: stream_arn.clone(), ..DescribeStreamRequest::default() };
    let shards = database.describe_stream(request)?.stream_description.shards;
    let shard_id = shards.into_iter().next().ok_or(PumpError::NoStream)?.shard_id;
    let shard_iterator_type = "TRIM_HORIZON".to_owned();
    let request = GetShardIteratorRequest { stream_arn, shard_id, shard_iterator_type, sequence_number: None };
    database.get_shard_iterator(request)?.shard_iterator.ok_or(PumpError::NoStream)
}

/// Writes the checkpoint atomically: a temporary file is renamed.
fn write_checkpoint(checkpoint: &Path, iterator: &str) -> io::Result<()> {
    let temporary = checkpoint.with_extension("unfinished");
    fs::write(&temporary, iterator)?;
    fs::rename(temporary, checkpoint)
}
