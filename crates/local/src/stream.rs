//! Takes the changes of the embedded database to the code that AWS runs as the `stream` function.

use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cruddur::dead_letters::DeadLetters;
use cruddur::store::Store;
use cruddur::stream::{self, Batch, Consumer, Failures};
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use dynoxide::{Database, DynoxideError};
use lambda_spans::Spans;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time;
use tracing::info_span;

use crate::dynamodb::TABLE;

/// How often the stream is looked at while nothing happens.
const EVERY: Duration = Duration::from_millis(200);
const BATCH: usize = 100;
/// As long as the function has in AWS.
const BATCH_TAKES_AT_MOST: Duration = Duration::from_secs(30);
/// A record that fails so often for another reason than its own is logged and left behind. AWS tries it for a day.
const ATTEMPTS: usize = 3;

#[derive(Debug, thiserror::Error)]
enum PumpError {
    #[error("the table has no stream")]
    NoStream,
    #[error("the stream cannot be read")]
    Stream(#[from] DynoxideError),
    #[error("a record of the stream cannot be read")]
    Record(#[from] serde_json::Error),
    #[error("the place in the stream cannot be kept in {}", file.display())]
    Checkpoint { file: PathBuf, source: io::Error },
    #[error("the reading of the stream broke off")]
    Broken(#[from] JoinError),
}

/// The running pump. Where it is in the stream is kept beside the data, so that nothing is left out between two runs; a
/// batch that was under way when a process ended is done again.
#[derive(Debug)]
pub struct Pump {
    stop: watch::Sender<bool>,
    /// How often there was nothing new.
    looks: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Pump {
    /// Begins where the last one ended, as `checkpoint` says; at the beginning of the stream if there is no such file.
    /// With `spans`, each batch is a trace.
    pub fn start(database: Database, store: Store, checkpoint: PathBuf, spans: Option<Spans>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (looked, looks) = watch::channel(0);
        let source = Source { database, consumer: Consumer { store, letters: DeadLetters::log() }, checkpoint, spans };
        Self { stop, looks, task: tokio::spawn(source.run(stopped, looked)) }
    }

    /// Returns when all that follows from the changes so far is done.
    pub async fn settled(&self) {
        let mut looks = self.looks.clone();
        // The look that is under way may have begun before the last change.
        let enough = *looks.borrow() + 2;
        // A pump that is gone does nothing more.
        looks.wait_for(|looks| *looks >= enough).await.ok();
    }

    /// Returns when the batch under way is done.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the stream's pump broke off");
        }
    }
}

struct Source {
    database: Database,
    consumer: Consumer,
    checkpoint: PathBuf,
    spans: Option<Spans>,
}

impl Source {
    async fn run(self, mut stopped: watch::Receiver<bool>, looked: watch::Sender<u64>) {
        while !*stopped.borrow() {
            let pause = match self.step().await {
                Ok(0) => {
                    looked.send_modify(|looks| *looks += 1);
                    EVERY
                }
                Ok(_) => Duration::ZERO,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(%error, cause, "what follows from the last changes has to wait");
                    EVERY * 10
                }
            };
            // A sender that is gone says the same as one that speaks.
            time::timeout(pause, stopped.changed()).await.ok();
        }
    }

    /// One batch. Returns how many records were read.
    async fn step(&self) -> Result<usize, PumpError> {
        let (database, checkpoint) = (self.database.clone(), self.checkpoint.clone());
        let (records, next) = tokio::task::spawn_blocking(move || read(&database, &checkpoint)).await??;
        let count = records.len();
        if count > 0 {
            self.consume(records.into_iter().filter(stream::follows).collect()).await;
            let keep = |source| PumpError::Checkpoint { file: self.checkpoint.clone(), source };
            write(&self.checkpoint, &next).map_err(keep)?;
        }
        Ok(count)
    }

    async fn consume(&self, mut records: Vec<Value>) {
        let mut attempts = 0;
        while !records.is_empty() {
            let batch = Batch { records };
            let failures = self.traced(&batch, self.consumer.consume(&batch, BATCH_TAKES_AT_MOST)).await;
            let Some(failure) = failures.failures.first() else { return };
            records = batch.records;
            let failed = records.iter().position(|record| sequence_number(record) == failure.sequence_number);
            let failed = failed.unwrap_or_default();
            attempts = if failed == 0 { attempts + 1 } else { 1 };
            records.drain(..failed);
            if attempts == ATTEMPTS {
                tracing::error!(app.sequence_number = failure.sequence_number, "the record is left out");
                records.remove(0);
                attempts = 0;
            }
        }
    }

    async fn traced(&self, batch: &Batch, work: impl Future<Output = Failures>) -> Failures {
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
    let kept = fs::read_to_string(checkpoint).ok().filter(|kept| !kept.is_empty());
    let iterator = kept.map_or_else(|| beginning(database), Ok)?;
    let request = |shard_iterator| GetRecordsRequest { shard_iterator, limit: Some(BATCH) };
    let page = match database.get_records(request(iterator)) {
        Ok(page) => page,
        // The file is another database's, or damaged: to do everything again does no harm.
        Err(DynoxideError::ValidationException(_)) => database.get_records(request(beginning(database)?))?,
        Err(error) => return Err(error.into()),
    };
    let records = page.records.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok((records, page.next_shard_iterator.unwrap_or_default()))
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

/// Written under another name first, so that a crash leaves no half of a place.
fn write(checkpoint: &Path, iterator: &str) -> io::Result<()> {
    let unfinished = checkpoint.with_extension("unfinished");
    fs::write(&unfinished, iterator)?;
    fs::rename(unfinished, checkpoint)
}
