//! OTLP over HTTP: Honeycomb, any OpenTelemetry collector, or X-Ray's own endpoint.

mod breaker;
pub(crate) mod compression;
#[cfg(feature = "sigv4")]
mod credentials;
mod encoder;
mod gzip;
#[cfg(feature = "sigv4")]
mod honeycomb_key;
pub(crate) mod http_stack;
pub(crate) mod proxy;
mod queue;
pub(crate) mod reserved;
mod response;
mod root_certificates;
pub(crate) mod settings;
#[cfg(feature = "sigv4")]
mod signer;
pub(crate) mod spans;
mod transport;
#[cfg(not(feature = "sigv4"))]
mod unsigned;
#[cfg(not(feature = "sigv4"))]
mod unsigned_honeycomb_key;
mod xray_endpoint;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

use crate::clock::Moment;
use crate::trace::accounting::{Account, Accounts, Destination, DropReason, SpanCount};
use crate::trace::finished::Source;
use breaker::{Breaker, Renewal};
use compression::Compression;
use encoder::Encoder;
#[cfg(not(feature = "sigv4"))]
use {unsigned as signer, unsigned_honeycomb_key as honeycomb_key};

use honeycomb_key::KeyParameter;
use http_stack::HttpStack;
use queue::RequestQueue;
use response::ExportOutcome;
use settings::OtlpSettings;
use transport::Transport;

/// The longest attempt. An export waits for part of it; the rest runs in parallel with later invocations.
const MAX_ATTEMPT: Duration = Duration::from_secs(5);
/// How long the init phase waits for the preparation. The first export waits for the rest.
const PREPARATION: Duration = Duration::from_millis(500);
/// The maximum number of retries in one export if the receiver is busy.
const MAX_RETRIES: u32 = 3;
/// The shortest time in which an attempt can succeed.
const MIN_ATTEMPT: Duration = Duration::from_millis(2);
/// At shutdown, an older attempt is aborted, because it is unlikely to succeed.
const OLD_ATTEMPT: Duration = Duration::from_secs(1);
/// Enough time to read a response that arrived during a freeze.
const LAST_CHANCE: Duration = Duration::from_millis(20);

/// Sends spans by OTLP/HTTP in protobuf. Spans that cannot be sent now wait, within bounds, for a later export.
///
/// A task sends the requests one after another. An export waits for it within its limit. When the limit ends, the task
/// continues while the process runs, so that a connection that takes long is not started again and again.
#[derive(Debug)]
pub(crate) struct Otlp(Arc<Exporter>);

#[derive(Debug)]
struct Exporter {
    encoder: Encoder,
    compression: Compression,
    /// The encoder for the program whose spans were forwarded last.
    forwarding: Mutex<Option<(Arc<Source>, Encoder)>>,
    transport: Transport,
    max_attempt: Duration,
    key: Option<KeyParameter>,
    stack: HttpStack,
    over_tls: bool,
    destination: Destination,
    accounts: Accounts,
    queue: Mutex<RequestQueue>,
    sender: Mutex<Sender>,
}

#[derive(Debug)]
struct Sender {
    destination: Destination,
    breaker: Breaker,
    renewal: Renewal,
    failing: bool,
    /// The number of accepted requests.
    accepted: u64,
    task: Option<SendingTask>,
    /// Until when the task may start attempts. Each export that waits for it extends this.
    until: Option<Instant>,
    connecting: Option<Connecting>,
}

/// The task that sends the queued requests. At most one at a time: a second one would send the same requests.
#[derive(Debug)]
struct SendingTask {
    handle: AbortHandle,
    /// Closed when the task ends.
    ended: watch::Receiver<()>,
    /// When the current attempt started.
    started: Moment,
    /// Whether an export has waited for it without a response.
    overdue: bool,
}

/// The first connection, which the init phase opens.
#[derive(Clone, Copy, Debug)]
enum Connecting {
    Since(Moment),
    Took(Duration),
}

