//! Exports finished invocations to the destinations in parallel and within a budget.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Moment;
use crate::export::health::Health;
use crate::export::outbox::Outbox;
use crate::export::receiver::Receiver;
use crate::export::resource::ResourceSettings;
use crate::export::terminal::Terminal;
use crate::otlp::http_stack::HttpStack;
use crate::otlp::settings::OtlpSettings;
use crate::trace::accounting::{Accounts, Destination, Destinations};
use crate::trace::finished::{FinishedSpans, SpanSink};
use crate::trace::invocation::Invocation;
use crate::trace::sampling::{Decisions, Sampler, SamplingSettings};
use crate::variables::Reader;
use crate::xray::document::Document;
use crate::xray::{self, Xray, XrayFormat, XraySettings};

/// The timeout of an export in the background, which delays nothing.
const BACKGROUND: Duration = Duration::from_secs(5);
/// The time for a rescue from a thread. Half of the shortest time for a rescue is 125 ms.
const FROM_THREAD: Duration = Duration::from_millis(100);

/// The settings of the destinations and of the health metrics.
#[derive(Clone)]
pub(crate) struct ExportSettings {
    pub(crate) otlp: Option<OtlpSettings>,
    pub(crate) second_otlp: Option<OtlpSettings>,
    pub(crate) xray: Option<XraySettings>,
    xray_annotations: Vec<String>,
    /// How traces are printed.
    pub(crate) terminal: Option<Terminal>,
    /// Receives a copy of what the destinations get.
    pub(crate) viewer: Option<Viewer>,
    metrics_namespace: Option<String>,
}

/// The addresses of a trace viewer on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer {
    pub(crate) otlp: SocketAddr,
    pub(crate) xray: Option<SocketAddr>,
}

impl ExportSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let (otlp, second_otlp) = OtlpSettings::read(reader);
        Self {
            otlp,
            second_otlp,
            xray_annotations: xray::read_annotations(reader),
            xray: XraySettings::read(reader),
            terminal: reader.flag("AWS_SAM_LOCAL").then_some(Terminal::Trees),
            viewer: None,
            metrics_namespace: reader.text("LAMBDA_SPANS_METRICS_NAMESPACE"),
        }
    }

    /// Returns the settings that send to `viewer` only.
    fn for_viewer(&self, viewer: Viewer) -> Self {
        Self {
            otlp: OtlpSettings::plain(viewer.otlp),
            second_otlp: None,
            xray: viewer.xray.map(XraySettings::segments),
            xray_annotations: self.xray_annotations.clone(),
            terminal: None,
            viewer: None,
            metrics_namespace: None,
        }
    }
}

/// The destinations of this process.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) accounts: Accounts,
    pub(crate) sampler: Arc<Sampler>,
    pub(crate) resource: ResourceSettings,
    xray: Option<Xray>,
    otlp: Option<Arc<Receiver>>,
    second_otlp: Option<Arc<Receiver>>,
    terminal: Option<Terminal>,
    /// Separate, with its own accounts, so that the viewer affects no destination.
    viewer: Option<Arc<Pipeline>>,
    health: Health,
    sending: tokio::sync::Mutex<()>,
}

impl Pipeline {
    pub(crate) fn new(
        settings: &ExportSettings,
        resource: &ResourceSettings,
        sampling: &SamplingSettings,
        http_stack: &HttpStack,
    ) -> Self {
        let (accounts, annotations) = (Accounts::default(), &settings.xray_annotations);
        // Those that have their own sampling.
        let receivers = [&settings.otlp, &settings.second_otlp].into_iter().flatten();
        let receivers = receivers.filter(|otlp| otlp.destination != Destination::Xray);
        let receivers = receivers.fold(Destinations::default(), |all, otlp| all.with(otlp.destination, true));
        let receiver = |otlp: &Option<OtlpSettings>| {
            let receiver = Receiver::new(otlp.as_ref()?, annotations, &resource.resource(), http_stack, &accounts);
            Some(receiver?.beside(receivers))
        };
        let (otlp, second_otlp) =
            (receiver(&settings.otlp).map(Arc::new), receiver(&settings.second_otlp).map(Arc::new));
        let mut destinations = Destinations::default();
        for receiver in otlp.iter().chain(&second_otlp) {
            destinations = destinations.with(receiver.destination, true);
        }
        // A span that X-Ray's own endpoint gets must not arrive by the daemon, too.
        let xray = settings.xray.clone().filter(|_| !destinations.contains(Destination::Xray));
        let xray = xray.map(|xray| {
            let resource = match xray.format {
                XrayFormat::Segments => resource.xray_resource(),
                XrayFormat::Otlp => resource.resource(),
            };
            Xray::new(xray, annotations.clone(), &resource).beside(receivers)
        });
        let destinations = destinations.with(Destination::Xray, xray.is_some());
        let replacing = Destinations::default().with(Destination::Xray, xray.as_ref().is_some_and(Xray::replaces));
        let service = resource.service_name.clone().unwrap_or_default();
        Self {
            outbox: Arc::new(Outbox::new(accounts.clone(), destinations, replacing)),
            accounts,
            sampler: Arc::new(Sampler::new(sampling)),
            resource: resource.clone(),
            xray,
            otlp,
            second_otlp,
            terminal: settings.terminal.clone(),
            viewer: settings
                .viewer
                .map(|viewer| Arc::new(Self::new(&settings.for_viewer(viewer), resource, sampling, http_stack))),
            health: Health::new(settings.metrics_namespace.clone(), service, destinations),
            sending: tokio::sync::Mutex::default(),
        }
    }

