//! The stream pump: passes the embedded database's changes to the stream consumer, like Lambda's event source mapping. It
//! also deletes old changes, like DynamoDB.
//!
//! A record that fails is retried until it succeeds or is 22 hours old, and the records behind it wait. The position in the
//! stream is always that of the first record that is not processed.

use std::fs;
use std::future::{self, Future};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
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
use jiff::{SignedDuration, Timestamp};
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
/// The pause after the first failure. It doubles after each further failure, up to the maximum.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// `MaximumRecordAgeInSeconds` in `template.yaml`. An older record that fails is a dead letter.
pub const MAX_RECORD_AGE: SignedDuration = SignedDuration::from_hours(22);

/// Waits before a retry. Tests replace it.
pub type Pause = Box<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

#[derive(Debug, thiserror::Error)]
enum PumpError {
    #[error("the table has no stream")]
    NoStream,
    #[error("the stream cannot be read")]
    Stream(#[from] DynoxideError),
    #[error("a record of the stream cannot be read")]
    Record(#[from] serde_json::Error),
    #[error("reading the stream panicked")]
    Panicked(#[from] JoinError),
}

/// The running stream pump. Dropping it stops the pump after the current batch.
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
        Self::start_with(database, store, clock, checkpoint, spans, Box::new(|pause| Box::pin(time::sleep(pause))))
    }

    /// Starts like [`start`](Self::start), and awaits `pause` before each retry.
    pub fn start_with(
        database: &DynamoDb,
        store: Store,
        clock: Clock,
        checkpoint: PathBuf,
        spans: Option<Spans>,
        pause: Pause,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (polled, empty_polls) = watch::channel(0);
        let (database, file) = (database.database(), database.file());
        let consumer = Consumer { store, dead_letters: DeadLetters::log() };
        let position = Position { iterator: stored(&checkpoint), checkpoint, is_unsaved: false };
        let retries = Retries { failures: 0, record: None };
        let worker = Worker { database, file, consumer, clock, position, retries, spans, pause };
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

    /// Finishes the current batch, then stops and returns `true`. Aborts a batch that takes longer than `limit`, and
    /// returns `false`.
    pub async fn stop(mut self, limit: Duration) -> bool {
        self.stop.send_replace(true);
        match time::timeout(limit, &mut self.task).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "the stream pump panicked");
                true
            }
            Err(_elapsed) => {
                self.task.abort();
                // The error says that the task was aborted.
                self.task.await.ok();
                false
            }
        }
    }
}

struct Worker {
    database: Database,
    file: Arc<SqliteFile>,
    consumer: Consumer,
    clock: Clock,
    position: Position,
    retries: Retries,
    spans: Option<Spans>,
    pause: Pause,
}

/// The shard iterator after the last processed record.
struct Position {
    /// `None` at the beginning of the stream.
    iterator: Option<String>,
    checkpoint: PathBuf,
    /// The checkpoint could not be written. The next run would then process records again.
    is_unsaved: bool,
}

/// Counts the failures since the last progress.
struct Retries {
    failures: u32,
    /// The sequence number of the record that failed, or `None` if the stream could not be read.
    record: Option<String>,
}

/// The result of a poll.
enum Progress {
    NoRecords,
    Processed,
    /// The record with this sequence number failed. All records before it are processed.
    Failed(String),
}

impl Worker {
    async fn run(mut self, mut stopped: watch::Receiver<bool>, polled: watch::Sender<u64>) {
        let mut next_trim = Instant::now();
        // A dropped sender is an error, and stops the pump too.
        while matches!(stopped.has_changed(), Ok(false)) {
            if Instant::now() >= next_trim {
                next_trim = Instant::now() + self.trim().await;
            }
            let pause: Pin<Box<dyn Future<Output = ()> + Send>> = match self.step().await {
                Ok(Progress::NoRecords) => {
                    self.retries.end();
                    polled.send_modify(|count| *count += 1);
                    Box::pin(time::sleep(POLL_INTERVAL))
                }
                Ok(Progress::Processed) => {
                    self.retries.end();
                    Box::pin(future::ready(()))
                }
                Ok(Progress::Failed(record)) => (self.pause)(self.retries.after_record(record)),
                Err(error) => (self.pause)(self.retries.after_error(&error)),
            };
            tokio::select! {
                biased;
                _ = stopped.changed() => return,
                () = pause => {}
            }
        }
    }

