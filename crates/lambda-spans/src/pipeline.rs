//! From finished invocations to the destinations, side by side and within a budget.

mod outbox;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::SpanData;

use crate::accounting::{Account, Accounts, Why};
use crate::health::Health;
use crate::invocation::{Finished, Invocation};
use crate::otlp::Otlp;
use crate::propagation;
use crate::sampling::{Decision, Sampler};
use crate::terminal;
use crate::xray::{Document, Xray};

pub(crate) use outbox::Outbox;

/// Held spans leave beside an invocation when there are this many of them,
const FULL: usize = 256;
/// or when the oldest is this old. Looked at whenever an invocation begins or ends: a frozen process has no timer.
const OLD: Duration = Duration::from_millis(200);
/// What a sender in the background may take for itself: nobody waits for it.
const BACKGROUND: Duration = Duration::from_secs(5);

/// What Honeycomb takes for a column of its own: an attribute of that name would overwrite what the span says.
const RESERVED: [&str; 4] = ["name", "error", "type", "duration_ms"];
/// How many spans a span stands for. Set by the sampler alone: it multiplies every count.
const SAMPLE_RATE: &str = "SampleRate";

/// The destinations of this process.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) outbox: Outbox,
    pub(crate) accounts: Accounts,
    pub(crate) sampler: Sampler,
    xray: Option<Xray>,
    otlp: Option<Otlp>,
    terminal: bool,
    health: Health,
    held: Mutex<Held>,
    sending: tokio::sync::Mutex<()>,
}

/// Spans on their way to OTLP that are not encoded yet: several invocations' make one request.
#[derive(Debug, Default)]
struct Held {
    spans: Vec<SpanData>,
    since: Option<Instant>,
}

impl Held {
    fn is_due(&self) -> bool {
        self.spans.len() >= FULL || self.since.is_some_and(|since| since.elapsed() >= OLD)
    }
}

impl Pipeline {
    pub(crate) fn new(
        accounts: Accounts,
        sampler: Sampler,
        xray: Option<Xray>,
        otlp: Option<Otlp>,
        terminal: bool,
        health: Health,
    ) -> Self {
        let outbox = Outbox::new(accounts.clone(), xray.is_some(), otlp.is_some());
        Self {
            outbox,
            accounts,
            sampler,
            xray,
            otlp,
            terminal,
            health,
            held: Mutex::default(),
            sending: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn has_otlp(&self) -> bool {
        self.otlp.is_some()
    }

    /// Makes ready what the first export would have to wait for.
    pub(crate) async fn prepare(&self) {
        if let Some(otlp) = &self.otlp {
            otlp.prepare().await;
        }
    }

    /// Exports all that is finished. Takes no longer than `limit`, and never fails its caller.
    pub(crate) async fn flush(&self, limit: Duration) {
        let documents = self.sort();
        tokio::join!(self.send_documents(documents, limit), self.send_held(limit));
        self.health.report(self.accounts.ledger(), Instant::now(), false);
    }

    /// The same for the last time.
    pub(crate) async fn finish(&self, limit: Duration) {
        if let Some(otlp) = &self.otlp {
            otlp.try_again();
        }
        self.flush(limit).await;
        self.health.report(self.accounts.ledger(), Instant::now(), true);
    }

    /// Sends X-Ray its documents; leaves OTLP's spans for a later moment, when they go beside an invocation.
    pub(crate) async fn flush_later(self: &Arc<Self>, limit: Duration) {
        let documents = self.sort();
        self.send_documents(documents, limit).await;
        self.send_if_due();
    }

    /// Sends what is due beside whatever runs now.
    pub(crate) fn send_if_due(self: &Arc<Self>) {
        let Some(otlp) = &self.otlp else { return };
        if self.held().is_due() && !otlp.is_sending() {
            let pipeline = self.clone();
            tokio::spawn(async move { pipeline.send_held(BACKGROUND).await });
        }
    }

    /// Exports what is known of an invocation that its deadline is about to cut off.
    pub(crate) async fn rescue(&self, invocation: Invocation, limit: Duration) {
        let open = invocation.interrupt(opentelemetry::time::now());
        if let Some(xray) = &self.xray {
            // They are in no account: their ends are.
            xray.send(xray.in_progress(&open, invocation.xray()), limit, &Account::default()).await;
        }
        self.flush(limit).await;
    }

    /// The same for X-Ray alone, for a thread without a runtime.
    pub(crate) fn rescue_from_thread(&self, invocation: &Invocation) {
        let open = invocation.interrupt(opentelemetry::time::now());
        let Some(xray) = self.xray.as_ref().filter(|_| !open.is_empty()) else { return };
        let (in_progress, ended) = (xray.in_progress(&open, invocation.xray()), self.sort());
        let (daemon, count) = (xray.blocking_daemon(), ended.iter().map(Document::spans).sum::<usize>());
        daemon.send(&in_progress);
        let sent = daemon.send(&ended);
        self.accounts.xray().exported(sent);
        self.accounts.xray().dropped(Why::Unsent, count - sent);
    }

    /// X-Ray's documents of all that is finished; OTLP's share of it is held.
    fn sort(&self) -> Vec<Document> {
        let finished = self.outbox.take();
        if self.terminal {
            finished.iter().for_each(terminal::print);
        }
        let documents = self.xray.as_ref().map(|xray| xray.documents(&finished, self.accounts.xray()));
        if self.otlp.is_some() {
            let mut held = self.held();
            for finished in finished.into_iter().filter(|finished| finished.to.otlp()) {
                match finished.otlp {
                    Decision::Keep { rate } => held.spans.extend(otlp_spans(finished, rate)),
                    Decision::Leave => self.accounts.otlp().sampled_out(finished.spans.len()),
                }
            }
            if held.since.is_none() && !held.spans.is_empty() {
                held.since = Some(Instant::now());
            }
        }
        documents.unwrap_or_default()
    }

    async fn send_documents(&self, documents: Vec<Document>, limit: Duration) {
        let Some(xray) = &self.xray else { return };
        // One after another, so that the last to send, at the end of the process, knows that the others are done.
        let _turn = tokio::time::timeout(limit, self.sending.lock()).await;
        if !documents.is_empty() {
            xray.send(documents, limit, self.accounts.xray()).await;
        }
    }

    async fn send_held(&self, limit: Duration) {
        if let Some(otlp) = &self.otlp {
            let held = mem::take(&mut *self.held());
            otlp.enqueue(held.spans);
            otlp.send(limit, self.accounts.otlp()).await;
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The spans as OTLP gets them: Lambda's own segment, the parent in X-Ray, never arrives there, so that
/// the invocation's span is the root, or the child of the caller whose trace goes on.
fn otlp_spans(finished: Finished, rate: u64) -> Vec<SpanData> {
    let Finished { caller, mut spans, .. } = finished;
    for span in &mut spans {
        if let Some(caller) = &caller {
            propagation::continue_over_otlp(span, caller);
        } else if span.parent_span_is_remote {
            span.parent_span_id = SpanId::INVALID;
            span.parent_span_is_remote = false;
        }
        span.attributes.retain(|attribute| !attribute.key.as_str().eq_ignore_ascii_case(SAMPLE_RATE));
        for attribute in &mut span.attributes {
            let key = attribute.key.as_str();
            if RESERVED.contains(&key) || key.starts_with("trace.") {
                attribute.key = format!("field.{key}").into();
            }
        }
        if rate > 1 {
            span.attributes.push(KeyValue::new(SAMPLE_RATE, i64::try_from(rate).unwrap_or(i64::MAX)));
        }
    }
    spans
}
