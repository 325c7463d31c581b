//! OTLP over HTTP: Honeycomb, or any OpenTelemetry collector.

mod breaker;
pub(crate) mod compression;
mod encoder;
mod gzip;
#[cfg(feature = "sigv4")]
mod honeycomb_key;
pub(crate) mod http_stack;
mod queue;
mod response;
pub(crate) mod settings;
pub(crate) mod spans;
mod transport;
#[cfg(not(feature = "sigv4"))]
mod unsigned_honeycomb_key;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use tracing::{info, warn};

use crate::trace::accounting::{Account, DropReason};
use breaker::{Breaker, Renewal};
use encoder::Encoder;
#[cfg(not(feature = "sigv4"))]
use unsigned_honeycomb_key as honeycomb_key;

use honeycomb_key::KeyParameter;
use http_stack::HttpStack;
use queue::RequestQueue;
use response::ExportOutcome;
use settings::OtlpSettings;
use transport::Transport;

/// A probe after a failure gets less time than the first attempt: it only checks whether the receiver is back.
const PROBE_TIMEOUT: Duration = Duration::from_millis(100);
/// The init phase lasts longer, but nothing depends on the preparation.
const PREPARATION: Duration = Duration::from_millis(500);
/// The maximum number of retries in one export if the receiver is busy.
const MAX_RETRIES: u32 = 3;
/// The shortest time in which an attempt can succeed.
const MIN_ATTEMPT: Duration = Duration::from_millis(2);

/// Sends spans by OTLP/HTTP in protobuf. Spans that cannot be sent now wait, within bounds, for a later export.
#[derive(Debug)]
pub(crate) struct Otlp {
    encoder: Encoder,
    transport: Transport,
    timeout: Duration,
    key: Option<KeyParameter>,
    stack: HttpStack,
    over_tls: bool,
    queue: Mutex<RequestQueue>,
    /// One sender at a time: a second one would send the same requests.
    sender: tokio::sync::Mutex<Sender>,
}

#[derive(Debug, Default)]
struct Sender {
    breaker: Breaker,
    renewal: Renewal,
    failing: bool,
}

impl Otlp {
    pub(crate) fn new(
        settings: OtlpSettings,
        resource: &Resource,
        stack: HttpStack,
    ) -> Result<Self, ExporterBuildError> {
        Ok(Self {
            timeout: settings.timeout,
            key: settings.key.clone(),
            over_tls: settings.endpoint.starts_with("https:"),
            transport: Transport::new(stack.connector(&settings.endpoint)),
            stack,
            encoder: Encoder::new(settings, resource)?,
            queue: Mutex::default(),
            sender: tokio::sync::Mutex::default(),
        })
    }

    /// Prepares the first export: reads the key, and opens a connection with its TLS handshake by a request without
    /// spans.
    pub(crate) async fn prepare(&self) {
        if let Some(key) = &self.key {
            match key.fetch(&self.stack).await {
                Ok(key) => drop(self.transport.set_key(key)),
                Err(problem) => {
                    warn!(
                        variable = "HONEYCOMB_API_KEY_PARAMETER",
                        problem, "Honeycomb will not take spans before the key can be read"
                    );
                }
            }
        }
        if self.over_tls
            && let Some(batch) = self.encoder.encode_nothing()
            && let ExportOutcome::Refused { problem } | ExportOutcome::Unauthorized { problem } =
                self.transport.send(&batch.request, PREPARATION).await
        {
            warn!(problem, "the OTLP receiver refuses a request without spans");
        }
    }

    /// Reads the key's parameter again if enough time has passed. Returns whether the key has changed.
    async fn renew(&self, key: &KeyParameter, renewal: &mut Renewal, until: Instant) -> bool {
        if !renewal.is_due(Instant::now()) {
            return false;
        }
        match tokio::time::timeout_at(until.into(), key.fetch(&self.stack)).await {
            Ok(Ok(key)) => self.transport.set_key(key),
            Ok(Err(problem)) => {
                warn!(variable = "HONEYCOMB_API_KEY_PARAMETER", problem, "Honeycomb's key is still the one it refuses");
                false
            }
            // No time is left for another attempt.
            Err(_) => false,
        }
    }

    /// Encodes `spans` for sending. All waiting spans get one attempt before any is dropped.
    pub(crate) fn enqueue(&self, spans: Vec<SpanData>) {
        for batch in self.encoder.encode(spans) {
            self.queue().push(batch);
        }
    }