impl Otlp {
    /// Returns `None` if the exporter's encoder cannot be created, which its fixed settings do not allow.
    pub(crate) fn new(
        mut settings: OtlpSettings,
        resource: &Resource,
        stack: HttpStack,
        accounts: Accounts,
    ) -> Option<Self> {
        let destination = settings.destination;
        let connector = stack.connector_with(&settings.endpoint, settings.certificates.take());
        let exporter = Exporter {
            max_attempt: settings.timeout.min(MAX_ATTEMPT),
            key: settings.key,
            over_tls: settings.endpoint.is_https(),
            destination,
            transport: Transport::new(
                connector,
                settings.endpoint.uri(),
                settings.headers,
                settings.signer,
                stack.clone(),
            ),
            stack,
            accounts,
            compression: settings.compression,
            forwarding: Mutex::default(),
            encoder: Encoder::new(settings.compression, resource)
                .inspect_err(|error| {
                    warn!(destination = destination.name(), %error, "spans are not exported by OTLP");
                })
                .ok()?,
            queue: Mutex::new(RequestQueue::new(destination)),
            sender: Mutex::new(Sender::new(destination)),
        };
        Some(Self(Arc::new(exporter)))
    }

    /// Prepares the first export: reads the key, and opens a connection with its TLS handshake by a request without
    /// spans.
    pub(crate) async fn prepare(&self) {
        let exporter = &self.0;
        if let Some(key) = &exporter.key {
            match key.fetch(&exporter.stack).await {
                Ok(key) => drop(exporter.transport.set_key(key)),
                Err(problem) => {
                    warn!(
                        destination = exporter.destination.name(),
                        variable = "HONEYCOMB_API_KEY_PARAMETER",
                        problem,
                        "the Honeycomb key cannot be read; spans wait until it is read"
                    );
                }
            }
        }
        if exporter.over_tls && !self.is_sending() {
            let mut ended = exporter.spawn(&mut exporter.sender(), Instant::now() + PREPARATION, true);
            // The first export waits for the rest.
            timeout(PREPARATION, ended.changed()).await.ok();
        }
    }

    /// Returns whether a new connection with a request takes at most `limit`, as measured by
    /// [`prepare`](Self::prepare). True if it is not known.
    pub(crate) fn connects_within(&self, limit: Duration) -> bool {
        match self.0.sender().connecting {
            Some(Connecting::Took(time)) => time <= limit,
            Some(Connecting::Since(start)) => Moment::now().since(start) <= limit,
            None => true,
        }
    }

    /// Encodes `spans` for sending. All waiting spans get one attempt before any is dropped.
    pub(crate) fn enqueue(&self, spans: Vec<SpanData>) {
        self.0.encoder.encode(spans).for_each(|request| self.0.queue().push(request));
    }

    /// Encodes `spans` of another program for sending.
    pub(crate) fn enqueue_forwarded(&self, source: &Arc<Source>, spans: Vec<SpanData>) {
        let exporter = &self.0;
        let mut forwarding = exporter.forwarding.lock().unwrap_or_else(PoisonError::into_inner);
        if !forwarding.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, source)) {
            let encoder = Encoder::new(exporter.compression, &source.resource);
            *forwarding = encoder.ok().map(|encoder| (source.clone(), encoder));
        }
        match &*forwarding {
            Some((_, encoder)) => {
                encoder.encode_forwarded(spans).for_each(|request| exporter.queue().push(request));
            }
            // As `new`: its fixed settings do not allow this.
            None => {
                let spans = SpanCount::new(spans.len(), true);
                exporter.accounts.dropped(exporter.destination, DropReason::Overflowed, spans);
            }
        }
    }

    /// Drops the oldest requests beyond the bounds of the queue, for spans that are encoded while the sender is busy.
    pub(crate) fn trim(&self) {
        drop(TrimOnDrop(&self.0));
    }

    /// Sends the queued requests and waits for them within `limit`. The rest waits, within bounds: the oldest is
    /// dropped first. Canceling the future loses no request.
    pub(crate) async fn send(&self, limit: Duration) {
        if self.0.queue().is_empty() {
            return;
        }
        let _trim = TrimOnDrop(&self.0);
        if limit < MIN_ATTEMPT {
            return;
        }
        let (until, accepted) = (Instant::now() + limit, self.0.sender().accepted);
        while let Some((mut ended, joined)) = self.0.start_or_join(until) {
            if timeout_at(until, ended.changed()).await.is_err() {
                return self.0.overdue(limit, accepted);
            }
            // A task that was about to end has not seen the newest request.
            if !joined || self.0.queue().is_empty() {
                return;
            }
        }
    }

    /// Prepares the last export: closes the breaker, and aborts an attempt that is unlikely to succeed.
    pub(crate) async fn try_again(&self) {
        let current = self.0.sender().task.as_ref().map(|task| (task.started, task.ended.clone()));
        if let Some((started, mut ended)) = current
            && Moment::now().since(started) > OLD_ATTEMPT
        {
            timeout(LAST_CHANCE, ended.changed()).await.ok();
            if let Some(task) = &mut self.0.sender().task {
                task.handle.abort();
                task.overdue = true;
            }
        }
        self.0.sender().breaker = Breaker::default();
    }

    /// Returns whether a request is being sent.
    pub(crate) fn is_sending(&self) -> bool {
        self.0.sender().is_sending()
    }
}

