//! Exports finished invocations to the destinations in parallel and within a budget.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_sdk::trace::SpanData;

use crate::clock::Moment;
use crate::export::health::Health;
use crate::export::outbox::Outbox;
use crate::export::resource::ResourceSettings;
use crate::export::terminal;
use crate::otlp::http_stack::HttpStack;
use crate::otlp::settings::OtlpSettings;
use crate::otlp::{self, Otlp};
use crate::trace::accounting::{Accounts, Destination, Destinations};
use crate::trace::importance;
use crate::trace::invocation::Invocation;
use crate::trace::sampling::{Decision, Sampler, SamplingSettings};
use crate::variables::Reader;
use crate::xray::document::Document;
use crate::xray::{Xray, XraySettings};

/// The number of carried spans from which they are sent during an invocation.
const FULL: usize = 256;
/// The age of the oldest carried span from which they are sent. Checked when an invocation starts or ends, because a
/// frozen process has no timers.
const OLD: Duration = Duration::from_millis(200);
/// From this number on, the spans of an invocation may not fit into one request, and the first one gets the most
/// important spans.
const LARGE: usize = 1024;
/// The timeout of an export in the background, which delays nothing.
const BACKGROUND: Duration = Duration::from_secs(5);
/// The time for a rescue from a thread. Half of the shortest time for a rescue is 125 ms.
const FROM_THREAD: Duration = Duration::from_millis(100);

/// The settings of the destinations and of the health metrics.
#[derive(Clone)]
pub(crate) struct ExportSettings {
    pub(crate) otlp: Option<OtlpSettings>,
    pub(crate) xray: Option<XraySettings>,
    /// Prints each trace as a tree.
    pub(crate) terminal: bool,
    metrics_namespace: Option<String>,
}

impl ExportSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            otlp: OtlpSettings::read(reader),
            xray: XraySettings::read(reader),
            terminal: reader.flag("AWS_SAM_LOCAL"),
            metrics_namespace: reader.text("LAMBDA_SPANS_METRICS_NAMESPACE"),
        }
    }
}

/// The destinations of this process.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) accounts: Accounts,
    pub(crate) sampler: Arc<Sampler>,
    xray: Option<Xray>,
    otlp: Option<Otlp>,
    /// The maximum length of a string value over OTLP, in bytes.
    value_length: usize,
    terminal: bool,
    health: Health,
    carried: Mutex<CarriedSpans>,
    sending: tokio::sync::Mutex<()>,
}

/// Spans for OTLP that are not encoded yet. One request carries the spans of several invocations.
#[derive(Debug, Default)]
struct CarriedSpans {
    spans: Vec<SpanData>,
    since: Option<Moment>,
}

impl CarriedSpans {
    fn is_due(&self) -> bool {
        self.spans.len() >= FULL || self.since.is_some_and(|since| Moment::now().since(since) >= OLD)
    }
}

impl Pipeline {
    pub(crate) fn new(
        settings: &ExportSettings,
        resource: &ResourceSettings,
        sampling: &SamplingSettings,
        http_stack: &HttpStack,
    ) -> Self {
        let accounts = Accounts::default();
        let xray = settings.xray.clone().map(|xray| Xray::new(xray, &resource.xray_resource()));
        let value_length = settings.otlp.as_ref().map_or(usize::MAX, |otlp| otlp.value_length);
        let otlp = settings.otlp.clone();
        let otlp = otlp.and_then(|otlp| Otlp::new(otlp, &resource.resource(), http_stack.clone(), accounts.clone()));
        let destinations =
            Destinations::default().with(Destination::Xray, xray.is_some()).with(Destination::Otlp, otlp.is_some());
        Self {
            outbox: Arc::new(Outbox::new(accounts.clone(), destinations)),
            accounts,
            sampler: Arc::new(Sampler::new(sampling)),
            xray,
            otlp,
            value_length,
            terminal: settings.terminal,
            health: Health::new(settings.metrics_namespace.clone(), resource.service_name.clone().unwrap_or_default()),
            carried: Mutex::default(),
            sending: tokio::sync::Mutex::default(),
        }
    }

    /// Returns whether a destination can receive spans during a later invocation.
    pub(crate) fn carries_spans(&self) -> bool {
        self.otlp.is_some()
    }

    /// Returns whether a new connection with a request takes at most `limit`, as far as it is known.
    pub(crate) fn connects_within(&self, limit: Duration) -> bool {
        self.otlp.as_ref().is_none_or(|otlp| otlp.connects_within(limit))
    }

    /// Prepares what the first export would otherwise wait for.
    pub(crate) async fn prepare(&self) {
        if let Some(otlp) = &self.otlp {
            otlp.prepare().await;
        }
    }

    /// Exports all finished spans. Takes at most `limit` and never fails.
    pub(crate) async fn flush(&self, limit: Duration) {
        let documents = self.distribute();
        tokio::join!(self.send_documents(documents, limit), self.send_carried(limit));
        self.health.report(self.accounts.ledger(), Moment::now(), false);
    }