    /// Sends the queued requests within `limit`. The rest waits, within bounds: the oldest is dropped first. Cancelling
    /// the future loses no other request.
    pub(crate) async fn send(&self, limit: Duration, account: &Account) {
        if self.queue().is_empty() {
            return;
        }
        let until = Instant::now() + limit;
        if let Ok(mut sender) = tokio::time::timeout_at(until.into(), self.sender.lock()).await {
            let _trim = TrimOnDrop { otlp: self, account };
            self.drain(&mut sender, until, account).await;
        }
    }

    /// Closes the breaker, because this is the last export.
    pub(crate) fn try_again(&self) {
        // The current sender has found the breaker closed.
        if let Ok(mut sender) = self.sender.try_lock() {
            sender.breaker = Breaker::default();
        }
    }

    /// Returns whether a request is being sent.
    pub(crate) fn is_sending(&self) -> bool {
        self.sender.try_lock().is_err()
    }

    async fn drain(&self, sender: &mut Sender, until: Instant, account: &Account) {
        let mut attempts = 0;
        loop {
            let Some((ticket, request, spans)) = self.queue().front() else { return };
            let now = Instant::now();
            let left = until.saturating_duration_since(now);
            if left < MIN_ATTEMPT || !sender.breaker.allows(now) {
                return;
            }
            let probing = sender.breaker.is_probing();
            let limit = left.min(self.timeout).min(if probing { PROBE_TIMEOUT } else { left });
            match self.transport.send(&request, limit).await {
                ExportOutcome::Accepted { rejected, unfinished } => {
                    let rejected = usize::try_from(rejected).unwrap_or(spans).min(spans);
                    // If the batch was dropped meanwhile, it is already counted.
                    if self.queue().remove(ticket) {
                        account.exported(spans - rejected);
                        account.dropped(DropReason::Refused, rejected);
                    }
                    if let Some(problem) = unfinished {
                        sender.failed(&problem);
                        sender.breaker.failed(Instant::now(), None);
                        return;
                    }
                    sender.succeeded();
                    attempts = 0;
                }
                ExportOutcome::Unauthorized { problem } => {
                    sender.failed(&problem);
                    let Some(key) = &self.key else {
                        self.give_up(ticket, spans, account);
                        sender.breaker.refused(Instant::now());
                        continue;
                    };
                    if !self.renew(key, &mut sender.renewal, until).await {
                        // Spans wait for the right key as for an unreachable receiver.
                        sender.breaker.failed(Instant::now(), None);
                        return;
                    }
                }
                ExportOutcome::Refused { problem } => {
                    sender.failed(&problem);
                    self.give_up(ticket, spans, account);
                    sender.breaker.refused(Instant::now());
                }
                ExportOutcome::Retry { after, problem } => {
                    // `Retry-After: 0` must not cause a busy loop.
                    let pause = breaker::pause(attempts).max(after.unwrap_or_default());
                    attempts += 1;
                    if probing || attempts > MAX_RETRIES || Instant::now() + pause + MIN_ATTEMPT >= until {
                        sender.failed(&problem);
                        sender.breaker.failed(Instant::now(), after);
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
                ExportOutcome::NoResponse { problem } => {
                    sender.failed(&problem);
                    sender.breaker.failed(Instant::now(), None);
                    return;
                }
            }
        }
    }

    fn give_up(&self, ticket: u64, spans: usize, account: &Account) {
        if self.queue().remove(ticket) {
            account.dropped(DropReason::Refused, spans);
        }
    }

    fn queue(&self) -> MutexGuard<'_, RequestQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bounds what an export leaves behind, even if the caller stops waiting.
struct TrimOnDrop<'a> {
    otlp: &'a Otlp,
    account: &'a Account,
}

impl Drop for TrimOnDrop<'_> {
    fn drop(&mut self) {
        self.account.dropped(DropReason::Overflowed, self.otlp.queue().trim());
    }
}

// One line per change of state, so that a dead receiver does not fill the log.
impl Sender {
    fn failed(&mut self, problem: &str) {
        if !self.failing {
            self.failing = true;
            warn!(problem, "spans could not be exported by OTLP; further failures are counted, not logged");
        }
    }

    fn succeeded(&mut self) {
        self.breaker.succeeded();
        if self.failing {
            self.failing = false;
            info!("spans are exported by OTLP again");
        }
    }
}