impl Exporter {
    /// Starts the task, or joins the current one. Returns its end, and whether it was joined, if the export may wait.
    fn start_or_join(self: &Arc<Self>, until: Instant) -> Option<(watch::Receiver<()>, bool)> {
        let (now, mut sender) = (Moment::now(), self.sender());
        let (may_wait, may_start) = (sender.breaker.allows_waiting(now), sender.breaker.allows(now));
        if let Some(task) = &sender.task
            && sender.is_sending()
        {
            let replaced = task.overdue && may_start || now.since(task.started) > self.max_attempt;
            if !replaced {
                let ended = task.ended.clone();
                sender.until = sender.until.max(Some(until));
                return may_wait.then_some((ended, true));
            }
            task.handle.abort();
        }
        if !may_start {
            return None;
        }
        let ended = self.spawn(&mut sender, until, false);
        may_wait.then_some((ended, false))
    }

    fn spawn(self: &Arc<Self>, sender: &mut Sender, until: Instant, connect: bool) -> watch::Receiver<()> {
        let (running, ended) = watch::channel(());
        let exporter = self.clone();
        sender.until = Some(until);
        let task = tokio::spawn(async move {
            if connect {
                exporter.connect().await;
            }
            exporter.drain().await;
            drop(running);
        });
        let (handle, started) = (task.abort_handle(), Moment::now());
        sender.task = Some(SendingTask { handle, ended: ended.clone(), started, overdue: false });
        ended
    }

    /// Records that an export has waited without a response, unless requests were `accepted` since it began.
    fn overdue(&self, limit: Duration, accepted: u64) {
        let mut sender = self.sender();
        if sender.accepted != accepted {
            return;
        }
        sender.waited_in_vain(&transport::silence(limit), limit);
        if let Some(task) = &mut sender.task {
            task.overdue = true;
        }
    }

    /// Opens a connection by a request without spans.
    async fn connect(&self) {
        let start = Moment::now();
        self.sender().connecting = Some(Connecting::Since(start));
        let Some(request) = self.encoder.encode_nothing() else { return };
        let outcome = self.transport.send(&request, self.max_attempt, Instant::now()).await;
        let time = Moment::now().since(start);
        self.sender().connecting = match &outcome {
            ExportOutcome::NoResponse { .. } => None,
            ExportOutcome::Accepted { .. }
            | ExportOutcome::Retry { .. }
            | ExportOutcome::Unauthorized { .. }
            | ExportOutcome::Unsigned { .. }
            | ExportOutcome::Refused { .. } => Some(Connecting::Took(time)),
        };
        if let ExportOutcome::Refused { problem } | ExportOutcome::Unauthorized { problem } = outcome {
            // X-Ray does not document whether it accepts a request without spans.
            if self.destination != Destination::Xray {
                warn!(
                    destination = self.destination.name(),
                    problem, "the OTLP receiver rejected the first request, which contains no spans"
                );
            }
        } else if let ExportOutcome::Accepted { .. } = outcome {
            self.sender().succeeded(time);
        }
    }

    /// Reads the key's parameter again if enough time has passed. Returns whether the key has changed.
    async fn renew(&self, key: &KeyParameter, until: Instant) -> bool {
        if !self.sender().renewal.is_due(Moment::now()) {
            return false;
        }
        match timeout_at(until, key.fetch(&self.stack)).await {
            Ok(Ok(key)) => self.transport.set_key(key),
            Ok(Err(problem)) => {
                warn!(
                    destination = self.destination.name(),
                    variable = "HONEYCOMB_API_KEY_PARAMETER",
                    problem,
                    "Honeycomb rejects the key; no new key can be read"
                );
                false
            }
            // No time is left for another attempt.
            Err(_) => false,
        }
    }