    /// Returns whether a destination can receive spans during a later invocation.
    pub(crate) fn carries_spans(&self) -> bool {
        self.receivers().next().is_some()
    }

    /// Returns whether a new connection with a request takes at most `limit`, as far as it is known.
    pub(crate) fn connects_within(&self, limit: Duration) -> bool {
        self.receivers().all(|receiver| receiver.connects_within(limit))
    }

    /// Prepares what the first export would otherwise wait for.
    pub(crate) async fn prepare(&self) {
        tokio::join!(prepare(&self.otlp), prepare(&self.second_otlp));
    }

    /// Exports all finished spans. Takes at most `limit` and never fails.
    pub(crate) async fn flush(&self, limit: Duration) {
        let documents = self.distribute();
        tokio::join!(self.send_documents(documents, limit), send(&self.otlp, limit), send(&self.second_otlp, limit));
        self.health.report(self.accounts.ledger(), Moment::now(), false);
    }

    /// Exports finished spans in the background for the life of the runtime.
    pub(crate) fn export_in_background(self: Arc<Self>, budget: Duration) {
        if let Some(viewer) = &self.viewer {
            viewer.clone().export_in_background(budget);
        }
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
        let until = Instant::now() + limit;
        tokio::join!(try_again(&self.otlp), try_again(&self.second_otlp));
        self.flush(limit).await;
        self.health.report(self.accounts.ledger(), Moment::now(), true);
        if let Some(viewer) = &self.viewer {
            // Boxed, because this future contains itself.
            Box::pin(viewer.finish(until.saturating_duration_since(Instant::now()))).await;
        }
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
        for receiver in self.receivers().filter(|receiver| receiver.is_due()) {
            let receiver = receiver.clone();
            tokio::spawn(async move { receiver.send(BACKGROUND).await });
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
        if let Some(terminal) = &self.terminal {
            let shown =
                |finished: &&FinishedSpans| finished.source.is_none() && finished.sampling != Decisions::EXCLUDE;
            finished.iter().filter(shown).for_each(|finished| terminal.print(finished));
        }
        if let Some(viewer) = &self.viewer {
            finished.iter().for_each(|finished| viewer.outbox.accept(finished.clone()));
        }
        let documents =
            self.xray.as_ref().map(|xray| xray.documents(&finished, self.accounts.account(Destination::Xray)));
        // The last receiver takes the spans themselves.
        match (&self.otlp, &self.second_otlp) {
            (Some(first), Some(second)) => {
                first.carry(finished.iter().map(Cow::Borrowed), &self.accounts);
                second.carry(finished.into_iter().map(Cow::Owned), &self.accounts);
            }
            (Some(only), None) | (None, Some(only)) => {
                only.carry(finished.into_iter().map(Cow::Owned), &self.accounts);
            }
            (None, None) => {}
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

    fn receivers(&self) -> impl Iterator<Item = &Arc<Receiver>> {
        self.otlp.iter().chain(&self.second_otlp)
    }
}

async fn prepare(receiver: &Option<Arc<Receiver>>) {
    if let Some(receiver) = receiver {
        receiver.prepare().await;
    }
}

async fn send(receiver: &Option<Arc<Receiver>>, limit: Duration) {
    if let Some(receiver) = receiver {
        receiver.send(limit).await;
    }
}

async fn try_again(receiver: &Option<Arc<Receiver>>) {
    if let Some(receiver) = receiver {
        receiver.try_again().await;
    }
}