    /// Exports finished spans in the background for the life of the runtime.
    pub(crate) fn export_in_background(self: Arc<Self>, budget: Duration) {
        tokio::spawn(async move {
            loop {
                self.outbox.arrived().await;
                self.flush(budget).await;
                while self.xray.as_ref().is_some_and(Xray::has_carried) {
                    self.send_documents(Vec::new(), budget).await;
                }
            }
        });
    }

    /// Makes the last export.
    pub(crate) async fn finish(&self, limit: Duration) {
        if let Some(otlp) = &self.otlp {
            otlp.try_again().await;
        }
        self.flush(limit).await;
        self.health.report(self.accounts.ledger(), Moment::now(), true);
    }

    /// Sends X-Ray's documents and carries OTLP's spans, which are sent during a later invocation.
    pub(crate) async fn flush_later(self: &Arc<Self>, limit: Duration) {
        let documents = self.distribute();
        self.send_documents(documents, limit).await;
        self.send_if_due();
    }

    /// Sends due spans in parallel with the current invocation.
    pub(crate) fn send_if_due(self: &Arc<Self>) {
        if self.xray.as_ref().is_some_and(Xray::has_carried) {
            let pipeline = self.clone();
            tokio::spawn(async move { pipeline.send_documents(Vec::new(), BACKGROUND).await });
        }
        let Some(otlp) = &self.otlp else { return };
        if otlp.is_sending() {
            let mut carried = self.carried();
            if carried.spans.len() >= LARGE {
                // Encoded spans take less memory.
                let spans = mem::take(&mut *carried).spans;
                drop(carried);
                otlp.enqueue_within_bounds(spans);
            }
            return;
        }
        if self.carried().is_due() {
            let pipeline = self.clone();
            tokio::spawn(async move { pipeline.send_carried(BACKGROUND).await });
        }
    }

    /// Exports the current state of an invocation that is about to time out.
    pub(crate) async fn rescue(&self, invocation: Invocation, limit: Duration) {
        let open = invocation.interrupt(Moment::now());
        if let Some(xray) = &self.xray {
            let account = self.accounts.account(Destination::Xray);
            xray.enqueue(xray.in_progress(&open, invocation.xray()), account);
            xray.send(limit, account).await;
        }
        self.flush(limit).await;
    }

    /// Exports the same to X-Ray only, from a thread without a runtime.
    pub(crate) fn rescue_from_thread(&self, invocation: &Invocation) {
        let open = invocation.interrupt(Moment::now());
        let Some(xray) = self.xray.as_ref().filter(|_| !open.is_empty()) else { return };
        let mut documents = xray.in_progress(&open, invocation.xray());
        documents.extend(self.distribute());
        xray.send_from_thread(documents, FROM_THREAD, self.accounts.account(Destination::Xray));
    }

    /// Takes X-Ray's documents of all finished spans and carries OTLP's spans.
    fn distribute(&self) -> Vec<Document> {
        let finished = self.outbox.take();
        if self.terminal {
            finished.iter().for_each(terminal::print);
        }
        let documents =
            self.xray.as_ref().map(|xray| xray.documents(&finished, self.accounts.account(Destination::Xray)));
        if self.otlp.is_some() {
            let mut carried = self.carried();
            for mut finished in
                finished.into_iter().filter(|finished| finished.destinations.contains(Destination::Otlp))
            {
                if finished.spans.len() >= LARGE {
                    importance::sort(&mut finished.spans);
                }
                match finished.otlp {
                    Decision::Keep { rate } => {
                        carried.spans.extend(otlp::spans::adapted(finished, rate, self.value_length))
                    }
                    Decision::SampleOut => self.accounts.account(Destination::Otlp).sampled_out(finished.spans.len()),
                }
            }
            if carried.since.is_none() && !carried.spans.is_empty() {
                carried.since = Some(Moment::now());
            }
        }
        documents.unwrap_or_default()
    }

    async fn send_documents(&self, documents: Vec<Document>, limit: Duration) {
        let Some(xray) = &self.xray else { return };
        let (until, account) = (Instant::now() + limit, self.accounts.account(Destination::Xray));
        // The current sender sends these documents, too.
        xray.enqueue(documents, account);
        // One sender after another, so that the last export of the process starts after all others.
        let _turn = tokio::time::timeout(limit, self.sending.lock()).await;
        xray.send(until.saturating_duration_since(Instant::now()), account).await;
    }

    async fn send_carried(&self, limit: Duration) {
        if let Some(otlp) = &self.otlp {
            let carried = mem::take(&mut *self.carried());
            otlp.enqueue(carried.spans);
            otlp.send(limit).await;
        }
    }

    fn carried(&self) -> MutexGuard<'_, CarriedSpans> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