    /// Sends the queued requests until one fails or no time is left. An attempt that has begun may take longer.
    async fn drain(&self) {
        let mut attempts = 0;
        // The batch that is sent again with new credentials.
        let mut renewed_for = None;
        loop {
            let Some((ticket, request, spans)) = self.queue().front() else { return };
            let start = Moment::now();
            let (until, probing) = {
                let mut sender = self.sender();
                let until = sender.until.unwrap_or_else(Instant::now);
                if Instant::now() + MIN_ATTEMPT > until || !sender.breaker.allows(start) {
                    return;
                }
                if let Some(task) = &mut sender.task {
                    task.started = start;
                }
                (until, sender.breaker.is_probing())
            };
            // The status of a response counts before the export stops waiting for its body.
            let body_until = Instant::now() + until.saturating_duration_since(Instant::now()).mul_f64(0.75);
            match self.transport.send(&request, self.max_attempt, body_until).await {
                ExportOutcome::Accepted { rejected, unfinished } => {
                    let rejected = spans.first(usize::try_from(rejected).unwrap_or(usize::MAX));
                    // If the batch was dropped meanwhile, it is already counted.
                    if self.queue().remove(ticket) {
                        self.account().exported(spans.all() - rejected.all());
                        self.accounts.dropped(self.destination, DropReason::Refused, rejected);
                    }
                    let time = Moment::now().since(start);
                    if let Some(problem) = unfinished {
                        return self.sender().waited_in_vain(&problem, time);
                    }
                    self.sender().succeeded(time);
                    attempts = 0;
                }
                ExportOutcome::Unauthorized { problem } => {
                    self.sender().failed(&problem);
                    let Some(key) = &self.key else {
                        self.give_up(ticket, spans);
                        continue;
                    };
                    if !self.renew(key, until).await {
                        // Spans wait for the right key as for an unreachable receiver.
                        return self.sender().breaker.failed(Moment::now(), None);
                    }
                }
                ExportOutcome::Unsigned { renewable: true, .. } if renewed_for != Some(ticket) => {
                    renewed_for = Some(ticket);
                }
                ExportOutcome::Refused { problem } | ExportOutcome::Unsigned { problem, .. } => {
                    self.sender().failed(&problem);
                    self.give_up(ticket, spans);
                }
                ExportOutcome::Retry { after, problem } => {
                    // `Retry-After: 0` must not cause a busy loop.
                    let pause = breaker::pause(attempts).max(after.unwrap_or_default());
                    attempts += 1;
                    if probing || attempts > MAX_RETRIES || Instant::now() + pause + MIN_ATTEMPT >= until {
                        let mut sender = self.sender();
                        sender.failed(&problem);
                        return sender.breaker.failed(Moment::now(), after);
                    }
                    tokio::time::sleep(pause).await;
                }
                ExportOutcome::NoResponse { problem } => {
                    let mut sender = self.sender();
                    sender.failed(&problem);
                    return sender.breaker.failed(Moment::now(), None);
                }
            }
        }
    }

    fn give_up(&self, ticket: u64, spans: SpanCount) {
        if self.queue().remove(ticket) {
            self.accounts.dropped(self.destination, DropReason::Refused, spans);
        }
        self.sender().breaker.refused(Moment::now());
    }

    fn account(&self) -> &Account {
        self.accounts.account(self.destination)
    }

    fn queue(&self) -> MutexGuard<'_, RequestQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sender(&self) -> MutexGuard<'_, Sender> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bounds what an export leaves behind, even if the caller stops waiting.
struct TrimOnDrop<'a>(&'a Exporter);

impl Drop for TrimOnDrop<'_> {
    fn drop(&mut self) {
        let dropped = self.0.queue().trim();
        self.0.accounts.dropped(self.0.destination, DropReason::Overflowed, dropped);
    }
}

// One line per change of state, so that a dead receiver does not fill the log.
impl Sender {
    fn new(destination: Destination) -> Self {
        Self {
            destination,
            breaker: Breaker::default(),
            renewal: Renewal::default(),
            failing: false,
            accepted: 0,
            task: None,
            until: None,
            connecting: None,
        }
    }

