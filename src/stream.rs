//! What follows from a change of the table: notifications, the search index, summaries of conversations, names, and the
//! removal of what belonged to something that is gone.
//!
//! A stream tells each change at least once, those of one item in order, those of different items in any. So whatever
//! is done here can be done again, and in any order, with the same effect: keys follow from the cause, values from the
//! table as it is, conditions refuse what is older. After something was put for a cause, a look tells whether the cause
//! is still there; if it is not, what was put is taken away again.

mod conversations;
mod names;
mod notifications;
mod removal;
mod search_index;

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

use crate::causes::causes;
use crate::dead_letters::{DeadLetters, Found, Letter, Undelivered};
use crate::store::{self, Change, Record, Store, StoreError, Unreadable};

/// A batch of records, as Lambda's event has it. Each is read by itself, so that a bad one spoils no other.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// The records, in the order of their arrival.
    #[serde(rename = "Records")]
    pub records: Vec<Value>,
}

/// Which records come again: all from the named one on. None when all is done.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Failures {
    /// At most one.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<Failure>,
}

/// The first record that was not done.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its sequence number; empty where it has none, which Lambda takes for the whole batch.
    #[serde(rename = "itemIdentifier")]
    pub sequence_number: String,
}

/// Why a record was not done.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// It can never be done.
    #[error("the record cannot be understood")]
    Unreadable(#[from] Unreadable),
    /// It may be done another time.
    #[error("what follows from the record could not be written")]
    Store(#[from] StoreError),
    /// As the last.
    #[error("there was no time left")]
    OutOfTime,
    /// Our own fault, which the same record brings about again.
    #[error("the consumer panicked over the record")]
    Panicked,
}

/// The time for a batch where nobody says how long it may take: well below the function's timeout.
const OWN_LIMIT: Duration = Duration::from_secs(10);
/// Left for the answer's way and the traces' export.
const RESERVE: Duration = Duration::from_secs(2);

/// The time for the records of an invocation that Lambda ends at `deadline`, in epoch milliseconds.
#[must_use]
pub fn limit(deadline: u64, now: Timestamp) -> Duration {
    store::until(deadline, now).map_or(OWN_LIMIT, |left| left.saturating_sub(RESERVE))
}

/// Whether anything follows from a record; of one that cannot be read, that it fails. The template's filter lets through
/// the same, so that what is written here does not invoke us again.
#[must_use]
pub fn follows(record: &Value) -> bool {
    !matches!(Record::read(record), Ok(Record { change: Change::Other, .. }))
}

/// Does what follows from the records of a stream.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Where it is written.
    pub store: Store,
    /// Where records go that can never be done.
    pub letters: DeadLetters,
}

impl Consumer {
    /// Does what follows from each record, in their order, for as long as `limit` allows. One that can never be done is
    /// a dead letter, and counts as done when that is delivered; at any other failure it stops, since the fault is not
    /// the record's.
    pub async fn consume(&self, batch: &Batch, limit: Duration) -> Failures {
        let deadline = Instant::now() + limit;
        for record in &batch.records {
            let (context, done) = self.one(record, deadline).await;
            let Err(fault) = done else { continue };
            let (sequence_number, causes) = (sequence_number(record), causes(fault.source()));
            let writer_trace_id = context.as_deref().and_then(lambda_spans::trace_id_of);
            tell(&fault, &causes, sequence_number, writer_trace_id.as_deref());
            if fault.is_lasting() {
                let (error, trace_id) = (fault.name(), lambda_spans::trace_id());
                let record = Found::of(record);
                let letter = Letter { sequence_number, record, error, causes: &causes, trace_id, writer_trace_id };
                let sent = tokio::time::timeout_at(deadline, self.letters.send(&letter));
                match sent.instrument(info_span!("dead-letter")).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(undelivered)) => tell_undelivered(&undelivered, sequence_number),
                    Err(_elapsed) => {}
                }
            }
            return Failures { failures: vec![Failure { sequence_number: sequence_number.to_owned() }] };
        }
        Failures::default()
    }

    /// What came of one record, and the context of who wrote it.
    async fn one(&self, record: &Value, deadline: Instant) -> (Option<String>, Result<(), Fault>) {
        match Record::read(record) {
            Ok(Record { trace_context, change: Change::Other }) => (trace_context, Ok(())),
            Ok(Record { trace_context, change }) => {
                let span = span(&change);
                if let Some(context) = &trace_context {
                    lambda_spans::link(&span, context);
                }
                // Boxed: what follows is a deep tree of futures.
                let work = store::by(deadline, Box::pin(follow(&self.store, &change)));
                // Of a record that makes us panic only that is known. The store is not in a state of its own.
                let work = AssertUnwindSafe(tokio::time::timeout_at(deadline, work)).catch_unwind();
                let done = match work.instrument(span.clone()).await {
                    Ok(Ok(done)) => done,
                    Ok(Err(_elapsed)) => Err(Fault::OutOfTime),
                    Err(_panic) => Err(Fault::Panicked),
                };
                if let Err(fault) = &done {
                    span.record(lambda_spans::attributes::ERROR_TYPE, fault.name());
                }
                (trace_context, done)
            }
            Err(unreadable) => {
                let (fault, context) = (Fault::from(unreadable), trace_context(record));
                let span = info_span!("unreadable-record", error.r#type = fault.name());
                if let Some(context) = &context {
                    lambda_spans::link(&span, context);
                }
                (context, Err(fault))
            }
        }
    }
}