    /// Processes one batch.
    async fn step(&mut self) -> Result<Progress, PumpError> {
        let (database, position) = (self.database.clone(), self.position.iterator.clone());
        let (records, next) = blocking(move || read(&database, position)).await?;
        if records.is_empty() {
            self.position.save_again();
            return Ok(Progress::NoRecords);
        }
        let records = records.into_iter().filter(stream::has_side_effects).collect();
        let Some(failed) = self.consume(StreamEvent { records }).await else {
            self.position.advance(next);
            return Ok(Progress::Processed);
        };
        let number = sequence_number(&failed).to_owned();
        let is_expired = is_expired(&failed, self.clock.now());
        if is_expired {
            tracing::error!(
                app.dead_letter = true,
                app.sequence_number = number,
                "a stream record failed for {} hours and is not retried; its side effects are lost",
                MAX_RECORD_AGE.as_hours()
            );
        }
        let (database, kind) = (self.database.clone(), if is_expired { AFTER } else { AT });
        let from = number.clone();
        self.position.advance(blocking(move || iterator(&database, kind, Some(from))).await?);
        Ok(if is_expired { Progress::Processed } else { Progress::Failed(number) })
    }

    /// Deletes old records of the stream. Returns the pause until the next time.
    async fn trim(&self) -> Duration {
        let (file, now) = (Arc::clone(&self.file), self.clock.now());
        // The next run starts at the checkpoint.
        let checkpoint = self.position.checkpoint.clone();
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

    /// Returns the first record that failed.
    async fn consume(&self, mut batch: StreamEvent) -> Option<Value> {
        if batch.records.is_empty() {
            return None;
        }
        let response = self.traced(&batch, self.consumer.consume(&batch, BATCH_TIMEOUT)).await;
        let failure = response.batch_item_failures.into_iter().next()?;
        // As in Lambda, an unknown sequence number means the whole batch.
        let failed = batch.records.iter().position(|record| sequence_number(record) == failure.item_identifier);
        Some(batch.records.swap_remove(failed.unwrap_or_default()))
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

fn is_expired(record: &Value, now: Timestamp) -> bool {
    let created = record.pointer("/dynamodb/ApproximateCreationDateTime").and_then(Value::as_f64);
    let created = created.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    created.is_some_and(|created| now.as_duration() - created > MAX_RECORD_AGE)
}

impl Position {
    /// Moves on, even if the checkpoint cannot be written. The disk may be full.
    fn advance(&mut self, next: String) {
        if self.iterator.as_ref() != Some(&next) {
            self.iterator = Some(next);
            self.save();
        }
    }

    /// Writes the checkpoint if that failed before.
    fn save_again(&mut self) {
        if self.is_unsaved {
            self.save();
        }
    }

    fn save(&mut self) {
        let Some(iterator) = &self.iterator else { return };
        match write_checkpoint(&self.checkpoint, iterator) {
            Ok(()) => self.is_unsaved = false,
            Err(error) => {
                if !self.is_unsaved {
                    let file = self.checkpoint.display();
                    tracing::warn!(%error, "the stream's checkpoint {file} cannot be written; retrying");
                }
                self.is_unsaved = true;
            }
        }
    }
}

impl Retries {
    /// Returns the pause after a failure of the record with this sequence number.
    fn after_record(&mut self, sequence_number: String) -> Duration {
        if self.record.as_ref() != Some(&sequence_number) {
            self.failures = 0;
        }
        if self.failures == 0 {
            tracing::warn!(
                app.sequence_number = sequence_number,
                "a stream record failed; retrying it with pauses of up to {} s, and later records wait",
                MAX_PAUSE.as_secs()
            );
        }
        self.record = Some(sequence_number);
        self.after_failure()
    }

    /// Returns the pause after the stream could not be read.
    fn after_error(&mut self, error: &PumpError) -> Duration {
        if self.failures == 0 {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(%error, cause, "reading the stream failed; retrying with pauses of up to {} s", MAX_PAUSE.as_secs());
        }
        self.after_failure()
    }

    fn after_failure(&mut self) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(MAX_PAUSE);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    fn end(&mut self) {
        if self.failures > 0 {
            tracing::info!(attempts = self.failures, "the stream is processed again");
        }
        *self = Self { failures: 0, record: None };
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PumpError> + Send + 'static,
) -> Result<T, PumpError> {
    tokio::task::spawn_blocking(work).await?
}

/// Returns the records at a position, and the next position.
fn read(database: &Database, position: Option<String>) -> Result<(Vec<Value>, String), PumpError> {
    let position = position.map_or_else(|| iterator(database, BEGINNING, None), Ok)?;
    let request = |shard_iterator| GetRecordsRequest { shard_iterator, limit: Some(BATCH_SIZE) };
    let page = match database.get_records(request(position)) {
        Ok(page) => page,
        // The checkpoint is damaged. Processing is idempotent, so start again. The checkpoint of another database is not
        // noticed here: `DataDir::prepare_for_new_database` deletes it.
        Err(DynoxideError::ValidationException(_)) => {
            database.get_records(request(iterator(database, BEGINNING, None)?))?
        }
        Err(error) => return Err(error.into()),
    };
    let records = page.records.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok((records, page.next_shard_iterator.unwrap_or_default()))
}

fn stored(checkpoint: &Path) -> Option<String> {
    fs::read_to_string(checkpoint).ok().filter(|stored| !stored.is_empty())
}

const BEGINNING: &str = "TRIM_HORIZON";
const AT: &str = "AT_SEQUENCE_NUMBER";
const AFTER: &str = "AFTER_SEQUENCE_NUMBER";

fn iterator(database: &Database, kind: &str, sequence_number: Option<String>) -> Result<String, PumpError> {
    let streams = database.list_streams(ListStreamsRequest::default())?.streams;
    let stream_arn = streams.into_iter().next().ok_or(PumpError::NoStream)?.stream_arn;
    let request = DescribeStreamRequest { stream_arn: stream_arn.clone(), ..DescribeStreamRequest::default() };
    let shards = database.describe_stream(request)?.stream_description.shards;
    let shard_id = shards.into_iter().next().ok_or(PumpError::NoStream)?.shard_id;
    let shard_iterator_type = kind.to_owned();
    let request = GetShardIteratorRequest { stream_arn, shard_id, shard_iterator_type, sequence_number };
    database.get_shard_iterator(request)?.shard_iterator.ok_or(PumpError::NoStream)
}

/// Writes the checkpoint atomically: a temporary file is renamed.
fn write_checkpoint(checkpoint: &Path, iterator: &str) -> io::Result<()> {
    let temporary = checkpoint.with_extension("unfinished");
    fs::write(&temporary, iterator)?;
    fs::rename(temporary, checkpoint)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pauses_double_up_to_30_seconds() {
        let mut retries = Retries { failures: 0, record: None };
        let pauses: Vec<_> = (0..10).map(|_| retries.after_record("1".to_owned()).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
        retries.failures = u32::MAX;
        assert_eq!(retries.after_record("1".to_owned()), MAX_PAUSE);
    }

    #[test]
    fn pauses_start_again_after_progress() {
        let mut retries = Retries { failures: 0, record: None };
        retries.after_record("1".to_owned());
        assert_eq!(retries.after_error(&PumpError::NoStream), Duration::from_millis(400));
        assert_eq!(retries.after_record("1".to_owned()), Duration::from_millis(800));
        assert_eq!(retries.after_record("2".to_owned()), Duration::from_millis(200));
        retries.end();
        assert_eq!(retries.after_record("2".to_owned()), Duration::from_millis(200));
    }

    #[test]
    fn record_expires_at_the_age_in_the_template() {
        let template = include_str!("../../../template.yaml");
        assert!(template.contains(&format!("MaximumRecordAgeInSeconds: {}\n", MAX_RECORD_AGE.as_secs())));
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        let created = |second: f64| json!({ "dynamodb": { "ApproximateCreationDateTime": second } });
        assert!(!is_expired(&created(1_767_225_600.0 - 79_200.0), now));
        assert!(is_expired(&created(1_767_225_600.0 - 79_201.0), now));
        assert!(!is_expired(&json!({}), now));
    }
}