    fn is_sending(&self) -> bool {
        self.task.as_ref().is_some_and(|task| task.ended.has_changed().is_ok() && !task.handle.is_finished())
    }

    fn failed(&mut self, problem: &str) {
        if !self.failing {
            self.failing = true;
            warn!(
                destination = self.destination.name(),
                problem, "spans could not be exported by OTLP; further failures are counted, not logged"
            );
        }
    }

    fn waited_in_vain(&mut self, problem: &str, time: Duration) {
        self.failed(problem);
        self.breaker.waited(Moment::now(), time);
    }

    fn succeeded(&mut self, time: Duration) {
        self.accepted += 1;
        self.breaker.succeeded(time);
        if self.failing {
            self.failing = false;
            info!(destination = self.destination.name(), "spans are exported by OTLP again");
        }
    }
}

#[cfg(test)]
#[cfg(feature = "sigv4")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use serde_json::json;

    use super::*;
    use crate::trace::accounting::Counts;
    use crate::trace::tree::tests::span;
    use crate::variables::Reader;

    /// X-Ray's endpoint and the container endpoint, whose credentials have the ids `id-0`, `id-1` and so on.
    struct Aws {
        accepted: &'static [&'static str],
        credentials: AtomicUsize,
        spans: AtomicUsize,
    }

    /// Sends one span to X-Ray's endpoint, which accepts credentials with the ids `accepted`. Returns the counts and the
    /// numbers of requests for credentials and with spans.
    async fn send(accepted: &'static [&'static str], variables: &[(&'static str, &str)]) -> (Counts, usize, usize) {
        let aws = Arc::new(Aws { accepted, credentials: AtomicUsize::new(0), spans: AtomicUsize::new(0) });
        let credentials = async |State(aws): State<Arc<Aws>>| {
            let id = aws.credentials.fetch_add(1, Ordering::Relaxed);
            Json(json!({ "AccessKeyId": format!("id-{id}"), "SecretAccessKey": "s" }))
        };
        let spans = async |State(aws): State<Arc<Aws>>, headers: HeaderMap| {
            aws.spans.fetch_add(1, Ordering::Relaxed);
            let signature = headers.get("authorization").unwrap().to_str().unwrap();
            let known = aws.accepted.iter().any(|id| signature.contains(&format!("Credential={id}/")));
            if known { StatusCode::OK } else { StatusCode::FORBIDDEN }
        };
        let router = Router::new().route("/v1/traces", post(spans)).route("/credentials", get(credentials));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = router.with_state(aws.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });

        let variable = |name: &str| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("https://xray.eu-west-1.amazonaws.com".to_owned()),
            "AWS_ENDPOINT_URL_XRAY" => Some(address.clone()),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI" => Some(format!("{address}/credentials")),
            name => variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
        };
        let settings = OtlpSettings::read(&mut Reader::new(&variable)).0.unwrap();
        let (accounts, resource) = (Accounts::default(), Resource::builder_empty().build());
        let otlp = Otlp::new(settings, &resource, HttpStack::default(), accounts.clone()).unwrap();
        accounts.account(Destination::Xray).entered(1);
        otlp.enqueue(vec![span(1, 0, 1)]);
        otlp.send(Duration::from_secs(60)).await;
        let counts = accounts.account(Destination::Xray).counts();
        (counts, aws.credentials.load(Ordering::Relaxed), aws.spans.load(Ordering::Relaxed))
    }

    fn counted(change: impl FnOnce(&mut Counts)) -> Counts {
        let mut counts = Counts::default();
        change(&mut counts);
        counts
    }

    #[tokio::test]
    async fn rejected_signature_is_retried_with_new_credentials() {
        let exported = counted(|counts| counts.exported = 1);
        assert_eq!(send(&["id-0"], &[]).await, (exported, 1, 1));
        assert_eq!(send(&["id-1"], &[]).await, (exported, 2, 2));
    }

    #[tokio::test]
    async fn twice_rejected_signature_drops_the_spans() {
        let refused = counted(|counts| counts.dropped.refused = 1);
        assert_eq!(send(&["id-2"], &[]).await, (refused, 2, 2));
    }

    #[tokio::test]
    async fn credentials_of_the_environment_are_tried_once() {
        let refused = counted(|counts| counts.dropped.refused = 1);
        let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "s")];
        assert_eq!(send(&["other"], &keys).await, (refused, 0, 1));
    }
}