fn span(change: &Change) -> Span {
    let (activity, group) = match change {
        Change::Posted(posted) | Change::Gone(posted) => (Some(posted.activity.id()), None),
        Change::Liked(liked) | Change::Unliked(liked) => (Some(liked.activity), None),
        Change::Opened(opened) => (None, Some(opened.group)),
        Change::Sent(sent) => (None, Some(sent.message.group)),
        Change::Renamed { .. } | Change::Other => (None, None),
    };
    info_span!(
        "stream-record",
        otel.name = change.name(),
        app.activity_uuid = activity.map(display),
        app.message_group_uuid = group.map(display),
        error.r#type = Empty,
    )
}

async fn follow(store: &Store, change: &Change) -> Result<(), Fault> {
    match change {
        Change::Posted(posted) => {
            search_index::add(store, posted).instrument(info_span!("index-words")).await?;
            notifications::of_post(store, posted).instrument(info_span!("notify")).await?;
            names::correct(store, posted).instrument(info_span!("correct-name")).await?;
            // It may have gone in the meantime, and its end been told before its beginning.
            if !store.is_there(posted.subject).await? {
                removal::of(store, posted).instrument(info_span!("remove-belongings")).await?;
            }
        }
        Change::Gone(posted) => removal::of(store, posted).instrument(info_span!("remove-belongings")).await?,
        Change::Liked(liked) => notifications::of_like(store, liked).instrument(info_span!("notify")).await?,
        Change::Unliked(liked) => {
            notifications::withdraw_like(store, liked).instrument(info_span!("withdraw-notification")).await?;
        }
        Change::Renamed { sub } => names::rewrite(store, sub).instrument(info_span!("rewrite-names")).await?,
        Change::Opened(opened) => {
            notifications::of_conversation(store, opened).instrument(info_span!("notify")).await?;
            names::correct_conversation(store, opened).instrument(info_span!("correct-name")).await?;
        }
        Change::Sent(sent) => {
            conversations::summarise(store, sent).instrument(info_span!("summarise-conversation")).await?
        }
        Change::Other => {}
    }
    Ok(())
}

impl Fault {
    fn name(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Store(StoreError::OutOfTime { .. }) | Self::OutOfTime => "out_of_time",
            Self::Store(_) => "store",
            Self::Panicked => "panic",
        }
    }

    /// Whether no other attempt can do better. Else the table is out of reach, or there is too much to do at once.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Unreadable(_) | Self::Panicked => true,
            Self::Store(error) => error.is_lasting(),
            Self::OutOfTime => false,
        }
    }
}

/// The record is to be found by what is logged here, whether it comes again or is a dead letter.
fn tell(fault: &Fault, causes: &str, sequence_number: &str, writer_trace_id: Option<&str>) {
    tracing::error!(
        error.r#type = fault.name(),
        error.causes = causes,
        app.dead_letter = fault.is_lasting(),
        app.sequence_number = sequence_number,
        app.writer_trace_id = writer_trace_id,
        "{fault}"
    );
}

fn tell_undelivered(undelivered: &Undelivered, sequence_number: &str) {
    let causes = causes(undelivered.source());
    tracing::error!(error.causes = causes, app.sequence_number = sequence_number, "a dead letter: {undelivered}");
}

fn sequence_number(record: &Value) -> &str {
    let number = record.get("dynamodb").and_then(|change| change.get("SequenceNumber")).and_then(Value::as_str);
    number.unwrap_or_default()
}

/// The writer's context of a record that is not as it should be.
fn trace_context(record: &Value) -> Option<String> {
    let change = record.get("dynamodb")?;
    let image = change.get("NewImage").or_else(|| change.get("OldImage"))?;
    let text = image.get("trace_context")?.get("S")?.as_str()?;
    Some(text.to_owned())
}
